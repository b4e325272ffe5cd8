"""The texts of a generation: properties that hold for every prompt, batch and mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.generation import Texts
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import ENGINE_SECTIONS, Settings, WeightSettings, as_values
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.selection.batches import Batches, Pair, tags_only, write_generation
from tests.host.double.planner import planned

STEMS = [
    "corgi_dog",
    "glass_skyscraper",
    "knight_armor",
    "oil_painting",
    "portrait_detail",
    "watercolor_style",
]
WORDS = st.sampled_from(
    [
        "a corgi",
        "glass",
        "a knight",
        "oil",
        "portrait",
        "watercolor",
        "the sea",
        "<lora:oil_painting:0.6>",
        "(red:1.2)",
        "BREAK",
    ]
)
PROMPTS = st.lists(WORDS, min_size=1, max_size=5).map(", ".join)


class Asking:
    """The small planner, with what it was asked."""

    def __init__(self, tree: Settings) -> None:
        self.tree = tree
        self.pairs: list[Pair] = []

    def __call__(self, pair: Pair, seeds: Sequence[int]) -> Plan:
        self.pairs.append(pair)
        values = {
            name: leaves
            for name, leaves in as_values(self.tree).items()
            if name not in ENGINE_SECTIONS
        }
        return planned(
            {
                "prompt": pair[0],
                "negative_prompt": pair[1],
                "seeds": list(seeds),
                "batch_size": 1,
                "settings": values,
                "stems": STEMS,
            }
        )


def job(texts: Texts, size: int, tree: Settings | None = None) -> Batches:
    return Batches(texts, size, tuple(range(len(texts.positive))), tree or Settings())


def tags_of(text: str) -> tuple[str, ...]:
    tags = parse_prompt(text).user_tags
    return tuple(text[tag.start : tag.end] for tag in tags if tag.kind in ADAPTER_KINDS)


def without_tags(text: str, original: str) -> str:
    added = list(tags_of(text))
    for tag in tags_of(original):
        added.remove(tag)
    for tag in added:
        text = text.replace(tag, "", 1)
    return text.strip()


@st.composite
def jobs(draw: st.DrawFn) -> Batches:
    size, count = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    positive = draw(st.lists(PROMPTS, min_size=size * count, max_size=size * count))
    negative = draw(
        st.lists(
            st.sampled_from(["", "blurry", "watercolor"]),
            min_size=size * count,
            max_size=size * count,
        )
    )
    hires = draw(st.sampled_from(["none", "same", "other"]))
    second = {
        "none": [],
        "same": positive,
        "other": draw(st.lists(PROMPTS, min_size=size * count, max_size=size * count)),
    }[hires]
    texts = Texts(
        tuple(positive), tuple(negative), tuple(second), tuple(negative) if second else ()
    )
    return job(texts, size)


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_every_prompt_of_a_batch_gets_the_same_tags_in_each_pass(made: Batches) -> None:
    done = write_generation(made, Asking(made.settings)).texts
    for before, after in (
        (made.texts.positive, done.positive),
        (made.texts.hr_positive, done.hr_positive),
    ):
        if not before:
            continue
        for batch in made.ranges():
            added = [tags_of(after[image])[len(tags_of(before[image])) :] for image in batch]
            assert len(set(added)) == 1


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_the_users_own_text_is_kept(made: Batches) -> None:
    done = write_generation(made, Asking(made.settings)).texts
    for before, after in zip(made.texts.positive, done.positive, strict=True):
        left = without_tags(after, before)
        at = -1
        for word in before.replace(",", " ").split():
            at = left.find(word, at + 1)
            assert at >= 0, f"{word} is missing, or not in its place, in {left!r}"


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_the_same_prompt_gets_the_same_set_in_both_passes(made: Batches) -> None:
    """For batches of one; in a larger one the others have a say."""
    done = write_generation(made, Asking(made.settings)).texts
    for image, text in enumerate(made.texts.hr_positive):
        if made.batch_size == 1 and text == made.texts.positive[image]:
            assert tags_of(done.hr_positive[image]) == tags_of(done.positive[image])


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_weights_keep_to_the_cap_in_every_prompt(made: Batches) -> None:
    done = write_generation(made, Asking(made.settings)).texts
    for before, after in zip(made.texts.positive, done.positive, strict=True):
        added = tags_of(after)[len(tags_of(before)) :]
        own = sum(float(tag.rstrip(">").split(":")[-1]) for tag in tags_of(before))
        assert (
            sum(float(tag.rstrip(">").split(":")[-1]) for tag in added)
            <= max(0.0, 1.5 - own) + 1e-9
        )


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_no_prompt_is_asked_for_twice(made: Batches) -> None:
    asking = Asking(made.settings)
    write_generation(made, asking)
    assert len(set(asking.pairs)) == len(asking.pairs)


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_masks_say_what_is_in_the_prompts(made: Batches) -> None:
    done = write_generation(made, Asking(made.settings))
    for mask, before, after in zip(
        done.masks, made.texts.positive, done.texts.positive, strict=True
    ):
        added = tags_of(after)[len(tags_of(before)) :]
        assert sorted(tag.split(":")[1] for tag in added) == sorted(mask.on)
        assert not set(mask.on) & set(mask.off)


@settings(max_examples=60, deadline=None)
@given(jobs())
def test_to_compare_the_first_batch_follows_once_more_without_adapters(made: Batches) -> None:
    plain, done = (
        write_generation(made, Asking(made.settings), compare=compare) for compare in (False, True)
    )
    count, more = len(made.texts.positive), len(range(made.batch_size)[: len(made.texts.positive)])
    assert done.compared == any(mask.on for mask in plain.masks)
    assert done.texts.part(0, count) == plain.texts
    assert len(done.texts.positive) == len(done.masks) == count + more * done.compared
    for mask, text, own in zip(
        done.masks[count:], done.texts.positive[count:], made.texts.positive, strict=False
    ):
        assert mask.on == ()
        assert tags_of(text) == tags_of(own)


def test_a_whole_batch_is_written_as_the_engine_wrote_it() -> None:
    tree = replace(Settings(), weights=WeightSettings(strength=0.5))
    asking = Asking(tree)
    done = write_generation(job(Texts(("a knight, oil",) * 3, ("",) * 3), 1, tree), asking)
    assert done.texts.positive == asking(("a knight, oil", ""), [0, 1, 2]).prompts


def test_what_is_not_allowed_is_off_and_its_triggers_too() -> None:
    made = replace(job(Texts(("a knight, oil",), ("",)), 1), allowed_kinds=frozenset({"style"}))
    done = write_generation(made, Asking(Settings()))
    assert done.texts.positive == ("a knight, oil <lora:oil_painting:0.8>",)
    assert (done.masks[0].on, done.masks[0].off) == (("oil_painting",), ("knight_armor",))


def test_a_cap_that_one_prompt_uses_up_counts_for_its_whole_batch() -> None:
    texts = Texts(("watercolor, <lora:corgi_dog:1.5>", "watercolor"), ("", ""))
    done = write_generation(job(texts, 2), Asking(Settings()))
    assert done.texts.positive == texts.positive
    assert [note.code for note in done.notes] == ["no_room", "mixed_batch"]


def test_the_last_batch_may_be_short() -> None:
    done = write_generation(job(Texts(("a corgi",) * 3, ("",) * 3), 2), Asking(Settings()))
    assert len(done.texts.positive) == len(done.masks) == 3


def test_a_description_gives_its_tags_to_the_users_own_texts() -> None:
    plan = Asking(Settings())(("a knight in watercolor", ""), [0])
    said = tags_only(plan, ("", "blurry"), Settings())
    assert said.prompts == ("<lora:knight_armor:0.75> <lora:watercolor_style:0.75>",)
    assert said.negative_prompts == ("blurry",)
    assert (
        tags_only(plan, ("mine", ""), Settings()).prompts[0].startswith("mine <lora:knight_armor:")
    )


def test_a_description_is_planned_in_place_of_empty_prompts() -> None:
    asking = Asking(Settings())
    made = replace(job(Texts(("", ""), ("blurry", "")), 1), description="a knight")
    done = write_generation(made, asking)
    assert asking.pairs == [("a knight", "blurry"), ("a knight", "")]
    assert done.texts.positive == ("<lora:knight_armor:0.8>",) * 2
    assert done.texts.negative == ("blurry", "")

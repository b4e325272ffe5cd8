from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, NearMiss, Pick, Task
from stylus_ext.core.masks import choose_masks
from stylus_ext.core.settings import SCHEMES, WeightSettings
from stylus_ext.core.tags import weigh
from stylus_ext.selection.correct import (
    NO_CORRECTIONS,
    Corrections,
    KeptPick,
    PickLimits,
    corrected,
)

TEXT = "a fox, a tree, a castle, rain on a hill"
TASKS = tuple(Task(TEXT[at : at + 3], at, at + 3) for at in (0, 7, 15, 25))
ROOMY = PickLimits(10, 10, 10)
keys = st.integers(1, 9).map(AdapterKey.civitai)
weights = st.none() | st.floats(0.05, 0.4).map(lambda weight: round(weight, 2))


def pick(key: AdapterKey, task: int = 0, kind: str = "object") -> Pick:
    return Pick(key, task, f"pick {key}", 0.8, "fits", kind)


@st.composite
def compositions(draw: st.DrawFn) -> Composition:
    chosen = draw(st.lists(keys, unique=True, max_size=5))
    tasks = (
        draw(st.sampled_from([TASKS, TASKS[:1]])) if chosen else draw(st.sampled_from([TASKS, ()]))
    )
    starts = [task.start for task in tasks]
    picks = tuple(
        pick(key, draw(st.sampled_from(starts)), draw(st.sampled_from(["style", "object"])))
        for key in chosen
    )
    near = tuple(
        NearMiss(key, f"near {key}", "too far")
        for key in draw(st.lists(keys, unique=True, max_size=3))
        if key not in chosen
    )
    return Composition(tasks, picks, near)


kept = st.builds(
    KeptPick, keys, weights, st.none() | st.sampled_from([0, 7, 15, 25, 99]), st.booleans()
)
words = st.builds(
    Corrections,
    st.frozensets(keys, max_size=4),
    st.frozensets(keys, max_size=4),
    st.lists(kept, max_size=5).map(tuple),
    st.booleans(),
)
limits = st.builds(PickLimits, st.integers(0, 6), st.integers(0, 3), st.integers(0, 2))


def found_for(said: Corrections) -> dict[AdapterKey, Pick]:
    return {key: pick(key, -1) for key in said.kept}


@given(
    compositions(), words, limits, st.lists(keys, unique=True, max_size=4), st.sampled_from(SCHEMES)
)
def test_what_is_rejected_is_in_no_mask_and_what_is_kept_in_the_first_and_caps_hold(
    before: Composition, said: Corrections, most: PickLimits, others: list[AdapterKey], scheme: str
) -> None:
    instead = [pick(key, before.tasks[0].start) for key in others] if before.tasks else []
    now = corrected(before, said, found_for(said), instead, most, TEXT)
    masks = choose_masks(now, scheme, range(6))
    on = frozenset().union(*(mask.on for mask in masks))
    assert not on & said.out
    assert len(now.picks) <= most.adapters
    assert sum(pick.kind == "style" for pick in now.picks) <= most.styles
    there = {one.key for one in now.picks}
    if len(said.kept) <= most.adapters and most.styles >= len(said.kept):
        assert set(said.kept) <= masks[0].on
    assert all(
        said.kept[key].pinned is False or all(key in mask.on for mask in masks)
        for key in there & said.kept.keys()
    )
    if said.only:
        assert there <= set(said.kept)
    assert not {miss.key for miss in now.near_misses} & there


@given(compositions(), words)
def test_weights_are_as_said_while_the_cap_holds(before: Composition, said: Corrections) -> None:
    now = corrected(before, said, found_for(said), (), ROOMY, TEXT)
    written = weigh(
        now,
        Mask(frozenset(pick.key for pick in now.picks)),
        WeightSettings(strength=0.5, total_cap=0.0),
    )
    wanted = {key: one.weight for key, one in said.kept.items() if one.weight is not None}
    assert {key: written[key] for key in wanted} == wanted
    capped = weigh(now, Mask(frozenset(written)), WeightSettings(total_cap=0.3))
    assert sum(capped.values()) <= 0.3 + 1e-9


@given(compositions(), limits)
def test_no_word_changes_nothing_that_keeps_the_limits(
    before: Composition, most: PickLimits
) -> None:
    assert not NO_CORRECTIONS
    if (
        len(before.picks) <= most.adapters
        and sum(pick.kind == "style" for pick in before.picks) <= most.styles
    ):
        assert corrected(before, NO_CORRECTIONS, {}, (), most, TEXT) == before


def test_a_swapped_one_gives_its_place_to_the_next_for_the_same_task() -> None:
    one, two, three, four = map(AdapterKey.civitai, range(1, 5))
    before = Composition(TASKS, (pick(one, 0), pick(two, 7)))
    instead = [pick(three, 7), pick(four, 0), replace(pick(AdapterKey.civitai(5), 0))]
    now = corrected(before, Corrections(swap=frozenset({one})), {}, instead, ROOMY, TEXT)
    assert [(pick.key, pick.task) for pick in now.picks] == [(two, 7), (four, 0)]
    assert [(miss.key, miss.reason) for miss in now.near_misses] == [
        (one, "you took it out of this plan")
    ]


def test_a_rejected_one_leaves_its_place_empty() -> None:
    one, two = AdapterKey.civitai(1), AdapterKey.civitai(2)
    before = Composition(TASKS, (pick(one, 0), pick(two, 7)))
    now = corrected(
        before,
        Corrections(reject=frozenset({one})),
        {},
        [pick(AdapterKey.civitai(3), 0)],
        ROOMY,
        TEXT,
    )
    assert [pick.key for pick in now.picks] == [two]


def test_a_kept_one_displaces_what_was_found_where_there_is_no_room() -> None:
    one, two, new = map(AdapterKey.civitai, (1, 2, 3))
    before = Composition(TASKS, (pick(one, 0), pick(two, 7)), (NearMiss(new, "new", "too far"),))
    said = Corrections(keep=(KeptPick(new, 0.6, 7),))
    now = corrected(before, said, {new: pick(new, 7)}, (), PickLimits(2, 2, 1), TEXT)
    assert [(pick.key, pick.weight) for pick in now.picks] == [(one, 0.8), (new, 0.6)]
    assert now.near_misses == ()


def test_a_set_for_another_prompt_finds_a_task_each_and_a_prompt_without_tasks_gets_one() -> None:
    set_ = tuple(KeptPick(AdapterKey.civitai(number), task=500 + number) for number in (1, 2, 3))
    said = Corrections(keep=set_, only=True)
    now = corrected(Composition(TASKS[:2]), said, found_for(said), (), ROOMY, TEXT)
    assert [pick.task for pick in now.picks] == [0, 7, 0]
    bare = corrected(Composition(), said, found_for(said), (), ROOMY, "  rain ")
    assert [(task.text, task.start, task.end) for task in bare.tasks] == [("rain", 0, 7)]
    assert len(bare.picks) == 3


def test_words_about_one_adapter_under_two_names_are_brought_together() -> None:
    first, alias = AdapterKey.civitai(1), AdapterKey.path("x")
    said = Corrections(
        frozenset({alias}), frozenset({alias}), (KeptPick(alias, 0.5), KeptPick(first, 0.7))
    ).known_as({alias: first})
    assert (said.reject, said.swap) == (frozenset({first}), frozenset({first}))
    assert said.kept == {}
    assert replace(said, reject=frozenset(), swap=frozenset()).kept == {first: KeptPick(first, 0.5)}

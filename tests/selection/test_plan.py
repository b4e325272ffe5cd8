from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile, RemoteFile
from stylus_ext.core.composition import Candidate, Candidates, Composition, Pick, Task
from stylus_ext.core.errors import InvalidInput, Note, StylusError, Unavailable
from stylus_ext.core.family import partly
from stylus_ext.core.fetching import Caps, FetchPolicy
from stylus_ext.core.file_names import TagNames
from stylus_ext.core.plan import from_json, to_json
from stylus_ext.core.ports import Query, Store
from stylus_ext.core.prompt.phrases import Span
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.selection.plan import Deadline, PlanPrompt, PlanRequest, reachable
from tests.fakes import make_entry, make_probe

FOX, TREE = AdapterKey.civitai(1), AdapterKey.civitai(2)


@dataclass
class WordRetriever:
    """Finds the entries whose name stands in the prompt, word by word."""

    store: Store
    asked: list[Query] = field(default_factory=list)

    def find(self, query: Query) -> Candidates:
        self.asked.append(query)
        text = query.prompt.text
        entries = [change.entry for change in self.store.changes(0) if change.entry is not None]
        if query.only is not None:
            entries = [entry for entry in entries if entry.key in query.only]
        named = [entry for entry in entries if entry.card.name in text]
        spans = [
            Span(
                entry.card.name,
                text.index(entry.card.name),
                text.index(entry.card.name) + len(entry.card.name),
            )
            for entry in named
        ]
        return Candidates(
            tuple(Candidate(entry, 1.0) for entry in named),
            tuple({span.start: span for span in spans}.values()),
            0.9,
        )


@dataclass
class NameComposer:
    """One pick for each name, the first that has it."""

    name: str = "names"
    failing: StylusError | None = None

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        if self.failing is not None:
            raise self.failing
        tasks = tuple(Task(span.text, span.start, span.end) for span in candidates.spans)
        picks: dict[int, Pick] = {}
        for candidate in candidates.found:
            start = query.prompt.text.index(candidate.entry.card.name)
            entry = candidate.entry
            picks.setdefault(
                start,
                Pick(
                    entry.key,
                    start,
                    entry.card.name,
                    entry.weight,
                    "its name stands in the prompt",
                    entry.kind,
                ),
            )
        return Composition(tasks, tuple(picks.values()))


@dataclass
class World:
    store: SqliteStore
    retriever: WordRetriever
    composer: NameComposer
    plan: PlanPrompt


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(tmp_path)
    store.write(
        [
            make_entry(
                1,
                "fox",
                triggers=("foxy",),
                weight=0.6,
                files=(LocalFile("/l/my_fox.safetensors", "my_fox", 5, 1),),
            ),
            make_entry(2, "tree", remote=RemoteFile("oak tree.safetensors", 4_000_000, "ab" * 32)),
        ]
    )
    retriever, composer = WordRetriever(store), NameComposer()
    yield World(
        store,
        retriever,
        composer,
        PlanPrompt(store, lambda policy: retriever, lambda name: composer),
    )
    store.close()


def settings(**sections: dict[str, object]) -> Settings:
    return with_values(Settings(), sections)


def test_a_plan_has_a_prompt_for_every_batch(world: World) -> None:
    plan = world.plan(PlanRequest("a fox and a tree", "blurry", seeds=(5, 6, 7, 8)))
    assert plan.prompts[0] == "a fox and a tree, foxy <lora:my_fox:0.6> <lora:oak tree:0.8>"
    assert len(plan.prompts) == len(plan.masks) == 4
    assert len(set(plan.prompts[:3])) == 3
    assert all(mask.on for mask in plan.masks)
    assert plan.negative_prompts == ("blurry",) * 4
    assert plan.confidence == 0.9
    assert from_json(to_json(plan)) == plan


def test_what_is_not_on_disk_is_listed_with_its_size(world: World) -> None:
    plan = world.plan(PlanRequest("a fox and a tree"))
    assert [(file.key, file.file, file.size) for file in plan.missing] == [
        (TREE, "oak tree.safetensors", 4_000_000)
    ]
    assert {tag.key: tag.on_disk for tag in plan.tags} == {FOX: True, TREE: False}


def test_only_what_the_host_lists_is_picked_and_tagged_by_the_hosts_name(world: World) -> None:
    plan = world.plan(PlanRequest("a fox and a tree", on_disk={FOX: "host_fox"}))
    assert plan.prompts == ("a fox and a tree, foxy <lora:host_fox:0.6>",)
    assert plan.missing == ()


def test_the_same_question_is_composed_once_and_a_changed_catalogue_asks_again(
    world: World,
) -> None:
    first = world.plan(PlanRequest("a fox"))
    assert world.plan(PlanRequest("a fox", seeds=(9, 10))).prompts[0] == first.prompts[0]
    assert len(world.retriever.asked) == 1
    world.plan(PlanRequest("a fox", settings=settings(selection={"max_adapters": 1})))
    assert len(world.retriever.asked) == 2
    world.store.write([make_entry(3, "owl")])
    world.plan(PlanRequest("a fox"))
    assert len(world.retriever.asked) == 3


def test_what_the_retriever_has_to_say_is_said_every_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, find = Note("no_reranker", "No reranker is set up."), world.retriever.find
    monkeypatch.setattr(world.retriever, "find", lambda query: replace(find(query), notes=(note,)))
    plans = [world.plan(PlanRequest("a fox")), world.plan(PlanRequest("a fox"))]
    assert len(world.retriever.asked) == 1
    assert [plan.notes for plan in plans] == [(note,), (note,)]


def test_the_same_request_gives_the_same_plan(world: World) -> None:
    request = PlanRequest("a fox and a tree", seeds=tuple(range(40, 50)))
    fresh = PlanPrompt(world.store, lambda policy: world.retriever, lambda name: world.composer)
    assert world.plan(request) == world.plan(request) == fresh(request)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_prompt_is_left_alone_and_nobody_is_asked(world: World, text: str) -> None:
    plan = world.plan(PlanRequest(text))
    assert plan.prompts == (text,)
    assert [note.code for note in plan.notes] == ["empty"]
    assert world.retriever.asked == []


def test_nothing_fits_is_said(world: World) -> None:
    plan = world.plan(PlanRequest("a whale"))
    assert plan.prompts == ("a whale",)
    assert [note.code for note in plan.notes] == ["nothing_fits"]


def test_what_the_user_wrote_himself_is_no_lack(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after "Send to prompt": all that fits stands in the prompt already."""
    served = Composition((Task("a fox", 0, 5, taken_by="my_fox"), Task("a tree", 10, 16)))
    monkeypatch.setattr(world.composer, "compose", lambda query, candidates: served)
    plan = world.plan(PlanRequest("a fox and a tree <lora:my_fox:0.7>"))
    assert plan.prompts == ("a fox and a tree <lora:my_fox:0.7>",)
    assert [note.code for note in plan.notes] == ["nothing_more"]


@pytest.mark.parametrize(
    ("formats", "loads", "noted"),
    [
        (("lora",), (), False),
        (("lora", "unknown"), (), True),
        (("dora", "lora"), (), False),
        (("dora", "lora"), ("lora",), True),
    ],
)
def test_a_tag_of_the_users_that_the_webui_cannot_load_is_mentioned(
    world: World, formats: tuple[str, ...], loads: tuple[str, ...], noted: bool
) -> None:
    file = LocalFile("/l/my_fox.safetensors", "my_fox", 5, 1, formats=formats)
    world.store.write([make_entry(1, "fox", files=(file,))])
    names = TagNames(stems={"my_fox": FOX})
    plan = PlanPrompt(
        world.store, lambda _: world.retriever, lambda _: world.composer, names=lambda _: names
    )
    limits = settings(selection={"formats": list(loads)})
    made = plan(PlanRequest("a tree <lora:my_fox:0.7>", settings=limits))
    assert ("not_loadable" in [note.code for note in made.notes]) is noted


def test_wildcards_are_mentioned(world: World) -> None:
    assert "unresolved" in [
        note.code for note in world.plan(PlanRequest("a fox in __place__")).notes
    ]


def test_a_failure_leaves_the_prompt_as_it_was_and_says_why(world: World) -> None:
    world.composer.failing = Unavailable("The composer went home.")
    plan = world.plan(PlanRequest("a fox", "blurry", seeds=(1, 2)))
    assert plan.prompts == ("a fox", "a fox")
    assert plan.negative_prompts == ("blurry", "blurry")
    assert "went home" in plan.notes[0].text
    world.composer.failing = None
    assert world.plan(PlanRequest("a fox")).prompts != ("a fox",)


def test_the_deadline_is_kept(world: World) -> None:
    times = iter([0.0, 0.5, 2.0])
    clock: Callable[[], float] = lambda: next(times)  # noqa: E731
    plan = world.plan(PlanRequest("a fox"), Deadline(1.0, clock))
    assert [note.code for note in plan.notes] == ["late"]
    assert plan.prompts == ("a fox",)


@pytest.mark.parametrize("stem", ["we:ird", "a<b", " fox", "x=1"])
def test_a_stem_that_the_host_cannot_read_is_refused_with_a_note_and_the_next_one_steps_in(
    world: World, stem: str
) -> None:
    world.store.remove([FOX])
    world.store.write(
        [
            make_entry(4, "fox", files=(LocalFile(f"/l/{stem}.safetensors", stem, 5, 1),)),
            make_entry(5, "fox", files=(LocalFile("/l/good.safetensors", "good", 5, 1),)),
        ]
    )
    plan = world.plan(PlanRequest("a fox"))
    assert plan.prompts == ("a fox <lora:good:0.8>",)
    assert [note.code for note in plan.notes] == ["bad_name"]


def test_the_family_of_the_plan_is_the_one_asked_for_or_that_of_the_picks(world: World) -> None:
    assert world.plan(PlanRequest("a fox")).family == "sd1"
    assert (
        world.plan(PlanRequest("a fox", settings=settings(selection={"family": "SDXL 1.0"}))).family
        == "sdxl"
    )
    with pytest.raises(InvalidInput):
        world.plan(PlanRequest("a fox", settings=settings(selection={"family": "A Crayon"})))


def test_a_pick_made_for_a_relative_is_noted(world: World) -> None:
    world.store.write([make_entry(1, "fox", family="sdxl"), make_entry(2, "tree", family="pony")])
    wanted = {"family": "pony", "partial": True}
    notes = world.plan(PlanRequest("a fox under a tree", settings=settings(selection=wanted))).notes
    assert [note.code for note in notes] == ["partly_compatible"]
    assert partly("sdxl", "pony") in notes[0].text
    assert world.plan(PlanRequest("a tree", settings=settings(selection=wanted))).notes == ()


def test_a_measured_weight_is_used_where_nothing_is_stated(world: World) -> None:
    fox = make_entry(1, "fox", files=(LocalFile("/l/my_fox.safetensors", "my_fox", 5, 1),))
    world.store.write([fox])
    assert world.plan(PlanRequest("a fox")).prompts == ("a fox <lora:my_fox:0.8>",)
    world.store.probes.keep(FOX, make_probe(size=5, weight=0.4))
    assert world.plan(PlanRequest("a fox")).prompts == ("a fox <lora:my_fox:0.4>",)
    world.store.write([replace(fox, card=replace(fox.card, weight=0.6))])
    assert world.plan(PlanRequest("a fox")).prompts == ("a fox <lora:my_fox:0.6>",)


@pytest.mark.parametrize(
    ("probe", "codes"),
    [
        ({}, []),
        ({"trouble": "no_effect"}, ["no_effect"]),
        ({"trouble": "broken", "breaks_at": 0.25}, ["broken_file"]),
        ({"trouble": "failed", "breaks_at": 0.25}, ["broken_file"]),
        ({"breaks_at": 0.5}, ["breaks_pictures"]),
        ({"breaks_at": 0.75}, []),
        ({"breaks_at": 0.5, "size": 4}, []),
    ],
)
def test_what_a_probe_found_wrong_is_noted(
    world: World, probe: dict[str, object], codes: list[str]
) -> None:
    world.store.probes.keep(FOX, make_probe(**{"size": 5, **probe}))
    assert [note.code for note in world.plan(PlanRequest("a fox")).notes] == codes


@pytest.mark.parametrize(
    "broken",
    [{"seeds": ()}, {"seeds": tuple(range(1001))}, {"batch_size": 0}, {"prompt": "x" * 100_001}],
)
def test_what_cannot_be_planned_is_refused_with_a_sentence(broken: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        replace(PlanRequest("a fox"), **broken)  # type: ignore[arg-type]


MB = 2**20
HOST = {FOX: "host_fox"}


def test_what_may_be_fetched_is_picked_and_listed_as_missing(world: World) -> None:
    plan = world.plan(
        PlanRequest("a fox and a tree", on_disk=HOST, reach=FetchPolicy(Caps(10 * MB, 10 * MB)))
    )
    assert plan.prompts[0] == "a fox and a tree, foxy <lora:host_fox:0.6> <lora:oak tree:0.8>"
    assert [(file.key, file.size) for file in plan.missing] == [(TREE, 4_000_000)]


@pytest.mark.parametrize(
    ("reach", "reason"),
    [
        (FetchPolicy(Caps(MB, 10 * MB)), "you allow 1 MB a file"),
        (FetchPolicy(Caps(10 * MB, MB)), "1 MB are left"),
        (FetchPolicy(None), "it is not on disk"),
        (FetchPolicy(None, frozenset({TREE})), "it could not be fetched"),
        (FetchPolicy(Caps(10 * MB, 10 * MB), frozenset({TREE})), "it could not be fetched"),
    ],
    ids=str,
)
def test_what_may_not_be_fetched_is_not_picked_and_that_is_known(
    world: World, reach: FetchPolicy, reason: str
) -> None:
    plan = world.plan(PlanRequest("a fox and a tree", on_disk=HOST, reach=reach))
    assert plan.prompts == ("a fox and a tree, foxy <lora:host_fox:0.6>",)
    assert plan.missing == ()
    found = world.retriever.asked[-1]
    assert found.only is None
    told = reachable(
        world.retriever.find(found), PlanRequest("x", on_disk=HOST, reach=reach)
    ).refused
    assert [(miss.key, reason in miss.reason) for miss in told] == [(TREE, True)]


def test_the_same_question_with_another_reach_is_composed_anew(world: World) -> None:
    wide = world.plan(
        PlanRequest("a tree", on_disk=HOST, reach=FetchPolicy(Caps(10 * MB, 10 * MB)))
    )
    narrow = world.plan(PlanRequest("a tree", on_disk=HOST, reach=FetchPolicy(None)))
    assert (len(wide.missing), len(narrow.missing)) == (1, 0)
    now = world.plan(
        PlanRequest("a tree", on_disk={**HOST, TREE: "oak tree-2"}, reach=FetchPolicy(None))
    )
    assert now.prompts == ("a tree <lora:oak tree-2:0.8>",)

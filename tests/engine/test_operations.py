"""The operations without HTTP, over a real data folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import Cancelled, InvalidInput, Note
from stylus_ext.core.ports import Sighting
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.operations.plan import late_plan
from stylus_ext.engine.operations.table import OPERATIONS, perform
from stylus_ext.engine.requests import PlanInput
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.selection import plan as plan_module
from tests.catalogue.sources.pictures.making import infotext, write_png
from tests.fakes import BagEmbedder, Watch, make_entry
from tests.lora_files import write_lora, write_sidecar


@pytest.fixture
def stylus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stylus]:
    """A small catalogue, embedded by words."""
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    stylus = open_stylus(tmp_path / "data", Settings())
    stylus.catalogue.store.write(
        [
            make_entry(
                1,
                "Corgi Friend",
                "A small corgi dog with short legs.",
                triggers=("crgfrnd",),
                kind="animal",
            ),
            make_entry(2, "Pixel World", "Crisp pixel art of any scene."),
        ]
    )
    stylus.catalogue.embed(Watch())
    yield stylus
    stylus.close()


def ask(stylus: Stylus, name: str, **payload: Any) -> dict[str, Any]:
    return perform(stylus, name, payload, Watch())


def plan(stylus: Stylus, prompt: str, **payload: Any) -> dict[str, Any]:
    found: dict[str, Any] = ask(stylus, "plan", prompt=prompt, **payload)["plan"]
    return found


def codes(answer: dict[str, Any]) -> list[str]:
    return [note["code"] for note in answer["notes"]]


def seen(answer: dict[str, Any]) -> set[str]:
    """What was picked or nearly so; that something would have been, if there were a file of it, is
    said of what is out of reach.
    """
    misses = [miss for miss in answer["near_misses"] if "no file of it" not in miss["reason"]]
    return {one["name"] for one in (*answer["picks"], *misses)}


def is_free(stylus: Stylus) -> bool:
    """Whether another thread may change the catalogue."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(stylus.catalogue.write_lock.acquire, blocking=False).result(5)


def loras(folder: Path) -> Path:
    lora = write_lora(
        folder / "castle_keep.safetensors", metadata={"ss_output_name": "castle keep"}
    )
    write_sidecar(
        lora, ".json", {"description": "An old stone castle.", "activation text": "cstlkp"}
    )
    return folder


def test_an_unlisted_base_model_is_used_for_itself_alone(stylus: Stylus) -> None:
    key = AdapterKey.civitai(3)
    card = replace(make_entry(3, "Owl Friend", "A small owl.").card, base_model="Nebula 9 Ultra")
    stylus.catalogue.refresh.take([Sighting(card=card)])
    stylus.catalogue.embed(Watch())
    for family, found in (("nebula-9-ultra", [str(key)]), ("sdxl", []), ("nebula-9", [])):
        settings = {"selection": {"family": family}}
        picks = plan(stylus, "an owl friend", settings=settings, reach="catalogue")["picks"]
        assert [pick["key"] for pick in picks] == found
    (row,) = ask(stylus, "cards", keys=[str(key)])["cards"].values()
    assert row["family_name"] == "Nebula 9 Ultra"


def test_verdicts_and_recipes_judge_what_pictures_teach(stylus: Stylus, tmp_path: Path) -> None:
    ask(stylus, "index", lora_dirs=[str(loras(tmp_path / "loras"))])
    album = tmp_path / "album"
    album.mkdir()
    chosen = {"Stylus": "0.1.0", "Stylus prompt": "a keep by the sea"}
    write_png(album / "1.png", infotext("a keep by the sea <lora:castle_keep:0.5>", **chosen))

    def examples() -> list[str]:
        ask(stylus, "index", learn=[str(album)], hash=False)
        card = stylus.catalogue.entry("castle_keep").card
        return [example.prompt for example in card.examples]

    assert examples() == []
    recipe = {
        "name": "keep",
        "prompt": "a keep by the sea",
        "adapters": [{"key": "path:castle_keep.safetensors", "weight": 0.5}],
    }
    ask(stylus, "recipes", keep=[recipe])
    assert examples() == ["a keep by the sea"]
    ask(stylus, "verdict", key="castle_keep", prompt="a keep by the sea")
    assert examples() == []


def test_a_plan_counts_files_that_cannot_be_read(stylus: Stylus, tmp_path: Path) -> None:
    folder = loras(tmp_path / "loras")
    for number in range(60):
        (folder / f"broken {number}.safetensors").write_bytes(b"\xff" * 100)
    told = codes(plan(stylus, "a castle", lora_dirs=[str(folder)]))
    assert (told.count("file_damaged"), told.count("more_files")) == (3, 1)


def test_the_status_names_files_that_cannot_be_read(stylus: Stylus, tmp_path: Path) -> None:
    folder = loras(tmp_path / "loras")
    for number in range(60):
        (folder / f"broken {number}.safetensors").write_bytes(b"\xff" * 100)
    nowhere = str(tmp_path / "nowhere")
    assert not {"file_damaged", "more_files"} & set(codes(ask(stylus, "status")))
    for _ in range(2):
        ask(stylus, "index", lora_dirs=[str(folder)])
        told = codes(ask(stylus, "status"))
        assert (told.count("file_damaged"), told.count("more_files")) == (50, 1)
    (folder / "gone.safetensors").symlink_to(nowhere)
    for path in folder.glob("broken ?*.safetensors"):
        path.unlink()
    ask(stylus, "index", lora_dirs=[str(folder)])
    assert codes(ask(stylus, "status")).count("file_unreadable") == 1
    (folder / "gone.safetensors").unlink()
    ask(stylus, "index", lora_dirs=[str(folder)])
    assert not {"file_damaged", "file_unreadable"} & set(codes(ask(stylus, "status")))


def test_the_status_has_no_flags_of_the_command_line(tmp_path: Path) -> None:
    values: dict[str, dict[str, Any]] = {
        "chat": {"chat_url": "https://api.openai.com", "chat_model": "m"},
        "downloads": {"download": True},
        "reranking": {"rerank_url": "https://rerank.example/v1", "rerank_model": "m"},
    }
    stylus = open_stylus(tmp_path / "data", with_values(Settings(), values))
    try:
        status = ask(stylus, "status")
    finally:
        stylus.close()
    sent = [*status["leaves_the_machine"], *status["leaves_on_request"]]
    assert len(sent) == 6
    assert not [line for line in sent if "`" in line or "--" in line]


def test_an_unknown_operation_is_named_with_those_there_are(stylus: Stylus) -> None:
    with pytest.raises(InvalidInput, match="'dance'.*generation"):
        ask(stylus, "dance")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_refuses_a_field_it_does_not_have(stylus: Stylus, name: str) -> None:
    with pytest.raises(InvalidInput, match="'nonsense'"):
        ask(stylus, name, nonsense=1)


def test_seeds_may_be_named_or_counted(stylus: Stylus) -> None:
    counted = plan(stylus, "a corgi, pixel art", seed=10, batches=3, batch_size=4)
    named = plan(stylus, "a corgi, pixel art", seeds=[10, 14, 18], batch_size=4)
    assert counted == named
    assert counted["seed"] == 10
    assert len(counted["prompts"]) == 3


def test_where_nothing_is_on_disk_the_whole_catalogue_is_in_reach(stylus: Stylus) -> None:
    assert seen(plan(stylus, "a corgi friend, pixel world"))
    assert seen(plan(stylus, "a corgi friend, pixel world", reach="disk")) == set()


def test_where_something_is_on_disk_that_alone_is_in_reach(stylus: Stylus, tmp_path: Path) -> None:
    prompt, folder = "corgi friend in a castle keep", str(loras(tmp_path / "loras"))
    for answer in (plan(stylus, prompt, lora_dirs=[folder]), plan(stylus, prompt)):
        assert seen(answer) == {"castle_keep"}
    assert "Corgi Friend" in seen(plan(stylus, prompt, reach="catalogue"))


def test_only_this_folder_counts_when_one_is_named(stylus: Stylus, tmp_path: Path) -> None:
    ask(stylus, "index", lora_dirs=[str(loras(tmp_path / "loras"))])
    (tmp_path / "other").mkdir()
    assert (
        plan(stylus, "a castle keep", lora_dirs=[str(tmp_path / "other")], reach="disk")["picks"]
        == []
    )


def test_what_the_host_does_not_list_is_out_of_reach(stylus: Stylus, tmp_path: Path) -> None:
    folder = str(loras(tmp_path / "loras"))
    assert seen(
        plan(stylus, "a castle keep", lora_dirs=[folder], stems=["castle_keep", "another"])
    ) == {"castle_keep"}
    assert seen(plan(stylus, "a castle keep", lora_dirs=[folder], stems=["another"])) == set()


def test_indexing_counts_what_it_did(stylus: Stylus, tmp_path: Path) -> None:
    folder = loras(tmp_path / "loras")
    first = ask(stylus, "index", lora_dirs=[str(folder)])
    assert {name: first[name] for name in ("written", "gone", "learned", "hashed")} == {
        "written": 1,
        "gone": 0,
        "learned": 0,
        "hashed": 1,
    }
    assert first["vectors"] >= 2
    again = ask(stylus, "index", lora_dirs=[str(folder)])
    assert [again[name] for name in ("written", "gone", "hashed", "vectors")] == [0, 0, 0, 0]
    (folder / "castle_keep.safetensors").unlink()
    assert ask(stylus, "index", lora_dirs=[str(folder)])["gone"] == 1
    assert ask(stylus, "search", text="castle")["total"] == 0


def test_indexing_stops_when_it_is_told_to(stylus: Stylus, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        perform(stylus, "index", {"lora_dirs": [str(loras(tmp_path / "loras"))]}, Watch(patience=0))
    assert is_free(stylus)


def test_a_plan_does_not_wait_for_another_to_read_folders(stylus: Stylus, tmp_path: Path) -> None:
    held, go_on = threading.Event(), threading.Event()

    def reading() -> None:
        with stylus.catalogue.write_lock:
            held.set()
            go_on.wait(20)

    thread = threading.Thread(target=reading)
    thread.start()
    assert held.wait(5)
    try:
        answer = plan(stylus, "a castle keep", lora_dirs=[str(loras(tmp_path / "loras"))])
        assert codes(answer)[0] == "busy"
    finally:
        go_on.set()
        thread.join()
    assert "busy" not in codes(plan(stylus, "a castle keep", lora_dirs=[str(tmp_path / "loras")]))


def test_a_deadline_that_ends_while_a_folder_is_read_leaves_the_prompt_alone(
    stylus: Stylus, tmp_path: Path
) -> None:
    answer = plan(stylus, "a castle keep", lora_dirs=[str(loras(tmp_path / "loras"))], deadline_s=0)
    assert answer["prompts"] == ["a castle keep"]
    assert set(codes(answer)) == {"late"}
    assert is_free(stylus)


def test_an_edit_is_in_the_index_at_once(stylus: Stylus) -> None:
    key = AdapterKey.civitai(1)
    before = stylus.catalogue.index.fingerprints("card")
    ask(stylus, "edit", key="civitai:1", weight=0.3, state="always", kind="object")
    assert stylus.catalogue.index.fingerprints("card") == before
    edited = ask(
        stylus, "edit", key="civitai:1", text="A very large cat.", triggers=["bigcat, large"]
    )["entry"]
    assert (edited["text"], edited["triggers"]) == ("A very large cat.", ["bigcat, large"])
    assert (edited["weight"], edited["state"], edited["kind"]) == (0.3, "always", "object")
    after = stylus.catalogue.index.fingerprints("card")
    assert {changed for changed in before if before[changed] != after[changed]} == {key}
    assert stylus.catalogue.embed(Watch()) == 0
    undone = ask(stylus, "edit", key="civitai:1", undo=True)["entry"]
    assert (undone["weight"], undone["state"]) != (0.3, "always")
    assert stylus.catalogue.index.fingerprints("card") == before


def test_an_edit_can_be_undone_and_made_at_once(stylus: Stylus) -> None:
    ask(stylus, "edit", key="civitai:1", weight=0.3, state="never")
    edited = ask(stylus, "edit", key="civitai:1", weight=0.5, undo=True)["entry"]
    assert edited["edits"] == {
        "state": "auto",
        "text": None,
        "triggers": None,
        "weight": 0.5,
        "kind": None,
        "favourite": False,
        "note": None,
        "tags": None,
    }


def test_what_opening_had_to_do_is_said_once_and_kept_in_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    (tmp_path / "catalogue.sqlite").write_bytes(b"no database" * 1000)
    stylus = open_stylus(tmp_path, Settings())
    try:
        stylus.catalogue.embed(Watch())
        assert "catalogue_rebuilt" in codes(plan(stylus, "a corgi"))
        assert "catalogue_rebuilt" not in codes(plan(stylus, "a corgi"))
        for _ in range(2):
            assert "catalogue_rebuilt" in codes(ask(stylus, "status"))
    finally:
        stylus.close()


def test_a_plan_before_the_catalogue_was_embedded_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    stylus = open_stylus(tmp_path, Settings())
    try:
        stylus.catalogue.store.write([make_entry(1, "Corgi Friend", "A small corgi dog.")])
        early = plan(stylus, "a corgi friend")
        assert "partial_index" in codes(early)
        stylus.catalogue.embed(Watch())
        later = plan(stylus, "a corgi friend")
        assert "partial_index" not in codes(later)
        stylus.catalogue.store.write(
            [make_entry(number, f"Another {number}") for number in range(2, 300)]
        )
        with pytest.raises(Cancelled):
            stylus.catalogue.embed(Watch(patience=1))
        stopped = plan(stylus, "a corgi friend")
        assert "512 of the 596" in next(
            note["text"] for note in stopped["notes"] if note["code"] == "partial_index"
        )
    finally:
        stylus.close()


def test_a_plan_made_of_half_an_index_is_not_remembered_for_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed, original = list[int](), plan_module.reachable

    def counted(*given: Any) -> Any:
        composed.append(1)
        return original(*given)

    embedder = BagEmbedder()
    monkeypatch.setattr(plan_module, "reachable", counted)
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: embedder)
    stylus = open_stylus(tmp_path, Settings())
    try:
        stylus.catalogue.store.write([make_entry(1, "Corgi Friend", "A small corgi dog.")])
        plan(stylus, "a corgi friend")
        stylus.catalogue.embed(Watch())
        assert composed == [1]
        plan(stylus, "a corgi friend")
        assert composed == [1, 1]
        plan(stylus, "a corgi friend")
        assert composed == [1, 1], "that of the whole index is remembered"
    finally:
        stylus.close()


def test_a_late_plan_changes_nothing() -> None:
    request = PlanInput(prompt="a cat", negative_prompt="dog", batches=2, deadline_s=1.5)
    answer = late_plan(request)
    assert answer["elapsed_ms"] == 1500
    assert answer["plan"]["prompts"] == ["a cat", "a cat"]
    assert answer["plan"]["negative_prompts"] == ["dog", "dog"]
    assert codes(answer["plan"]) == ["late"]


def test_only_requests_with_a_deadline_have_a_late_answer() -> None:
    for operation in OPERATIONS.values():
        has_deadline = "deadline_s" in operation.input.model_fields
        assert has_deadline or operation.late is None
    assert {name for name, operation in OPERATIONS.items() if operation.late is not None} == {
        "generation",
        "plan",
    }


def test_each_note_is_new_once(stylus: Stylus, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stylus.catalogue.new_notes() == []
    notes = (Note("a", "One."), Note("b", "Two."))
    monkeypatch.setattr(stylus.catalogue, "notes", lambda: notes)
    assert [note.code for note in stylus.catalogue.new_notes()] == ["a", "b"]
    assert stylus.catalogue.new_notes() == []


def test_a_misspelt_base_model_in_the_settings_is_a_note(tmp_path: Path) -> None:
    from stylus_ext.engine.stylus import open_stylus

    for family, codes in (("any", []), ("SD 1.5", []), ("sdlx", ["unknown_family"])):
        opened = open_stylus(tmp_path, with_values(Settings(), {"selection": {"family": family}}))
        try:
            found = [note["code"] for note in ask(opened, "status")["notes"]]
        finally:
            opened.close()
        assert [code for code in found if code == "unknown_family"] == codes

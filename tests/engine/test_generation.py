"""One generation in one request: its texts, its state, its deadline, and folders read first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import Cancelled, InvalidInput, Note, Unavailable
from stylus_ext.core.generation import (
    FolderState,
    GenerationAnswer,
    GenerationRequest,
    Texts,
    answer_from_json,
    request_to_json,
)
from stylus_ext.core.plan import Outcome
from stylus_ext.core.ports import Progress
from stylus_ext.core.schedules import HostSteps
from stylus_ext.core.settings import Settings
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.catalogue import Catalogue
from stylus_ext.engine.operations.plan import late_generation
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.requests import GenerationInput
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.environment.engine_link import EngineLink
from tests.fakes import BagEmbedder, Watch
from tests.lora_files import write_lora, write_sidecar

LOOSE = {"selection": {"strictness": 0.0}}


@pytest.fixture
def stylus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stylus]:
    monkeypatch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
    stylus = open_stylus(tmp_path / "data", Settings())
    yield stylus
    stylus.close()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    place = tmp_path / "loras"
    for number, word in enumerate(("castle", "dragon")):
        metadata = {"ss_output_name": f"{word} keep", "ss_base_model_version": "sd_v1"}
        lora = write_lora(place / f"{word}_keep.safetensors", metadata=metadata, seed=number)
        write_sidecar(lora, ".json", {"description": f"An old {word}.", "activation text": word})
    return str(place)


def request_of(*prompts: str, **more: Any) -> GenerationRequest:
    count = len(prompts)
    given: dict[str, Any] = {"settings": LOOSE, **more}
    return GenerationRequest(Texts(prompts, ("",) * count), tuple(range(count)), **given)


def ask(stylus: Stylus, request: GenerationRequest) -> GenerationAnswer:
    return answer_from_json(
        perform(stylus, "generation", request_to_json(request), Watch()), request
    )


@contextmanager
def held(lock: Any) -> Iterator[threading.Event]:
    """Another thread has it, until the event is set."""
    has, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            has.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has.wait(5)
    try:
        yield release
    finally:
        release.set()
        thread.join()


def test_a_generation_has_the_texts_that_its_plans_have(stylus: Stylus, folder: str) -> None:
    prompts = ("a castle keep", "a dragon keep", "a castle keep")
    answer = ask(stylus, request_of(*prompts, lora_dirs=(folder,), with_plans=True))
    assert answer.state.folders is FolderState.READ
    assert answer.state.outcome is Outcome.DONE
    castle, dragon = answer.plans
    assert (castle.prompt, dragon.prompt) == prompts[:2]
    expected = (castle.prompts[0], dragon.prompts[0], castle.prompts[1])
    assert answer.texts.positive == expected
    assert "<lora:castle_keep:" in answer.texts.positive[0]
    assert {adapter.stem for adapter in answer.adapters} >= {"castle_keep", "dragon_keep"}
    assert answer.masks[0].on[0] == "castle_keep"


BOTH = "a castle keep, a dragon keep"


def test_a_host_that_can_do_schedules_gets_them_for_each_pass(stylus: Stylus, folder: str) -> None:
    settings: dict[str, Any] = {**LOOSE, "combination": {"combine": "switch"}}
    texts = Texts((BOTH,) * 3, ("",) * 3, ("a castle keep", BOTH, BOTH), ("",) * 3)
    request = GenerationRequest(
        texts,
        (1, 2, 3),
        settings={**settings, "diversity": {"scheme": "all"}},
        lora_dirs=(folder,),
        host_steps=HostSteps(20, 10),
        compare=True,
        with_plans=True,
    )
    answer = ask(stylus, request)
    assert set(answer.schedules[0].first) == {"castle_keep", "dragon_keep"}
    assert [set(each.second) for each in answer.schedules] == [
        set(),
        {"castle_keep", "dragon_keep"},
        {"castle_keep", "dragon_keep"},
        set(),
    ]
    assert answer.schedules[3].first == {}
    assert [len(batch) for batch in answer.plans[0].schedules] == [2, 2, 2]
    assert ask(stylus, replace(request, host_steps=None)).schedules == ()
    assert ask(stylus, replace(request, settings=LOOSE)).schedules == ()


def test_plans_are_sent_only_where_they_are_wanted(stylus: Stylus) -> None:
    assert ask(stylus, request_of("a castle")).plans == ()


def test_the_same_request_can_be_kept_once_nothing_is_missing(stylus: Stylus, folder: str) -> None:
    request = request_of("a castle keep", lora_dirs=(folder,))
    stylus.catalogue.embed(Watch())
    assert ask(stylus, request).state.repeatable
    object.__setattr__(stylus.catalogue.embed, "note", lambda: Note("partial_index", "1 of 2."))
    state = ask(stylus, request).state
    assert (state.index_complete, state.repeatable) == (False, False)


def test_without_time_every_prompt_stays(stylus: Stylus, folder: str) -> None:
    request = request_of("a castle", "a dragon", lora_dirs=(folder,), deadline_s=0.0)
    answer = ask(stylus, request)
    assert answer.texts == request.texts
    assert answer.state.outcome is Outcome.LATE
    assert answer.state.folders is FolderState.LATE
    assert not answer.state.repeatable


def test_folders_leave_time_for_planning(
    stylus: Stylus, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_: Stylus, folders: object, progress: Progress, others: object) -> None:
        while True:
            progress.report("reading", 0)
            time.sleep(0.01)

    monkeypatch.setattr(Catalogue, "index_folders", endless)
    answer = ask(stylus, request_of("a castle", lora_dirs=(folder,), deadline_s=4.0))
    assert answer.state.folders is FolderState.LATE
    assert answer.state.outcome is Outcome.DONE


def test_a_catalogue_that_is_being_changed_is_not_waited_for(stylus: Stylus, folder: str) -> None:
    request = request_of("a castle keep", lora_dirs=(folder,))
    with held(stylus.catalogue.write_lock):
        answer = ask(stylus, request)
    assert answer.state.folders is FolderState.BUSY
    assert not answer.state.repeatable
    assert ask(stylus, request).state.folders is FolderState.READ


def test_unless_the_request_waits_for_it(stylus: Stylus, folder: str) -> None:
    request = request_of(
        "a castle keep", lora_dirs=(folder,), wait_for_folders=True, deadline_s=60.0
    )
    with held(stylus.catalogue.write_lock) as release:
        threading.Timer(0.3, release.set).start()
        answer = ask(stylus, request)
    assert answer.state.folders is FolderState.READ
    assert "<lora:castle_keep:" in answer.texts.positive[0]


def test_the_wait_leaves_time_for_planning(stylus: Stylus, folder: str) -> None:
    request = request_of(
        "a castle keep", lora_dirs=(folder,), wait_for_folders=True, deadline_s=0.6
    )
    with held(stylus.catalogue.write_lock):
        answer = ask(stylus, request)
    assert answer.state.folders is FolderState.BUSY
    assert answer.state.outcome is Outcome.DONE


def test_the_wait_ends_with_the_engine(stylus: Stylus, folder: str) -> None:
    payload = {"lora_dirs": [folder], "wait": True}
    with held(stylus.catalogue.write_lock), pytest.raises(Cancelled):
        perform(stylus, "folders", payload, Watch(patience=0))


def test_folders_are_read_without_a_prompt(stylus: Stylus, folder: str) -> None:
    with held(stylus.catalogue.write_lock):
        assert folders(stylus, folder)["state"]["folders"] == "busy"
    assert folders(stylus, folder, deadline_s=0)["state"]["folders"] == "late"
    answer = folders(stylus, folder)
    assert answer["state"]["folders"] == "read"
    assert answer["state"]["index_complete"]
    assert set(stylus.catalogue.available([folder]).values()) == {"castle_keep", "dragon_keep"}


def folders(stylus: Stylus, folder: str, **more: Any) -> dict[str, Any]:
    return perform(stylus, "folders", {"lora_dirs": [folder], **more}, Watch())


def test_a_failure_leaves_every_prompt_as_it_was(
    stylus: Stylus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise Unavailable("The disk is on fire.")

    monkeypatch.setattr(type(stylus.catalogue.store), "read", broken)
    request = request_of("a castle", "a dragon")
    answer = ask(stylus, request)
    assert answer.texts == request.texts
    assert answer.state.outcome in (Outcome.FAILED, Outcome.DONE)


def test_an_answer_that_comes_too_late_is_an_unchanged_one() -> None:
    request = request_of("a castle", "a dragon", "a castle", with_plans=True, deadline_s=1.5)
    payload = GenerationInput.model_validate(request_to_json(request))
    answer = answer_from_json(late_generation(payload), request)
    assert answer.texts == request.texts
    assert answer.state.outcome is Outcome.LATE
    assert [(plan.prompt, len(plan.masks)) for plan in answer.plans] == [
        ("a castle", 2),
        ("a dragon", 1),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": [0, 1]},
        {"images": [5], "seeds": [1]},
        {"seeds": []},
        {"allowed_kinds": ["nonsense"]},
        {"batch_size": 0},
        {"settings": {"encoder": {"model": "x"}}},
        {"prompts": [{"prompt": "a", "negative_prompt": "", "hires_prompt": "b"}]},
        {"nonsense": 1},
    ],
)
def test_a_wrong_request_is_refused(stylus: Stylus, wrong: dict[str, Any]) -> None:
    payload = {**request_to_json(request_of("a castle")), **wrong}
    with pytest.raises(InvalidInput):
        perform(stylus, "generation", payload, Watch())


def test_it_is_answered_over_http(engine: EngineLink) -> None:
    request = request_to_json(request_of("a corgi, pixel art", "a corgi, pixel art"))
    answer = engine.call("POST", "/v1/generation", request)
    plan = engine.call(
        "POST", "/v1/plan", {"prompt": "a corgi, pixel art", "seeds": [0, 1], "settings": LOOSE}
    )
    texts = [answer["prompts"][place]["prompt"] for place in answer["images"]]
    assert texts == plan["plan"]["prompts"]
    assert plan["state"] == answer["state"]
    assert plan["state"]["outcome"] == "done"
    folders = engine.call("POST", "/v1/folders", {"lora_dirs": []})
    assert folders["state"]["folders"] == "none"

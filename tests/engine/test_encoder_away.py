"""An embedding endpoint that is down: commands work, plans use words alone and note it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.embedders import endpoint, questions
from stylus_ext.core.plan import Outcome, Plan
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.selection.plan import PlanRequest
from tests.embedding_server import Answer, serving
from tests.engine_process import ROOT, Cli, endpoint_settings, make_folder, prepared_folder
from tests.fakes import Watch
from tests.lora_files import write_lora

PROMPT = "a photo of zorblax, teapot, table"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE_S", 0.01)


@pytest.fixture
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}/v1"


def open_at(folder: Path, url: str) -> Stylus:
    return open_stylus(folder, with_values(Settings(), endpoint_settings(url)))


def writer(folder: Path) -> str:
    write_lora(
        folder / "zorblax.safetensors",
        metadata={"ss_output_name": "zorblax", "ss_base_model_version": "sd_v1"},
    )
    return str(folder)


def codes(plan: Plan) -> set[str]:
    return {note.code for note in plan.notes}


def test_a_new_folder_without_its_encoder_plans_by_words(tmp_path: Path, closed: str) -> None:
    stylus = open_at(tmp_path / "data", closed)
    try:
        stylus.catalogue.prepare(Watch())
        refreshed = stylus.catalogue.index_folders([writer(tmp_path / "loras")], Watch())
        assert (refreshed.written, refreshed.vectors) == (1, 0)
        assert [note.code for note in refreshed.notes] == ["no_encoder"]
        plan = stylus.planner.plan(PlanRequest(PROMPT, on_disk=stylus.catalogue.available([])))
        assert "<lora:zorblax:" in plan.prompts[0]
        assert "no_encoder" in codes(plan)
        assert "cannot be reached" in next(
            note.text for note in plan.notes if note.code == "no_encoder"
        )
        assert (
            stylus.planner.plan(PlanRequest(PROMPT, on_disk=stylus.catalogue.available([]))) == plan
        )
    finally:
        stylus.close()


def test_vectors_are_used_again_once_the_encoder_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        folder, url = prepared_folder(tmp_path / "data", server.url), server.url
        stylus = open_at(folder, url)
        before = stylus.planner.plan(PlanRequest("a graffiti of a corgi"))
        stylus.close()
        monkeypatch.setattr(questions, "AGAIN_S", 0.2)
        server.script += [503] * 12
        stylus = open_at(folder, url)
        try:
            assert "no_encoder" in codes(stylus.planner.plan(PlanRequest("a graffiti of a corgi")))
            server.script.clear()
            with stylus.catalogue.write_lock:
                assert stylus.catalogue.update_vectors(Watch()) == (0, ())
            time.sleep(0.2)  # the next look is due
            assert stylus.planner.plan(PlanRequest("a graffiti of a corgi")) == before
        finally:
            stylus.close()


def test_every_command_works_without_it(tmp_path: Path, closed: str, here: Cli) -> None:
    folder, loras = make_folder(tmp_path / "data", closed), writer(tmp_path / "loras")
    indexed = here(folder, "index", loras, "--json")
    assert (indexed.code, indexed.json["written"]) == (0, 1), indexed.err
    assert "no_encoder" in {note["code"] for note in indexed.json["notes"]}
    planned = here(folder, "plan", PROMPT, "--json")
    assert planned.code == 0, planned.err
    assert "<lora:zorblax:" in planned.json["prompts"][0]
    assert "no_encoder" in {note["code"] for note in planned.json["notes"]}
    edited = here(folder, "edit", "zorblax", "--text", "A zorblax.")
    assert edited.code == 0, edited.err


def test_a_server_that_does_not_answer_holds_no_plan_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "LONGEST_S", 0.3)
    answered = threading.Event()

    def hang(_: dict[str, Any]) -> Answer:
        answered.wait(60)
        return 503, {}, {}

    with serving() as server:
        stylus = open_at(prepared_folder(tmp_path / "data", server.url), server.url)
        try:
            server.script += [hang] * 3
            plan = stylus.planner.plan(PlanRequest("a graffiti of a walrus"))
            assert not answered.is_set()
            assert "no_encoder" in codes(plan)
            assert plan.outcome is Outcome.DONE
        finally:
            answered.set()
            stylus.close()


@pytest.mark.parametrize(
    "content",
    [
        "raise OSError('libtorch_cpu.so: cannot open shared object file')",
        "raise ImportError('DLL load failed')",
        "",
    ],
    ids=["library", "import", "empty"],
)
def test_a_broken_torch_leaves_plans_by_words(tmp_path: Path, content: str) -> None:
    broken = tmp_path / "broken" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(content, "utf-8")
    loras = writer(tmp_path / "loras")
    ran = subprocess.run(
        [sys.executable, "-c", BY_WORDS, str(broken.parent), str(tmp_path / "data"), loras, PROMPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert "<lora:zorblax:" in answer["prompts"][0]
    assert "no_encoder" in {note["code"] for note in answer["notes"]}


BY_WORDS = """
import sys
sys.path.insert(0, sys.argv[1])
from stylus_ext.cli.main import main
_, _, data, loras, prompt = sys.argv
sys.exit(main(["plan", prompt, "--json", "--lora-dir", loras, "--data-dir", data]))
"""

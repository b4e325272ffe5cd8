"""docs/api.md and docs/plan.md name every field that is sent and answered, and no other."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.composition import Composition, Mask, NearMiss, Pick, Tag, Task
from stylus_ext.core.errors import Note
from stylus_ext.core.generation import FolderState
from stylus_ext.core.plan import JSON_VERSION, MissingFile, Outcome, Plan, to_json
from stylus_ext.engine.jobs import FINISHED
from stylus_ext.engine.operations.table import OPERATIONS
from stylus_ext.environment.engine_address import EngineRecord
from stylus_ext.environment.engine_link import EngineLink
from tests.fakes import make_card

DOCS = Path(__file__).resolve().parents[2] / "docs"


def sections(name: str) -> dict[str, str]:
    """The text below each heading."""
    parts = re.split(r"(?m)^#{1,3} (.*)$", (DOCS / name).read_text("utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_column(text: str) -> set[str]:
    """The names in the first column of the tables."""
    cells = re.findall(r"(?m)^\| (`[^|]*) \|", text)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def full_plan() -> dict[str, Any]:
    key = make_card().key
    return to_json(
        Plan(
            prompt="a corgi",
            negative_prompt="",
            seed=1,
            composition=Composition(
                (Task("a corgi", 0, 7),),
                (Pick(key, 0, "Corgi", 0.8, "because"),),
                (NearMiss(key, "Another", "too far"),),
            ),
            masks=(Mask(frozenset({key})),),
            prompts=("a corgi <lora:corgi:0.8>",),
            negative_prompts=("",),
            tags=(Tag(key, "corgi", True, (), ""),),
            missing=(MissingFile(key, "Corgi", "corgi.safetensors", 1),),
            notes=(Note("empty", "It is empty."),),
        )
    )


def test_every_field_of_a_plan_is_described() -> None:
    plan, text = full_plan(), sections("plan.md")
    assert first_column(text["The plan"]) == {*plan, "elapsed_ms"}
    for heading, name in (
        ("A task", "tasks"),
        ("A pick", "picks"),
        ("A near miss", "near_misses"),
        ("A missing file", "missing"),
        ("A note", "notes"),
    ):
        assert first_column(text[heading]) == set(plan[name][0]), heading
    assert f"`version` is {JSON_VERSION}." in text["A plan as JSON"]


def test_the_example_of_a_plan_is_json_with_fields_of_a_plan() -> None:
    example = re.search(r"(?s)```json\n(.*?)```", sections("plan.md")["A plan as JSON"])
    assert example is not None
    shown, plan = json.loads(example.group(1)), full_plan()
    assert set(shown) <= set(plan)
    for name in ("tasks", "picks"):
        assert set(shown[name][0]) <= set(plan[name][0])


def test_every_note_of_a_plan_is_described() -> None:
    """Codes are literals in these packages."""
    source = DOCS.parent / "stylus_ext"
    folders = (source / "core", source / "selection", source / "engine" / "operations")
    files = [*(file for folder in folders for file in folder.rglob("*.py"))]
    files += [source / "catalogue" / "embed.py", source / "engine" / "catalogue.py"]
    codes = {
        code
        for file in files
        for code in re.findall(r'Note\(\s*"([a-z_-]+)"', file.read_text("utf-8"))
    }
    assert len(codes) > 15
    described = first_column(sections("plan.md")["Codes of notes"])
    assert codes <= described, codes - described


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_and_its_fields_are_described(name: str) -> None:
    heading = f"`{name}` (long)" if OPERATIONS[name].long else f"`{name}`"
    assert first_column(sections("api.md")[heading]) == set(OPERATIONS[name].input.model_fields)


def test_every_field_of_a_generation_is_described(engine: EngineLink) -> None:
    text = sections("api.md")
    pair = {"prompt": "a corgi", "negative_prompt": ""}
    requested = {"prompts": [pair], "images": [0], "seeds": [1]}
    answer = engine.call("POST", "/v1/generation", requested)
    named = set(re.findall(r"`([a-z_]+)`", text["`generation`"]))
    assert set(answer) | set(answer["masks"][0]) <= named
    assert first_column(text["`state` of an answer"]) == set(answer["state"])
    states = {state.value for kind in (Outcome, FolderState) for state in kind}
    assert states <= set(re.findall(r"`([a-z_]+)`", text["`state` of an answer"]))


def test_every_answer_is_described(engine: EngineLink) -> None:
    text = sections("api.md")
    found = engine.call("POST", "/v1/search", {"limit": 1})
    entry = engine.call("POST", "/v1/show", {"key": found["entries"][0]["key"]})["entry"]
    status = engine.call("GET", "/v1/status")
    named = {heading: set(re.findall(r"`([a-z0-9_]+)`", body)) for heading, body in text.items()}
    assert set(found["entries"][0]) <= named["`search`"]
    assert set(entry) <= named["`show`"] | named["`search`"]
    assert {*status, *status["catalogue"], *status["capabilities"]} <= named["`status`"]
    job = engine.call("GET", "/v1/jobs")["jobs"][0]
    assert first_column(text["A job"]) == set(job)
    assert {"waiting", "running", *FINISHED} <= named["A job"]
    answer = engine.call("POST", "/v1/jobs/index", {})
    while answer["state"] not in FINISHED:
        answer = engine.call("GET", f"/v1/jobs/{answer['id']}")
    assert set(answer["result"]) <= named["`index` (long)"]
    assert first_column(text["Finding the engine"]) == set(asdict(EngineRecord("", "", 0, "", 0.0)))


def test_every_path_is_described(engine: EngineLink) -> None:
    text = sections("api.md")["Paths"]
    paths = engine.call("GET", "/v1/openapi.json")["paths"]
    operations = {f"/v1/{name}" for name in OPERATIONS} | {
        f"/v1/jobs/{name}" for name in OPERATIONS
    }
    for path in {*paths, "/v1/openapi.json"} - operations:
        assert f"{path.replace('{job_id}', '<id>')}`" in text, path


def test_every_code_of_an_error_is_described() -> None:
    source = (DOCS.parent / "stylus_ext" / "engine" / "server.py").read_text("utf-8")
    raised = set(re.findall(r'(?:Refused|_error)\(\s*(\d+),\s*"([a-z_]+)"', source)) | {
        ("400", "invalid"),
        ("503", "unavailable"),
        ("500", "failed"),
    }
    table = sections("api.md")["Requests"]
    for status, code in raised:
        assert re.search(rf"(?m)^\| {status} \|[^|]*`{code}`", table), (status, code)

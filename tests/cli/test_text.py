from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from stylus_ext.cli import rendering
from stylus_ext.cli.session import ProgressLine

KEY, OTHER = "civitai:1", "civitai:2"


def pick(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "key": key,
        "task": 0,
        "name": f"Name of {key}",
        "weight": 0.8,
        "reason": "the prompt names it",
        "kind": "style",
        "score": 1.0,
        "pinned": False,
        "stem": key.replace(":", "_"),
        "on_disk": True,
        "triggers": [],
        "negative_text": "",
        **changes,
    }


def answer(**changes: Any) -> dict[str, Any]:
    task = {"text": "a corgi", "start": 0, "end": 7, "segment": 0, "taken_by": "", "picks": [KEY]}
    plan = {
        "prompt": "a corgi",
        "negative_prompt": "",
        "family": "sdxl",
        "tasks": [task],
        "picks": [pick(KEY)],
        "near_misses": [],
        "masks": [[KEY]],
        "prompts": ["a corgi <lora:civitai_1:0.8>"],
        "negative_prompts": [""],
        "missing": [],
        "notes": [],
    }
    return {"plan": plan | changes, "elapsed_ms": 12.3}


def text(**changes: Any) -> str:
    return "\n".join(rendering.plan_lines(answer(**changes)))


def test_one_pick_on_disk() -> None:
    assert (
        text()
        == "LoRAs for SDXL models. For another base model use --family NAME.\nPrompt: a corgi\n\n"
        "What your prompt asks for\n  a corgi: Name of civitai:1, weight 0.8 (style, on disk)\n"
        "      because the prompt names it\n\nResulting prompt\n  a corgi"
        " <lora:civitai_1:0.8>\n\nPlanned in 12 ms."
    )


@pytest.mark.parametrize("family", ["", "any", "unknown"])
def test_the_first_line_says_how_to_choose_a_base_model(family: str) -> None:
    first = text(family=family).splitlines()[0]
    assert "--family" in first
    assert "unknown" not in first


def test_a_weight_that_was_lowered_is_shown_as_written() -> None:
    assert "weight 0.4, alone 0.8" in text(prompts=["a corgi <lora:civitai_1:0.4>"])
    assert "weight 0.8 (" in text(prompts=["nothing is on"])


def test_several_batches_are_named_by_what_is_on() -> None:
    shown = text(
        masks=[[KEY, OTHER], []],
        prompts=["one", "two"],
        negative_prompts=["", "watermark"],
        picks=[pick(KEY), pick(OTHER)],
    )
    assert "  Batch 1 (Name of civitai:1, Name of civitai:2)\n    one" in shown
    assert "  Batch 2 (no adapter)\n    two" in shown
    assert shown.count("Negative prompt: watermark") == 1


def test_what_is_missing_is_summed_up() -> None:
    missing = [
        {"key": KEY, "name": "x", "file": "x.safetensors", "size": 3 * 1024 * 1024, "sha256": None},
        {"key": OTHER, "name": "y", "file": "y.safetensors", "size": 0, "sha256": None},
    ]
    shown = text(missing=missing)
    assert "to be downloaded" in shown
    assert "(3 MB in all)" in shown
    assert f"python install.py fetch {KEY} {OTHER} " in shown
    assert "y.safetensors  size unknown" in shown


def test_tasks_without_a_pick_say_why() -> None:
    task = {"text": "rain", "start": 9, "end": 13, "segment": 0, "picks": []}
    shown = text(
        tasks=[task | {"taken_by": "mine"}, task | {"start": 20, "taken_by": ""}],
        picks=[],
        masks=[[]],
        prompts=["a corgi"],
    )
    assert "  rain: served by your own mine" in shown
    assert "  Nothing for: rain\n" in shown


def test_details_of_a_pick_and_near_misses_and_notes() -> None:
    misses = [
        {"key": OTHER, "name": f"Miss {number}", "reason": "too far", "score": 0.1}
        for number in range(9)
    ]
    shown = text(
        picks=[pick(KEY, pinned=True, triggers=["crg", "dog"])],
        near_misses=misses,
        notes=[{"code": "empty", "text": "Mind this."}],
    )
    assert "on in every picture" in shown
    assert "adds the words crg, dog" in shown
    assert "  Miss 4: too far" in shown
    assert "Miss 5" not in shown
    assert "Notes\n  Mind this." in shown


def test_the_index_says_what_changed() -> None:
    counts = {
        "written": 1200,
        "gone": 0,
        "united": 0,
        "learned": 2,
        "hashed": 0,
        "vectors": 5,
        "notes": [],
    }
    assert list(rendering.index_lines(counts)) == [
        "Index: 1,200 new or changed, 2 learned about from your pictures, 5 vectors made."
    ]
    nothing = dict.fromkeys(counts, 0) | {"notes": [{"code": "x", "text": "A note."}]}
    assert list(rendering.index_lines(nothing)) == ["Index: nothing changed.", "Notes", "  A note."]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("Fetching 2 LoRAs", "1.5 MB of 3.0 MB"),
        ("Hashing fox.safetensors", "1.5 MB of 3.0 MB"),
        ("reading Civitai", "1,572,864 of 3,145,728"),
    ],
)
def test_progress_is_told_in_what_it_counts(
    monkeypatch: pytest.MonkeyPatch, step: str, message: str
) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    ProgressLine().report(step, 1_572_864, 3_145_728)
    assert screen.getvalue() == f"\r{step}: {message}"


def test_where_nobody_rewrites_a_line_each_step_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All files and each of them take turns."""
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    line = ProgressLine()
    for number, name in enumerate(("a", "b")):
        line.report("hashing", number, 2)
        line.report(f"Hashing {name}", 5, 9)
    line.report("hashing", 2, 2)
    assert log.getvalue().splitlines() == ["hashing", "Hashing a", "Hashing b"]

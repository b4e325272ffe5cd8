"""`evaluate` as a process of its own: killed, stopped, and run again."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from stylus_ext.evaluation.pictures.manifest import PictureFolder
from tests.engine_process import run, start
from tests.evaluation.pictures.test_run import saved
from tests.evaluation.pictures.webui_double import HeldPicture, WebUiDouble, running

COUNT = 8


def words_of(folder: Path, url: str) -> list[str]:
    prompts = [f"a red fox {number}" for number in range(COUNT)]
    (folder / "prompts.txt").write_text("\n".join(prompts))
    plans = [json.dumps(saved(prompt, f"{prompt} <lora:a:1>")) for prompt in prompts]
    (folder / "plans.jsonl").write_text("\n".join(plans))
    files = ["--prompts", str(folder / "prompts.txt"), "--out", str(folder / "out")]
    arms = f"base,plan:{folder / 'plans.jsonl'}"
    return ["evaluate", "--webui", url, *files, "--arms", arms]


@pytest.mark.parametrize("way", ["kill", "interrupt"])
def test_a_stopped_run_keeps_every_picture_and_resumes(tmp_path: Path, way: str) -> None:
    """The kill comes while the fifth picture is being made: only that one is asked for again."""
    if way == "interrupt" and sys.platform == "win32":
        pytest.skip("Windows has no such signal for one process")
    double = WebUiDouble()
    held = HeldPicture(double, 5)
    with running(double) as url:
        words = words_of(tmp_path, url)
        process = start(tmp_path / "data", *words)
        held.stop(process, way)
        kept = PictureFolder(tmp_path / "out").pictures()
        assert len(kept) == 4
        assert run(tmp_path / "data", *words, "--json").code == 0
    made = PictureFolder(tmp_path / "out").pictures()
    assert len(made) == 2 * COUNT
    assert made[:4] == kept
    asked = Counter(request["prompt"] for request in double.requests)
    assert sorted(asked.values()) == [1] * (2 * COUNT - 1) + [2]
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["pictures"] == 2 * COUNT
    assert report["not_compared"] == 0

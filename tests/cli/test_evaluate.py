"""`evaluate`: the plans of the real engine, a local WebUI, and what its flags mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from tests.catalogue.sources.pictures.making import write_png
from tests.chat_service.answers import completion
from tests.chat_service.composing import answers, sensible
from tests.chat_service.server import Sent, serving
from tests.engine_process import Cli
from tests.evaluation.pictures.test_report import better_in_one, write_run
from tests.evaluation.pictures.webui_double import WebUiDouble, double, url
from tests.lora_files import write_lora, write_sidecar

__all__ = ["double", "url"]

PROMPT = "a graffiti of a corgi, pixel art"


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    file = tmp_path / "prompts.txt"
    file.write_text(f"{PROMPT}\na house\na third prompt\n")
    return str(file)


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    folder = tmp_path / "loras"
    folder.mkdir()
    for seed, name in enumerate(("graffiti", "corgi")):
        lora = write_lora(folder / f"{name}.safetensors", seed=seed)
        text = f"Draws a {name}."
        write_sidecar(lora, ".json", {"activation text": name, "description": text})
    return folder


def test_arms_are_planned_by_the_engine_for_the_loras_of_the_webui(
    stylus: Cli, url: str, double: WebUiDouble, prompts: str, loras: Path, tmp_path: Path
) -> None:
    double.answers["loras"] = [{"name": "corgi", "path": "/there/corgi.safetensors"}]
    out = tmp_path / "out"
    words = ["evaluate", "--webui", url, "--prompts", prompts, "--out", str(out)]
    flags = ["--arms", "base,stylus,random", "--seeds", "2", "--count", "2", "--steps", "3"]
    flags += ["--lora-dir", str(loras), "--debias", "high quality", "--negative", "blurry"]
    ran = stylus(*words, *flags, "--json")
    assert ran.code == 0, ran.err
    assert ran.json == json.loads((out / "report.json").read_text("utf-8"))
    assert (ran.json["prompts"], ran.json["pictures"]) == (2, 12)
    texts = [request["prompt"] for request in double.requests]
    assert sum("<lora:corgi:" in text for text in texts) >= 2
    assert not any("<lora:graffiti:" in text for text in texts)
    assert all(text.endswith(", high quality") for text in texts)
    assert {request["negative_prompt"] for request in double.requests} == {"blurry"}
    assert {request["steps"] for request in double.requests} == {3}
    assert (out / "report.html").read_text("utf-8").startswith("<!doctype html>")
    count = len(double.requests)
    report = stylus("evaluate", "report", "--out", str(out))
    assert report.code == 0
    assert "seconds" in report.out
    assert stylus(*words, *flags).code == 0
    assert len(double.requests) == count


def test_the_prompts_of_a_run_stay_when_newer_pictures_come(
    stylus: Cli, url: str, double: WebUiDouble, tmp_path: Path
) -> None:
    pictures = tmp_path / "mine"
    pictures.mkdir()
    write_png(pictures / "1.png", "a fox\nSteps: 5, Seed: 1, Size: 1x1")
    plan = stylus("plan", "a fox", "--json").out
    (tmp_path / "plan.json").write_text(plan)
    words = ["evaluate", "--webui", url, "--pictures", str(pictures), "--out", str(tmp_path / "o")]
    words += ["--arms", f"base,plan:{tmp_path / 'plan.json'}"]
    assert stylus(*words).code == 0
    write_png(pictures / "2.png", "a dog\nSteps: 5, Seed: 1, Size: 1x1")
    assert stylus(*words, "--json").json["pictures"] == len(double.requests) == 2


@pytest.mark.parametrize("arm", ["stylus-llm", "rerank"])
def test_an_arm_whose_model_is_not_set_up_is_refused(
    stylus: Cli, url: str, prompts: str, tmp_path: Path, arm: str
) -> None:
    words = ["evaluate", "--webui", url, "--prompts", prompts, "--out", str(tmp_path / "out")]
    assert stylus(*words, "--arms", f"base,{arm}").code == 1


def test_power_needs_no_pictures(stylus: Cli) -> None:
    alone = stylus("evaluate", "--power", "0.3", "--json").json
    several = stylus("evaluate", "--power", "0.3", "--arms", "base,stylus,random", "--json").json
    assert 100 < alone["prompts"] < several["prompts"] < 300
    assert f"{alone['prompts']:,}" in stylus("evaluate", "--power", "0.3").out
    assert stylus("evaluate", "--power", "0").code == 1


@pytest.mark.parametrize(
    "flags",
    [
        ["--webui", "http://127.0.0.1:1", "--out", "out"],
        ["--webui", "http://127.0.0.1:1", "--out", "out", "--prompts", "p", "--pictures", "d"],
        ["--webui", "http://127.0.0.1:1", "--out", "out", "--prompts", "p", "--arms", "base"],
        ["--webui", "http://127.0.0.1:1", "--out", "out", "--prompts", "p", "--seeds", "0"],
        ["--webui", "http://127.0.0.1:1", "--out", "out", "--prompts", "p", "--steps", "0"],
        ["--webui", "nonsense", "--out", "out", "--prompts", "p"],
        ["--out", "out"],
        [],
    ],
    ids=" ".join,
)
def test_what_cannot_be_run_is_refused(
    stylus: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").write_text("a cat")
    assert stylus("evaluate", *flags).code == 1
    assert not (tmp_path / "out").exists()


def test_a_report_alone_takes_its_flags_before_or_after_its_name(
    stylus: Cli, tmp_path: Path
) -> None:
    out = write_run(tmp_path / "out", better_in_one, count=2).folder
    named = ["--out", str(out)]
    for words in ([*named, "report"], ["report", *named], named):
        (out / "report.json").unlink(missing_ok=True)
        ran = stylus("evaluate", *words, "--json")
        assert ran.code == 0, ran.err
        assert ran.json == json.loads((out / "report.json").read_text("utf-8"))
    assert stylus("evaluate", "report").code == 1
    assert stylus("evaluate", "report", "--out", str(tmp_path)).code == 1
    with pytest.raises(SystemExit):
        stylus("evaluate", "report", "--out", str(out), "--webui", "http://127.0.0.1:1")


def test_refiners_are_arms_over_catalogues_beside_the_run(
    stylus: Cli, url: str, double: WebUiDouble, prompts: str, loras: Path, tmp_path: Path
) -> None:
    double.answers["loras"] = [{"name": "corgi", "path": "/corgi.safetensors"}]
    out = tmp_path / "out"
    words = ["evaluate", "--webui", url, "--prompts", prompts, "--out", str(out), "--count", "1"]
    words += ["--lora-dir", str(loras), "--arms", "refiner-rules,refiner-none", "--json"]
    ran = stylus(*words)
    assert ran.code == 0, ran.err
    assert any("<lora:corgi:" in request["prompt"] for request in double.requests)
    texts = {}
    for folder in (out / "catalogues").iterdir():
        store = SqliteStore(folder)
        entries = [each.entry for each in store.changes(0) if each.entry is not None]
        store.close()
        assert {each.card.name for each in entries} == {"corgi", "graffiti"}
        texts[folder.name] = {each.description.text for each in entries}
    assert texts["none"] == {""}
    assert all("Draws" in text for text in texts["rules"])
    assert stylus(*words).code == 0
    assert len(double.requests) == 2
    missing = ["--arms", "refiner-rules,refiner-llm", "--out", str(tmp_path / "other")]
    assert stylus(*words, *missing).code == 1
    assert len(double.requests) == 2


def test_a_language_model_plans_the_arm_that_is_named_after_it(
    stylus: Cli, url: str, double: WebUiDouble, prompts: str, loras: Path, tmp_path: Path
) -> None:
    double.answers["loras"] = [
        {"name": name, "path": f"/{name}.safetensors"} for name in ("corgi", "graffiti")
    ]
    words = ["evaluate", "--webui", url, "--prompts", prompts, "--lora-dir", str(loras)]
    words += ["--arms", "base,stylus-llm", "--count", "1", "--chat-model", "small"]
    with serving(answers(sensible)) as chat:
        ran = stylus(*words, "--out", str(tmp_path / "out"), "--chat-url", chat.url, "--json")
        assert ran.code == 0, ran.err
        assert chat.seen
    texts = sorted(request["prompt"] for request in double.requests)
    assert texts[0] == PROMPT
    assert "<lora:graffiti:" in texts[1]
    assert "<lora:corgi:" in texts[1]
    with serving(lambda _: Sent(completion("nonsense"))) as chat:
        ran = stylus(*words, "--out", str(tmp_path / "other"), "--chat-url", chat.url)
    assert ran.code == 1

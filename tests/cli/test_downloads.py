"""Fetching on the command line, over a real data folder and the local Civitai: by name, for a plan,
and through an engine that runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.embedding_server import EmbeddingServer
from tests.engine_process import Cli, endpoint_settings, engine_process, run
from tests.lora_files import LORAS, safetensors_bytes, write_lora

PROMPT = "zebrastripe crossing at night, quokkaville"
NUMBERS = (11, 12)


@pytest.fixture
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        for number, name in zip(NUMBERS, ("Zebrastripe Crossing", "Quokkaville"), strict=True):
            body = safetensors_bytes(LORAS["sd1"], {"ss_output_name": name}, number)
            version = a_version(
                number,
                files=[a_file(number, f"{name.split()[0].lower()}.safetensors", body)],
                trainedWords=[name.lower()],
            )
            version["images"] = [{**version["images"][0], "id": place} for place in range(5)]
            service.add(
                a_model(number + 100, version, name=name, description=f"<p>Draws {name}.</p>"),
                files={number: body},
            )
        yield service


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    write_lora(tmp_path / "loras" / "mine.safetensors", seed=77)
    return tmp_path / "loras"


@pytest.fixture
def ready(folder: Path, civitai: CivitaiService, vectors: EmbeddingServer, stylus: Cli) -> Cli:
    """Downloads are on, and the cards of the local Civitai are in the catalogue."""
    write_settings(folder, civitai, vectors, {"download": True})
    assert stylus("catalogue", "sync").code == 0
    return stylus


def write_settings(
    folder: Path, civitai: CivitaiService, vectors: EmbeddingServer, downloads: dict[str, Any]
) -> None:
    settings = endpoint_settings(vectors.url) | {
        "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
        "downloads": downloads,
        "selection": {"strictness": 0.0},
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")


def test_off_until_switched_on(
    folder: Path, civitai: CivitaiService, vectors: EmbeddingServer, stylus: Cli, loras: Path
) -> None:
    write_settings(folder, civitai, vectors, {})
    assert stylus("catalogue", "sync").code == 0
    asked = len(civitai.seen)
    ran = stylus("fetch", "civitai:11", "--lora-dir", str(loras))
    assert (ran.code, "Downloads are off" in ran.err) == (1, True)
    dry = stylus("fetch", "civitai:11", "--dry-run").out
    assert "yes" in dry
    assert "Downloads are off" in dry, "what would come, and why it would not yet"
    plan = stylus("plan", PROMPT, "--lora-dir", str(loras), "--fetch", "--json").json
    assert [note["code"] for note in plan["notes"] if note["code"] == "downloads_off"]
    assert not plan["missing"]
    assert len(civitai.seen) == asked
    assert stylus("doctor", "--json").json["capabilities"]["downloads"] is False
    ran = stylus("fetch", "civitai:11", "--lora-dir", str(loras), "--download")
    assert (ran.code, (loras / "zebrastripe.safetensors").exists()) == (0, True)


def test_an_adapter_is_fetched_indexed_and_known(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    dry = ready("fetch", "civitai:11", "--lora-dir", str(loras), "--dry-run", "--json").json
    assert [(one["key"], one["why_not"]) for one in dry["would"]] == [("civitai:11", "")]
    assert not civitai.asked("/api/download/models/11")
    answer = ready("fetch", "civitai:11", "civitai:11", "--lora-dir", str(loras), "--json").json
    (fetched,) = answer["fetched"]
    assert (fetched["key"], fetched["stem"], fetched["new"], fetched["size"]) == (
        "civitai:11",
        "zebrastripe",
        True,
        len(civitai.files[11]),
    )
    assert answer["used"] == len(civitai.files[11])
    assert (loras / "zebrastripe.safetensors").read_bytes() == civitai.files[11]
    entry = ready("show", "zebrastripe", "--json").json["entry"]
    assert (entry["key"], entry["name"], entry["stem"]) == (
        "civitai:11",
        "Zebrastripe Crossing",
        "zebrastripe",
    )
    assert entry["triggers"] == ["zebrastripe crossing"]
    again = ready("fetch", "civitai:11", "--lora-dir", str(loras))
    assert "zebrastripe" in again.out
    assert len(civitai.asked("/api/download/models/11")) == 1
    assert "is on disk already" in ready("fetch", "civitai:11", "--dry-run").out


def test_a_file_that_the_user_has_under_another_name_is_not_fetched(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    (loras / "deep").mkdir()
    (loras / "deep" / "my zebra.safetensors").write_bytes(civitai.files[11])
    answer = ready("fetch", "civitai:11", "--lora-dir", str(loras), "--json").json
    assert [(one["stem"], one["new"]) for one in answer["fetched"]] == [("my zebra", False)]
    assert ready("show", "civitai:11", "--json").json["entry"]["stem"] == "my zebra", (
        "now it is known for what it is"
    )
    assert not civitai.asked("/api/download/models/11")


def test_a_plan_finds_that_the_user_has_it_already(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    (loras / "my zebra.safetensors").write_bytes(civitai.files[11])
    plan = ready("plan", "zebrastripe crossing", "--lora-dir", str(loras), "--fetch", "--json").json
    assert "<lora:my zebra:" in plan["prompts"][0]
    assert not civitai.asked("/api/download/models/11")


def test_a_plan_fetches_what_it_lacks(ready: Cli, civitai: CivitaiService, loras: Path) -> None:
    before = ready("plan", PROMPT, "--lora-dir", str(loras), "--json").json
    assert not before["missing"], "without leave nothing is picked that is not on disk"
    plan = ready("plan", PROMPT, "--lora-dir", str(loras), "--fetch", "--json").json
    assert {one["stem"] for one in plan["fetched"]} == {"zebrastripe", "quokkaville"}
    assert not plan["missing"]
    assert all(pick["on_disk"] for pick in plan["picks"])
    assert "<lora:zebrastripe:" in plan["prompts"][0]
    assert "<lora:quokkaville:" in plan["prompts"][0]
    again = ready("plan", PROMPT, "--lora-dir", str(loras), "--json").json
    assert again["prompts"] == plan["prompts"], (
        "what is on disk now is picked without fetching, too"
    )


def test_what_did_not_come_shows_in_the_exit_code_and_is_said_once(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    civitai.files[11] = civitai.files[11][:-1] + b"?"
    ran = ready("fetch", "civitai:11", "civitai:12", "--lora-dir", str(loras))
    assert (ran.code, "quokkaville: fetched" in ran.out) == (1, True)
    assert (ran.out + ran.err).count("nothing was kept") == 1


def test_what_cannot_be_fetched_is_left_out_with_a_note(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    civitai.rules[11] = "archived"
    ran = ready("plan", PROMPT, "--lora-dir", str(loras), "--fetch")
    assert ran.code == 0
    assert "archived on Civitai" in ran.out
    assert "Fetched quokkaville" in ran.out
    assert "<lora:quokkaville:" in ran.out
    assert "<lora:zebrastripe:" not in ran.out


def test_what_does_not_come_is_said_and_told_to_scripts(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    civitai.rules[11] = "archived"
    ran = ready("fetch", "civitai:11", "civitai:12", "--lora-dir", str(loras))
    assert ran.code == 1
    assert "archived on Civitai" in ran.out
    assert "quokkaville: fetched" in ran.out, "one that fails stops no other"
    assert ready("fetch", "civitai:12", "--lora-dir", str(loras)).code == 0


def test_what_is_larger_than_allowed_is_not_picked(
    ready: Cli, civitai: CivitaiService, loras: Path
) -> None:
    plan = ready(
        "plan", PROMPT, "--lora-dir", str(loras), "--fetch", "--json", "--quota-gb", "0"
    ).json
    assert not plan["missing"]
    assert any("left of what downloads may take" in miss["reason"] for miss in plan["near_misses"])
    assert not civitai.asked("/api/download/models/11")


def test_a_running_engine_fetches_too(
    ready: Cli, folder: Path, civitai: CivitaiService, loras: Path
) -> None:
    with engine_process(folder, "--request-interval", "0"):
        ran = run(folder, "plan", PROMPT, "--lora-dir", str(loras), "--fetch", "--json")
    assert {one["stem"] for one in ran.json["fetched"]} == {"zebrastripe", "quokkaville"}
    assert "<lora:zebrastripe:" in ran.json["prompts"][0]


def test_a_folder_has_to_be_named_and_to_be_there(ready: Cli, tmp_path: Path) -> None:
    assert "--lora-dir" in ready("fetch", "civitai:11").err
    for how in ([], ["--dry-run"]):
        assert (
            "There is no folder"
            in ready("fetch", "civitai:11", *how, "--lora-dir", str(tmp_path / "nowhere")).err
        )
    assert "has no adapter" in ready("fetch", "civitai:5", "--lora-dir", str(tmp_path)).err


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_folder_name_is_not_the_current_folder(
    ready: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for command in (
        ("fetch", "civitai:11", "--lora-dir", empty),
        ("index", empty),
        ("index", "--learn", empty),
        ("plan", "x", "--lora-dir", empty),
    ):
        assert ready(*command).code == 1, command
    assert list(here.iterdir()) == []


def test_what_was_fetched_is_deleted_only_when_asked_and_long_unused(
    ready: Cli, folder: Path, loras: Path
) -> None:
    assert ready("fetch", "civitai:11", "civitai:12", "--lora-dir", str(loras)).code == 0
    assert ready("discard").out.endswith("There is nothing to delete.\n")
    ledger = folder / "downloads.jsonl"
    lines = [json.loads(line) for line in ledger.read_text("utf-8").splitlines() if line]
    ledger.write_text("".join(json.dumps({**line, "at": 0}) + "\n" for line in lines), "utf-8")
    assert ready("edit", "civitai:12", "--state", "always").code == 0
    assert len(ready("discard", "--dry-run", "--json").json["discarded"]) == 1
    plan = ready("plan", "zebrastripe crossing", "--lora-dir", str(loras), "--json").json
    assert any(pick["key"] == "civitai:11" for pick in plan["picks"])
    answer = ready("discard", "--json").json
    assert {one["why_not"] for one in answer["kept"]} == {
        "used within the last 30 days",
        "marked as always",
    }
    ledger.write_text("".join(json.dumps({**line, "at": 0}) + "\n" for line in lines), "utf-8")
    assert "zebrastripe.safetensors" in ready("discard").out
    assert {path.name for path in loras.glob("*.safetensors")} == {
        "mine.safetensors",
        "quokkaville.safetensors",
    }
    assert ready("show", "civitai:11", "--json").json["entry"]["stem"] is None, (
        "the adapter stays known"
    )

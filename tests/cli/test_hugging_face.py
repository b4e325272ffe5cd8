"""The hub from the command line, in this process: crawl, key, fetch, and what is said of it."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedding_server import EmbeddingServer
from tests.engine_process import Cli, endpoint_settings
from tests.hub_service.service import HubService, serving
from tests.hub_service.shapes import a_repo
from tests.lora_files import LORAS, safetensors_bytes

BODY = safetensors_bytes(LORAS["sdxl"], {"ss_output_name": "fox"}, 5)
KEY = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
HUB = ("--from", "huggingface")


@pytest.fixture
def hub() -> Iterator[HubService]:
    with serving() as service:
        service.add(a_repo(body=BODY), a_repo("somebody/elk", b"elk", stated={"gated": "auto"}))
        yield service


@pytest.fixture
def ready(
    folder: Path,
    hub: HubService,
    vectors: EmbeddingServer,
    stylus: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> Cli:
    monkeypatch.delenv("STYLUS_HUGGINGFACE_KEY", raising=False)
    settings = endpoint_settings(vectors.url) | {
        "hugging_face": {"hugging_face_url": hub.api, "hugging_face_interval": 0.0},
        "downloads": {"download": True},
        "civitai": {"civitai_url": "http://127.0.0.1:1"},
    }
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    return stylus


def test_a_crawl_and_a_fetch(ready: Cli, hub: HubService, tmp_path: Path) -> None:
    ran = ready("catalogue", "sync", *HUB)
    assert (ran.code, ran.err) == (0, ran.err)
    for part in ("Read 2 models of Hugging Face.", "kept: 1 adapter,", "gated: 1"):
        assert part in ran.out
    assert "rain fox" in ready("search", "rnfx").out
    loras = tmp_path / "loras"
    loras.mkdir()
    assert "yes" in ready("fetch", KEY, "--lora-dir", str(loras), "--dry-run").out
    ran = ready("fetch", KEY, "--lora-dir", str(loras))
    assert ran.code == 0, ran.err
    assert (loras / "rain-fox.safetensors").read_bytes() == BODY
    assert "it is on disk already" in ready("fetch", KEY, "--lora-dir", str(loras), "--dry-run").out


def test_what_is_searched_for_is_asked(ready: Cli, hub: HubService) -> None:
    assert (
        ready(
            "catalogue",
            "sync",
            *HUB,
            "--query",
            "rain",
            "--tag",
            "fox",
            "--base-model",
            "SDXL 1.0",
            "--top",
            "5",
            "--json",
        ).json["kept"]
        == 1
    )
    asked = hub.asked("/api/models")[0]
    assert (asked.one("search"), asked.query["filter"], asked.one("limit")) == (
        "rain",
        ["lora", "fox"],
        "5",
    )
    with pytest.raises(SystemExit):
        ready("catalogue", "sync", "--from", "elsewhere")


def test_a_key_of_the_hub(
    ready: Cli, hub: HubService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hf_right\n"))
    assert hub.api in ready("catalogue", "key", *HUB).out
    assert (folder / "huggingface.key").exists()
    assert not (folder / "civitai.key").exists()
    assert "somebody" in ready("catalogue", "key", *HUB, "--check").out
    assert f"{hub.api}, with your key" in ready("doctor").out
    assert "kept: 2 adapters" in ready("catalogue", "sync", *HUB).out
    assert ready("catalogue", "key", *HUB, "--forget").out == "The key was deleted.\n"
    assert ready("catalogue", "key", "--forget").out == "There was no key.\n"

"""The measure of downloads, in small: what it reports, and that it sees what is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sources.local.header import read_header
from stylus_ext.cli import main
from stylus_ext.core.errors import Unavailable
from stylus_ext.environment.run_in_env import main_command
from stylus_ext.evaluation import download
from tests.fakes import Watch


def test_the_served_file_is_a_safetensors_file_with_that_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    digest = download.write_file(path, 3 * 1024 * 1024 + 5)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_header(path).shapes == {"a.lora_up.weight": (3 * 1024 * 1024,)}


def test_a_small_measure_reports_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "download", "--json", "--size-mb", "48"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {"ratio_to_curl", "peak_memory_mb", "cancel_ms", "memory_growth_mb"} < set(found)
    assert found["size_mb"] == 48
    assert found["memory_growth_mb"] < 24, "the file is not held in memory"
    assert 0 < found["cancel_ms"] < 2000
    assert "ratio_to_curl" in next(iter(download.lines(found)))


def test_a_file_that_is_too_small_to_measure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "download", "--size-mb", "1"]) == 1
    assert "--size-mb" in capsys.readouterr().err


def test_a_download_that_fails_is_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = download.write_file
    monkeypatch.setattr(download, "write_file", lambda path, size: wrong(path, size)[::-1])
    with pytest.raises(Unavailable, match="SHA256"):
        download.measure(tmp_path, 10, main_command, Watch())


def test_without_curl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="curl"):
        download.measure(tmp_path, 10, main_command, Watch())

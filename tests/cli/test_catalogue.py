"""`catalogue` from the command line, in this process, over the local Civitai."""

from __future__ import annotations

import io
import json
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylus_ext.cli import main
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.embedding_server import serving as embedding
from tests.engine_process import Ran, endpoint_settings, engine_process, prepared_folder, run
from tests.lora_files import write_lora

Cli = Callable[..., Ran]
SECRET = "the-right-key"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    with embedding() as vectors:
        yield (
            prepared_folder(tmp_path_factory.mktemp("prepared") / "data", vectors.url),
            vectors.url,
        )


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        service.add(*(a_model(number) for number in range(1, 6)), a_model(9, poi=True))
        yield service


@pytest.fixture
def folder(
    tmp_path: Path,
    prepared: tuple[Path, str],
    service: CivitaiService,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    copied = Path(shutil.copytree(prepared[0], tmp_path / "user-data"))
    settings = endpoint_settings(prepared[1]) | {
        "civitai": {"civitai_url": service.api, "request_interval": 0.0}
    }
    (copied / "settings.json").write_text(json.dumps(settings), "utf-8")
    monkeypatch.setenv("STYLUS_DATA_DIR", str(copied))
    monkeypatch.delenv("STYLUS_CIVITAI_KEY", raising=False)
    return copied


@pytest.fixture
def stylus(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    def command(*words: str) -> Ran:
        capsys.readouterr()
        code = main.main(words)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return command


def test_a_crawl_says_what_was_kept_and_why_the_rest_was_not(stylus: Cli) -> None:
    ran = stylus("catalogue", "sync")
    assert ran.code == 0
    for part in (
        "Read 6 models of Civitai.\n",
        "kept: 5 adapters, 5 of them new or changed, 0 known",
        "left out: 1",
        "of a real person: 1",
    ):
        assert part in ran.out
    assert "only new models" in stylus("catalogue", "sync").out
    assert "Adapter 3" in stylus("search", "adapter 3").out


def test_a_crawl_as_json_and_its_flags(stylus: Cli, service: CivitaiService) -> None:
    answer = stylus(
        "catalogue",
        "sync",
        "--json",
        "--top",
        "2",
        "--tag",
        "style",
        "--base-model",
        "sd 1.5",
        "--nsfw",
        "--query",
        "adapter",
    ).json
    assert answer["models"] == 2
    asked = service.asked("/models")[0]
    assert (
        asked.one("tag"),
        asked.one("nsfw"),
        asked.one("query"),
        asked.one("baseModels"),
        asked.one("limit"),
    ) == ("style", "true", "adapter", "SD 1.5", "2")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(("--base-model", "SD 9"), "no base model 'SD 9'"), (("--top", "-3"), "'top'")],
)
def test_what_cannot_be_wanted_is_a_sentence(
    stylus: Cli, words: tuple[str, ...], sentence: str
) -> None:
    ran = stylus("catalogue", "sync", *words)
    assert ran.code == 1
    assert sentence in ran.err


def test_trouble_is_a_sentence(stylus: Cli, service: CivitaiService) -> None:
    service.faults.add(Fault("/models$", status=401, body={"error": "Unauthorized"}, times=-1))
    ran = stylus("catalogue", "sync")
    assert ran.code == 1
    assert "Civitai" in ran.err


def test_own_files_are_identified(stylus: Cli, service: CivitaiService, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "loras" / "mine.safetensors", "sd1", seed=5)
    write_lora(tmp_path / "loras" / "nobody knows it.safetensors", "sd1", seed=6)
    service.add(
        a_model(7, a_version(71, files=[a_file(71, "theirs.safetensors", path.read_bytes())]))
    )
    ran = stylus("catalogue", "identify", str(tmp_path / "loras"))
    assert "Asked Civitai about 2 files: 1 found, 1 unknown." in ran.out
    assert "word71" in stylus("show", "mine").out
    assert "30 days" in stylus("catalogue", "identify", str(tmp_path / "loras")).out
    assert str(tmp_path / "none") in stylus("catalogue", "identify", str(tmp_path / "none")).err


def test_a_key_is_entered_checked_and_forgotten(
    stylus: Cli, service: CivitaiService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
    entered = stylus("catalogue", "key")
    assert service.api in entered.out
    assert SECRET not in entered.out + entered.err
    if sys.platform != "win32":
        assert stat.S_IMODE((folder / "civitai.key").stat().st_mode) == 0o600
    assert service.seen == [], "nothing was sent"
    assert "belongs to somebody" in stylus("catalogue", "key", "--check").out
    assert "with your key" in stylus("doctor").out
    assert stylus("catalogue", "key", "--forget").out == "The key was deleted.\n"
    assert stylus("catalogue", "key", "--forget").out == "There was no key.\n"


@pytest.mark.parametrize("typed", ["", "\n", "two words\n"])
def test_what_is_no_key_is_not_kept(
    stylus: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    ran = stylus("catalogue", "key")
    assert ran.code == 1
    assert "key" in ran.err
    assert not (folder / "civitai.key").exists()


def test_the_doctor_tells_what_leaves_by_itself_from_what_is_asked_for(
    stylus: Cli, service: CivitaiService
) -> None:
    out = stylus("doctor").out
    alone, on_request = out.split("What leaves this machine")[1].split(
        "Only when you give the command"
    )
    for sent in ("SHA256", service.api):
        assert sent not in alone
        assert sent in on_request
    assert service.seen == []


def test_no_key_reaches_a_log_or_a_terminal(folder: Path, service: CivitaiService) -> None:
    """As commands and as an engine, with everything said that can be said."""
    extra = {"STYLUS_CIVITAI_KEY": SECRET, "STYLUS_CIVITAI_KEY_ORIGIN": service.api}
    service.faults.add(Fault("/models$", status=503), Fault("/models$", headless=True, after=1))
    with engine_process(folder, "--verbose", extra=extra) as process:
        ran = run(folder, "catalogue", "sync", "--verbose", extra=extra)
    assert ran.code == 0, ran
    message = (
        ran.out
        + ran.err
        + "".join(path.read_text("utf-8", "replace") for path in folder.glob("*.log*"))
    )
    assert process.stdout is not None
    assert "again in" in message
    assert SECRET not in message
    assert all(
        one.headers.get("authorization") == f"Bearer {SECRET}" and SECRET not in one.target
        for one in service.seen
    )


def test_the_key_of_a_chat_server_is_entered_for_its_address(
    stylus: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://generativelanguage.googleapis.com/v1beta/openai"
    monkeypatch.setattr("sys.stdin", io.StringIO("AIza-very-hidden\n"))
    done = stylus(
        "catalogue",
        "key",
        "--from",
        "chat",
        "--chat-url",
        url,
        "--chat-model",
        "gemini-2.5-flash",
        "--data-dir",
        str(folder),
    )
    assert "https://generativelanguage.googleapis.com only" in done.out
    assert (folder / "chat.key").stat().st_mode & 0o077 == 0
    assert (
        stylus("catalogue", "key", "--from", "chat", "--forget", "--data-dir", str(folder)).out
        == "The key was deleted.\n"
    )

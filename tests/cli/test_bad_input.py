"""Whatever is given, and whatever lies in the data folder: a sentence or the unchanged prompt with
a note, never a traceback.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from stylus_ext.cli import main
from stylus_ext.environment.run_in_env import main_command
from tests.embedding_server import EmbeddingServer
from tests.engine_process import ROOT, Cli, Ran, environment, make_folder, run
from tests.lora_files import write_lora


def refusal(ran: Ran) -> str:
    """One or two sentences on standard error, nothing on standard output."""
    assert (ran.code, ran.out) == (1, ""), ran
    assert ran.err.strip().endswith((".", "?")), ran
    return ran.err


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        " \n ",
        "\x00\x01\x02\x7f",
        "\udcff\udcfe binary",
        "\u0434\u043e\u0436\u0434\u044c, \u96e8, \u0645\u0637\u0631 \U0001f327",
        "word, " * 3334,
        "((((" * 5000,
        "<lora:" * 2000,
        "[a:b:0.5" * 1000,
        "a" * 20_000,
    ],
    ids=[
        "empty",
        "blank",
        "control",
        "bytes",
        "scripts",
        "long",
        "brackets",
        "tags",
        "edits",
        "one word",
    ],
)
def test_a_strange_prompt_is_planned_or_left_alone(stylus: Cli, prompt: str) -> None:
    ran = stylus("plan", "--json", "--", prompt)
    assert ran.code == 0
    answer = ran.json
    assert answer["prompt"] == prompt
    assert answer["prompts"][0].startswith(prompt.rstrip())
    assert answer["picks"] or answer["notes"]
    assert stylus("plan", "--", prompt).code == 0


def test_a_prompt_beyond_all_measure_is_refused(stylus: Cli) -> None:
    assert "too long" in refusal(stylus("plan", "x" * 100_001))


def test_an_empty_catalogue_leaves_the_prompt_alone(stylus: Cli) -> None:
    answer = stylus("plan", "a corgi", "--reach", "disk", "--json").json
    assert answer["prompts"] == ["a corgi"]
    assert "nothing_fits" in [note["code"] for note in answer["notes"]]


def test_a_lora_folder_that_is_missing_is_named(stylus: Cli, tmp_path: Path) -> None:
    for words in (["plan", "x", "--lora-dir"], ["index"], ["index", "--learn"]):
        assert str(tmp_path / "nowhere") in refusal(stylus(*words, str(tmp_path / "nowhere")))
    output = [
        refusal(stylus(*words, "/no/such"))
        for words in (["index"], ["index", "--learn"], ["import", "stylusdocs"])
    ]
    assert [
        next(word for word in ("LoRAs", "pictures", "StylusDocs") if word in one) for one in output
    ] == ["LoRAs", "pictures", "StylusDocs"]
    (tmp_path / "loras").mkdir()
    ran = stylus("index", str(tmp_path / "loras"), "--learn", "/no/such")
    assert (ran.code, ran.err.count("\n")) == (1, 1), "before anything is read"
    file = write_lora(tmp_path / "a_file.safetensors")
    assert str(file) in refusal(stylus("plan", "x", "--lora-dir", str(file)))


def test_a_folder_without_loras_is_no_mistake(stylus: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / "empty" / "notes.txt").write_text("nothing here", "utf-8")
    assert stylus("index", str(tmp_path / "empty")).code == 0
    assert stylus("plan", "a corgi", "--lora-dir", str(tmp_path / "empty")).code == 0


def test_a_broken_lora_is_passed_over_with_a_note(stylus: Cli, tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "broken.safetensors").write_bytes(b"\xff" * 100)
    write_lora(tmp_path / "loras" / "sound.safetensors")
    ran = stylus("index", str(tmp_path / "loras"))
    assert "1 new or changed" in ran.out
    assert "broken.safetensors" in ran.out


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["--strictness", "7"], "strictness must lie between"),
        (["--strength", "nan"], "strength must be a number"),
        (["--family", "no such family"], "family"),
        (["--family", "sdxxl"], "family"),
        (["--policy", "magic"], "policy must be one of"),
        (["--max-adapters", "-1"], "max_adapters must lie between"),
        (["--batches", "0"], "'batches'"),
        (["--batches", "100000"], "'batches'"),
        (["--seed", "-5"], "'seed'"),
        (["--seed", str(10**30)], "'seed'"),
        (["--threads", "0"], "threads must lie between"),
    ],
)
def test_a_setting_out_of_range_is_named(stylus: Cli, words: list[str], output: str) -> None:
    assert output in refusal(stylus("plan", "a corgi", *words))


def test_an_unknown_key_is_named(stylus: Cli) -> None:
    for words in (["show"], ["edit", "--weight", "1"]):
        assert "'civitai:999999999999'" in refusal(stylus(*words, "civitai:999999999999"))
    assert "adapter" in refusal(stylus("show", "\udcff\x00"))
    assert "'weight'" in refusal(stylus("edit", "civitai:88884", "--weight", "99"))
    assert "'limit'" in refusal(stylus("search", "--limit", "0"))
    assert stylus("search", '\udcff " OR * NEAR( \x00').code == 0


@pytest.mark.parametrize(
    ("content", "output"),
    [
        (b"{", "settings.json cannot be used"),
        (b"[]", "must be a JSON object"),
        (b"\xff\xfe", "settings.json cannot be used"),
        (b"[" * 100_000, "settings.json cannot be used"),
        (b'{"weights": {"strength": "much"}}', "strength must be a number"),
        (b'{"wights": {}}', "no group of settings called 'wights'"),
        (b'{"weights": {"strenth": 1}}', "no setting weights.strenth"),
        (b'{"weights": [1]}', "must be an object"),
    ],
)
def test_a_broken_settings_file_is_named(
    stylus: Cli, folder: Path, content: bytes, output: str
) -> None:
    (folder / "settings.json").write_bytes(content)
    message = refusal(stylus("plan", "a corgi"))
    assert output in message
    assert str(folder / "settings.json") in message
    assert ". Correct it, or move it away" in message
    assert ".." not in message.replace("...", "")


def test_a_settings_file_of_an_editor_that_marks_its_files_is_read(
    stylus: Cli, folder: Path
) -> None:
    before = (folder / "settings.json").read_bytes()
    (folder / "settings.json").write_bytes(b"\xef\xbb\xbf" + before.replace(b"\n", b"\r\n"))
    assert stylus("plan", "a corgi").code == 0


def test_a_settings_file_that_is_a_folder_is_named(stylus: Cli, folder: Path) -> None:
    (folder / "settings.json").unlink()
    (folder / "settings.json").mkdir()
    assert "settings.json" in refusal(stylus("plan", "a corgi"))


def test_a_data_folder_that_is_missing_is_made(
    stylus: Cli, folder: Path, tmp_path: Path, vectors: EmbeddingServer
) -> None:
    new = tmp_path / "new" / "and deeper"
    ran = stylus(
        "plan",
        "a corgi, pixel art",
        "--data-dir",
        str(new),
        "--endpoint",
        vectors.url,
        "--model",
        "bag",
        "--json",
    )
    assert ran.json["prompt"] == "a corgi, pixel art"
    assert (new / "catalogue.sqlite").exists()


@pytest.mark.parametrize("place", ["a_file/below", "/proc/nothing/here", "a\x00b"])
def test_a_data_folder_that_cannot_be_made_is_named(
    stylus: Cli, tmp_path: Path, place: str
) -> None:
    (tmp_path / "a_file").write_text("x", "utf-8")
    message = refusal(stylus("plan", "a corgi", "--data-dir", str(tmp_path / place)))
    assert "The data folder" in message
    assert "--data-dir" in message


def test_a_data_folder_that_takes_no_files_is_named(stylus: Cli) -> None:
    """/proc/self refuses new files even to root."""
    assert "/proc/self" in refusal(stylus("plan", "a corgi", "--data-dir", "/proc/self"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_said_wherever_it_is_met(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def full(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(main, "session", full)
    assert main.main(["plan", "x", "--data-dir", str(folder)]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == (
        "",
        (
            f"The disk is full, so Stylus cannot keep anything in {folder}. Make room, then try"
            " again.\n"
        ),
    )
    monkeypatch.setattr(main, "session", lambda *_: 1 / 0)
    assert main.main(["plan", "x", "--data-dir", str(folder)]) == 1
    assert "(ZeroDivisionError" in capsys.readouterr().err


def test_a_damaged_catalogue_is_moved_aside_and_said(stylus: Cli, folder: Path) -> None:
    for end in ("-wal", "-shm"):
        (folder / f"catalogue.sqlite{end}").unlink(missing_ok=True)
    (folder / "catalogue.sqlite").write_bytes(b"this is no database at all" * 500)
    ran = stylus("plan", "a graffiti of a corgi, pixel art", "--json")
    assert ran.code == 0
    assert ran.json["picks"]
    assert list(folder.glob("catalogue.corrupt-*"))
    assert "catalogue_rebuilt" in [note["code"] for note in ran.json["notes"]]
    again = stylus("plan", "a graffiti of a corgi, pixel art", "--json").json
    assert again["picks"] == ran.json["picks"]
    assert "catalogue_rebuilt" not in [note["code"] for note in again["notes"]]


def test_a_newer_catalogue_is_left_alone(stylus: Cli, folder: Path) -> None:
    with sqlite3.connect(folder / "catalogue.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
    connection.close()
    assert "newer Stylus" in refusal(stylus("plan", "a corgi"))


@pytest.mark.parametrize("how", ["garbage", "another version", "a file"])
def test_vectors_that_cannot_be_read_are_made_anew(
    stylus: Cli, folder: Path, how: str, tmp_path: Path
) -> None:
    home = folder / "vectors" / "chroma"
    if how == "garbage":
        (home / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    elif how == "another version":
        (home / "chroma.sqlite3").unlink()
        with sqlite3.connect(home / "chroma.sqlite3") as connection:
            connection.execute("CREATE TABLE collections (id INTEGER)")
        connection.close()
    else:
        shutil.rmtree(home)
        home.write_bytes(b"not even a folder")
    write_lora(tmp_path / "loras" / "new_one.safetensors")
    ran = stylus("index", str(tmp_path / "loras"), "--json")
    assert ran.code == 0, ran
    assert "vectors_moved_aside" in [note["code"] for note in ran.json["notes"]]
    assert stylus(
        "plan", "a graffiti of a corgi, pixel art", "--reach", "catalogue", "--json"
    ).json["picks"]


def test_an_encoder_that_is_not_there_is_named(stylus: Cli) -> None:
    """And it shuts nobody out: the plan is made by words."""
    ran = stylus("plan", "a corgi", "--endpoint", "http://127.0.0.1:9", "--model", "bag")
    assert ran.code == 0, ran
    assert "http://127.0.0.1:9" in ran.out


@pytest.mark.parametrize(
    ("encoding", "as_json"), [("ascii", False), ("cp1252", False), ("ascii", True)]
)
def test_any_terminal_can_show_it(folder: Path, encoding: str, as_json: bool) -> None:
    """As its own process: bytes that are no text in the arguments, letters that the terminal does
    not have in the answer.
    """
    prompt = "\u96e8 corgi ".encode() + b"\xff\xfe"
    shown = run(
        folder,
        "plan",
        *(["--json"] if as_json else []),
        prompt,
        extra={"PYTHONIOENCODING": encoding},
    )
    assert shown.code == 0
    if as_json:
        assert shown.json["prompt"].encode("utf-8", "surrogateescape") == prompt
    else:
        assert "Planned in" in shown.out


def test_a_reader_that_goes_away_is_no_accident(folder: Path) -> None:
    process = subprocess.Popen(
        main_command("stylus_ext.cli.main", "search", "--limit", "200", "--json"),
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    reported = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 1
    assert reported == ""


def test_settings_of_the_data_folder_count(
    stylus: Cli, folder: Path, vectors: EmbeddingServer
) -> None:
    settings = json.loads((make_folder(folder, vectors.url) / "settings.json").read_text("utf-8"))
    (folder / "settings.json").write_text(
        json.dumps(settings | {"selection": {"max_adapters": 0}}), "utf-8"
    )
    assert stylus("plan", "a graffiti of a corgi, pixel art", "--json").json["picks"] == []

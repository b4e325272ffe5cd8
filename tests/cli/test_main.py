"""The command line in this process, over a real data folder; a small server on loopback makes the
vectors.
"""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.cli import main
from stylus_ext.cli.flags import flag
from stylus_ext.core.plan import from_json, to_json
from stylus_ext.core.settings import ENGINE_SECTIONS, options
from stylus_ext.environment import commands
from tests.embedding_server import EmbeddingServer
from tests.engine_process import Cli
from tests.lora_files import write_lora, write_sidecar

PROMPT = "a graffiti of a corgi, pixel art"


def test_a_plan_as_text_shows_everything_that_matters(stylus: Cli) -> None:
    ran = stylus("plan", PROMPT, "--batches", "2")
    assert ran.code == 0
    for part in (
        f"Prompt: {PROMPT}",
        "asks for",
        "because",
        "weight",
        "Resulting prompts",
        "<lora:",
        "To download",
        "install.py fetch",
        "MB",
        "Planned in",
    ):
        assert part in ran.out
    assert "Batch 2" in ran.out


def test_a_plan_as_json_is_json_and_nothing_else(stylus: Cli) -> None:
    answer = stylus("plan", PROMPT, "--json", "--seed", "3", "--batches", "3").json
    plan = from_json(answer)
    assert plan.seed == 3
    assert len(plan.prompts) == 3
    beside = ("elapsed_ms", "state")
    assert to_json(plan) == {name: value for name, value in answer.items() if name not in beside}


def test_the_same_question_has_the_same_answer(stylus: Cli) -> None:
    one, other = (stylus("plan", PROMPT, "--json", "--batches", "4").json for _ in range(2))
    assert {**one, "elapsed_ms": 0} == {**other, "elapsed_ms": 0}


def test_what_a_noisy_environment_says_goes_to_standard_error(
    stylus: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.selection.plan import PlanPrompt

    quiet = PlanPrompt.__call__

    def noisy(self: PlanPrompt, *arguments: Any) -> Any:
        sys.stdout.write("A library prints.\n")
        warnings.warn("A library warns.", stacklevel=1)
        return quiet(self, *arguments)

    monkeypatch.setattr(PlanPrompt, "__call__", noisy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ran = stylus("plan", PROMPT, "--json", "--verbose")
    assert ran.json["prompt"] == PROMPT
    assert "A library prints." in ran.err


def test_the_prompt_may_come_from_standard_input(
    stylus: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Typed:
        buffer = io.BytesIO(
            "-- a corgi\nin the r\u00e4in \udc80\r\n".encode("utf-8", "surrogateescape")
        )

    monkeypatch.setattr(sys, "stdin", Typed)
    assert stylus("plan", "-", "--json").json["prompt"] == "-- a corgi\nin the r\u00e4in \udc80"


def test_flags_become_settings(stylus: Cli) -> None:
    few = stylus("plan", PROMPT, "--json", "--max-adapters", "0").json
    assert few["picks"] == []
    family = stylus("plan", PROMPT, "--json", "--family", "sd1").json
    assert family["family"] == "sd1"
    cosine = stylus("plan", PROMPT, "--json", "--policy", "cosine").json
    assert cosine["prompt"] == PROMPT


def test_a_folder_is_indexed_searched_shown_and_edited(stylus: Cli, tmp_path: Path) -> None:
    lora = write_lora(
        tmp_path / "loras" / "rainy_alley.safetensors", metadata={"ss_output_name": "rainy_alley"}
    )
    write_sidecar(
        lora,
        ".json",
        {
            "activation text": "rnyalley",
            "preferred weight": 0.7,
            "description": "A wet alley at night.",
        },
    )
    indexed = stylus("index", str(tmp_path / "loras"))
    assert indexed.code == 0
    assert "1 new or changed" in indexed.out
    assert "nothing changed" in stylus("index", "--lora-dir", str(tmp_path / "loras")).out
    found = stylus("search", "alley", "--on-disk", "--json").json
    assert found["total"] == 1
    key = found["entries"][0]["key"]
    shown = stylus("show", "rainy_alley")
    assert "trigger words: rnyalley" in shown.out
    assert "weight: 0.7" in shown.out
    assert stylus("show", key, "--json").json["entry"]["stem"] == "rainy_alley"
    edited = stylus("edit", key, "--weight", "0.4", "--state", "always", "--json").json["entry"]
    assert (edited["weight"], edited["state"]) == (0.4, "always")
    plan = stylus("plan", "a wet alley", "--lora-dir", str(tmp_path / "loras"), "--json").json
    assert [pick["stem"] for pick in plan["picks"]] == ["rainy_alley"]
    assert plan["picks"][0]["pinned"]
    assert plan["missing"] == []
    assert "<lora:rainy_alley:0.4>" in plan["prompts"][0]
    assert stylus("edit", key, "--undo", "--json").json["entry"]["weight"] == 0.7


def test_a_search_as_text_has_a_line_for_each(stylus: Cli) -> None:
    ran = stylus("search", "--kind", "animal", "--limit", "2")
    assert ran.out.splitlines()[0].endswith("the first 2 of them:")
    assert len(ran.out.splitlines()) == 3
    assert stylus("search", "zzzzzz").out == "0 found.\n"


def test_the_doctor_says_what_is_there(stylus: Cli, folder: Path, vectors: EmbeddingServer) -> None:
    text = stylus("doctor").out
    for part in (str(folder), "adapters", "encoder:", "What leaves this machine", vectors.url):
        assert part in text
    answer = stylus("doctor", "--json").json
    assert answer["catalogue"]["in_step"]
    assert answer["environment"]["python"]
    assert answer["engine"] is None
    assert "does not run" in text


def test_the_data_folder_can_be_named(stylus: Cli, folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "elsewhere")
    assert stylus("doctor", "--data-dir", str(moved), "--json").json["data_folder"] == str(moved)


def test_every_command_is_offered_by_install_py() -> None:
    offered = set(commands.ENGINE_COMMANDS) | set(commands.OWN_COMMANDS)
    parser_names = {"plan", "index", "search", "show", "edit", "bench", "train", "serve", "doctor"}
    assert parser_names <= offered


def test_lists_are_flags_with_commas_and_lists_in_the_settings_file(
    stylus: Cli, folder: Path
) -> None:
    def picked(*flags: str) -> set[str]:
        return {
            pick["name"]
            for pick in json.loads(stylus("plan", PROMPT, "--json", *flags).out)["picks"]
        }

    assert picked()
    assert picked("--allow-tags", "no such tag, nor this") == set()
    assert picked("--allow-folders", "no/such/folder") == set()
    assert (
        picked(
            "--deny-tags",
            "style, animal, object, concept, background, clothing, character, building, pose,"
            " action, vehicle",
        )
        == set()
    )
    file = folder / "settings.json"
    kept = json.loads(file.read_text("utf-8"))  # without it, the real encoder begins anew
    file.write_text(json.dumps(kept | {"selection": {"allow_tags": ["no such tag"]}}), "utf-8")
    assert picked() == set()
    assert picked("--allow-tags", "") == picked("--allow-tags", "*") != set()


def test_the_help_groups_every_setting_and_fits_a_terminal(
    stylus: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["plan", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in options():
        assert f"--{option.name.replace('_', '-')}" in text
    for group in (
        "selection:",
        "weights:",
        "diversity:",
        "text:",
        "encoder:",
        "vectors:",
        "where and how:",
    ):
        assert f"\n{group}\n" in text
    assert max(map(len, text.splitlines())) <= 110
    assert text.index("--negative") < text.index("selection:") < text.index("encoder:")


def flags_of(
    parser: ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Action]]:
    """Of every command, those below it included."""
    for action in parser._actions:
        below = action.choices if isinstance(action, _SubParsersAction) else {}
        for word, one in below.items():
            yield from flags_of(one, (*words, word))
        yield words, action


def test_no_flag_of_a_command_is_taken_for_a_setting() -> None:
    """What is kept under a setting's name counts as said by the user: `refine --parallel 10` once
    set the number of downloads.
    """
    settings = {
        option.name: flag(option) for option in options() if option.section in ENGINE_SECTIONS
    }
    every = list(flags_of(main.command_parser()))
    assert {("catalogue", "refine"), ("plan",), ("import", "stylusdocs")} <= {
        words for words, _ in every
    }
    odd = [
        (words, action.dest)
        for words, action in every
        if action.dest in settings and settings[action.dest] not in action.option_strings
    ]
    assert odd == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["plan", "x", "--wait", "soon"],
            "--wait: must be a number of seconds from 0 to 86,400, not soon",
        ),
        (
            ["plan", "x", "--wait", "nan"],
            "--wait: must be a number of seconds from 0 to 86,400, not nan",
        ),
        (
            ["serve", "--idle-minutes", "-1"],
            "--idle-minutes: must be a number of minutes from 0 to 1,000,000, not -1",
        ),
        (["catalogue"], "are required: {sync,identify,refine,key}"),
        (["bench"], "are required: {selection,"),
        (["import"], "are required: {stylusdocs}"),
        (["train"], "are required: {styleinject}"),
    ],
)
def test_what_is_missing_or_no_number_is_said(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(words)
    assert caught.value.code == 2
    reported = capsys.readouterr().err
    assert message in reported
    assert reported.startswith("usage: python install.py ")
    assert reported.splitlines()[-1].startswith(f"python install.py {words[0]}: error: ")


@pytest.mark.parametrize(
    "words",
    [
        ["index"],
        ["catalogue", "sync"],
        ["catalogue", "refine"],
        ["import", "stylusdocs"],
        ["plan"],
        ["search"],
    ],
)
def test_a_default_is_said_once(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Pythons before 3.13 say the default of a switch themselves, in their own words."""
    with pytest.raises(SystemExit):
        main.main([*words, "--help"])
    message = " ".join(capsys.readouterr().out.split())
    assert "(default: " in message
    assert not re.search(r"\) \(default|default: (True|False|None)", message)


def test_an_unknown_flag_or_command_is_refused(
    stylus: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["plan", "x", "--no-such-flag"], ["plan", "x", "--batch", "3"], ["plant"], []):
        with pytest.raises(SystemExit) as caught:
            main.main(words)
        assert caught.value.code == 2
        assert "usage: python install.py" in capsys.readouterr().err


def test_an_unforeseen_failure_is_a_sentence(stylus: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("as the test wants it")

    monkeypatch.setattr("stylus_ext.cli.session.perform", broken)
    ran = stylus("search", "corgi")
    assert (ran.code, ran.out) == (1, "")
    assert "ZeroDivisionError: as the test wants it" in ran.err
    assert "Traceback" not in ran.err


def test_what_would_steer_a_terminal_is_not_printed(stylus: Cli) -> None:
    ran = stylus("plan", "a corgi \x1b[31m\x07 red\u009b")
    assert "\x1b" not in ran.out
    assert "\x07" not in ran.out
    assert "\u009b" not in ran.out
    assert json.loads(stylus("plan", "\x1b[31m", "--json").out)["prompt"] == "\x1b[31m"


def test_a_lora_folder_may_be_a_link_or_relative(
    stylus: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lora(
        tmp_path / "real" / "rainy_alley.safetensors", metadata={"ss_output_name": "rainy alley"}
    )
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    for name in ("link", "./real", str(tmp_path / "link" / ".." / "real")):
        plan = stylus("plan", "a rainy alley", "--lora-dir", name, "--json").json
        assert {seen["name"] for seen in (*plan["picks"], *plan["near_misses"])} == {
            "rainy_alley"
        }, name


@pytest.mark.parametrize("seconds", ["nan", "-1", "inf", "soon"])
def test_nobody_can_be_told_to_wait_for_ever(
    stylus: Cli, seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main(["search", "--wait", seconds])
    assert "--wait" in capsys.readouterr().err


def test_the_benchmark_writes_a_ranking_and_a_table(stylus: Cli, tmp_path: Path) -> None:
    captions = [
        {"row": number, "prompt": "a corgi and a castle", "tasks": {"corgi": 1, "castle": 1}}
        for number in range(3)
    ]
    (tmp_path / "tasks.jsonl").write_text("\n".join(map(json.dumps, captions)), "utf-8")
    words = (
        "bench",
        "tasks",
        "--tasks",
        str(tmp_path / "tasks.jsonl"),
        "--out",
        str(tmp_path / "ours.jsonl"),
    )
    report = stylus(*words, "--json").json
    assert report
    assert len((tmp_path / "ours.jsonl").read_text("utf-8").splitlines()) == 3
    assert stylus(*words).code == 0


def test_the_benchmark_says_what_it_lacks(stylus: Cli, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("", "utf-8")
    there, nowhere = str(tmp_path / "there"), str(tmp_path / "nowhere" / "x")
    for words, message in (
        (["tasks", "--tasks", nowhere, "--out", there], "There is no file"),
        (["tasks", "--tasks", there, "--out", nowhere], "cannot be written"),
        (
            ["selection", "--catalogue", there, "--queries", nowhere, "--out", there],
            "There is no file",
        ),
        (["distractors", "--catalogue", there, "--queries", nowhere], "There is no file"),
        (["distractors", "--catalogue", there, "--queries", there, "--every", "0"], "--every is 1"),
        (["speed", "--entries", "1"], "--entries must be at least 10"),
        (["small", "--catalogue", there, "--queries", there, "--prompts", "1"], "--prompts"),
        (["harm", "--catalogue", there, "--out", nowhere], "cannot be written"),
        (["robustness", "--catalogue", nowhere, "--queries", there], "There is no file"),
        (["ranker", "--catalogue", there, "--queries", there], "--out"),
        (["composer", "--against", there], "--picks"),
        (["composer", "--against", there, "--picks", there], "--sheet"),
    ):
        ran = stylus("bench", *words)
        assert (ran.code, ran.out) == (1, "")
        assert message in ran.err

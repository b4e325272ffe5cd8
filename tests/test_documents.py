"""README and docs hold to the code: links, commands, flags, prices, versions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext import __version__
from stylus_ext.cli.main import command_parser
from stylus_ext.environment.commands import ENGINE_COMMANDS, OWN_COMMANDS
from stylus_ext.environment.layout import default_locks, read_lock
from stylus_ext.llm import picture_tokens, place_of, price_of
from stylus_ext.llm.server import base_url

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "stylus_ext"
README = ROOT / "README.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "stylus_ext" / "data" / "README.md"]
)
OTHER_FLAGS = {
    *(
        "--listen",
        "--share",
        "--api-auth",
        "--gradio-auth",
        "--enable-insecure-extension-access",
    ),  # of the WebUI
    *("--all", "--with", "--cov", "--dist"),  # of `python install.py test`
    "--upgrade",  # of `python -m tools.lock_maker`
    *("--api-key", "--no"),  # of chat servers, and in the form `--no-`
}
MOST_WORDS = 1000


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> list[str]:
    return re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The ids that GitHub gives the headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command; those inside a sentence may lack arguments, and get --help."""
    for quote, line in re.findall(r"(`?)python install\.py ([^`\n]+)", page.read_text("utf-8")):
        yield [*shlex.split(line, comments=True), *(["--help"] if quote else [])]


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        command_parser().parse_args([*words, "--help"])
    return capsys.readouterr().out


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").split()) < MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page: Path) -> None:
    """By a path from the root, or from the package: `core/ports.py`."""
    packages = "|".join(folder.name for folder in PACKAGE.iterdir() if folder.is_dir())
    pattern = rf"(?<![\w/.])((?:stylus_ext|tests|docs|tools|\.ci|{packages})/[\w./-]*\w)"
    text = page.read_text("utf-8")
    for quoted in re.findall(r"`([^`\n]+)`", text):
        for path in re.findall(pattern, quoted):
            assert (ROOT / path).exists() or (PACKAGE / path).exists(), path


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(README)}
    assert {*(ROOT / "docs").glob("*.md")} <= linked


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_can_be_given_as_they_are_written(page: Path) -> None:
    for words in commands(page):
        if words[0] not in ENGINE_COMMANDS:
            assert words[0] in OWN_COMMANDS, words
        elif words[-1] == "--help":
            with pytest.raises(SystemExit, match="0"):
                command_parser().parse_args(words)
        else:
            command_parser().parse_args(words)


def test_the_readme_has_the_most_used_commands() -> None:
    assert {"plan", "test", "index", "fetch", "serve", "doctor", "remove"} <= {
        words[0] for words in commands(README)
    }


GROUPS_OF_COMMANDS = ("catalogue", "import", "bench", "train", "evaluate")


def test_flags_exist(capsys: pytest.CaptureFixture[str]) -> None:
    helps = [(name, help_of(capsys, name)) for name in (*ENGINE_COMMANDS, "doctor")]
    for name, text in list(helps):
        choices = re.search(r"\{([a-z,]+)\}", text) if name in GROUPS_OF_COMMANDS else None
        helps += [
            (inner, help_of(capsys, name, inner))
            for inner in (choices.group(1).split(",") if choices else ())
        ]
    known = {
        flag for _, text in helps for flag in re.findall(r"--[a-z][a-z-]+", text)
    } | OTHER_FLAGS
    for page in PAGES:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", page.read_text("utf-8")))
        assert named <= known, (page.name, named - known)


def test_prices_are_computed_from_the_list_prices_and_the_tokens_on_the_page() -> None:
    page = read("docs/language-models.md")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]
    tokens = {
        row[0]: [1000 * int(cell.replace(",", "")) for cell in row[1:]]
        for row in rows
        if row[1][0].isdigit()
    }
    refined, composed = (
        tokens["one adapter refined, without pictures"],
        tokens["one prompt composed"],
    )
    assert f"tokens                           {composed[0] // 1000}" in read("docs/benchmark.md")
    servers = [row for row in rows if row[1].startswith("`http")]
    assert len(servers) == 9
    for name, url, _, *told in servers:
        address = url.strip("`")
        assert base_url(address)
        if place_of(address) == "machine":
            assert told == ["nothing", "nothing"]
            continue
        model = re.findall("`([^`]+)`", name)[0]
        price = price_of(model)
        assert price is not None, name
        refining = price.spent(refined[0] + 3000 * picture_tokens(model), refined[1])
        assert told == [f"${refining.cost:.2f}", f"${price.spent(*composed).cost:.2f}"], name


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version.partition(".dev")[0])))


def test_the_changelog_has_the_version() -> None:
    """A development version is above the newest release and has changes."""
    headings = re.findall(r"(?m)^## \[(.+?)\](.*)$", read("CHANGELOG.md"))
    assert headings[0] == ("Unreleased", "")
    releases = [version for version, _ in headings[1:]]
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in headings[1:])
    assert sorted(releases, key=numbers, reverse=True) == releases
    if ".dev" in __version__:
        assert numbers(__version__) > numbers(releases[0])
        assert "\n- " in read("CHANGELOG.md").split("\n## ")[1]
    else:
        assert __version__ == releases[0]


def test_the_workflow_and_the_hooks_use_the_locked_versions() -> None:
    pythons = re.search(r"python: \[(.*)\]", read(".github/workflows/ci.yml"))
    assert pythons is not None
    assert (
        tuple(re.findall(r"[\d.]+", pythons.group(1)))
        == read_lock(default_locks() / "test.txt").pythons
    )
    ruff = read_lock(default_locks() / "test.txt").packages["ruff"]
    assert set(re.findall(r"ruff==([\d.]+)", read(".pre-commit-config.yaml"))) == {ruff}

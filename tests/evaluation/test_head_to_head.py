"""Two files of picks on one sheet: the sides are hidden, the verdicts are read back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.head_to_head import COLUMNS, compare_picks, lines, sign_test
from stylus_ext.evaluation.picks import read_picks
from stylus_ext.evaluation.selection import pick_row
from tests.evaluation.test_robustness import pick
from tests.evaluation.test_selection import write


def rows(side: str) -> list[dict[str, Any]]:
    return [
        {"id": f"q{number}", "prompt": f"thing {number}", "picks": [f"{side} {number}"]}
        for number in range(40)
    ] + [{"id": "same", "prompt": "a fox", "picks": [{"name": "Fox"}]}]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "ours.jsonl", rows("our")), write(
        tmp_path / "theirs.jsonl", rows("their")
    )


def sheet_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fill_in(path: Path, better: list[str]) -> None:
    found = sheet_of(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(
            {**row, "better": answer} for row, answer in zip(found, better, strict=True)
        )


def test_the_sheet_shuffles_the_sides_by_the_seed(files: tuple[Path, Path], tmp_path: Path) -> None:
    sheet, again, other = (tmp_path / f"{name}.csv" for name in ("sheet", "again", "other"))
    report = compare_picks(*files, sheet, None, 1)
    assert report == {"prompts": 41, "same_picks": 1}
    compare_picks(*files, again, None, 1)
    compare_picks(*files, other, None, 2)
    assert sheet.read_bytes() == again.read_bytes() != other.read_bytes()
    found = sheet_of(sheet)
    assert len(found) == 40
    assert 5 < sum(row["left"].startswith("our") for row in found) < 35
    assert {row["better"] for row in found} == {""}


def test_verdicts_are_read_back(files: tuple[Path, Path], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    compare_picks(*files, sheet, None, 1)
    ours = ["left" if row["left"].startswith("our") else "right" for row in sheet_of(sheet)]
    theirs = ["right" if side == "left" else "left" for side in ours[20:30]]
    fill_in(sheet, [*ours[:20], *theirs, *["Tie "] * 6, *[""] * 4])
    report = compare_picks(*files, None, sheet, 1)
    assert {name: report[name] for name in ("win", "tie", "loss", "unread")} == {
        "win": 20,
        "tie": 7,
        "loss": 10,
        "unread": 4,
    }
    assert report["p"] == round(sign_test(20, 10), 4)
    assert len(list(lines(report))) == len(report)


def test_a_sheet_of_another_seed_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    compare_picks(*files, sheet, None, 1)
    with pytest.raises(InvalidInput):
        compare_picks(*files, None, sheet, 2)


def test_an_unknown_verdict_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    compare_picks(*files, sheet, None, 1)
    fill_in(sheet, ["ours"] * 40)
    with pytest.raises(InvalidInput):
        compare_picks(*files, None, sheet, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found[1:],
        lambda found: [{**found[0], "prompt": "else"}, *found[1:]],
        lambda found: [*found, found[0]],
        lambda found: [{**found[0], "picks": [{}]}, *found[1:]],
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    files: tuple[Path, Path], tmp_path: Path, change: Any
) -> None:
    theirs = write(tmp_path / "theirs.jsonl", change(rows("their")))
    with pytest.raises(InvalidInput):
        compare_picks(files[0], theirs, tmp_path / "sheet.csv", None, 1)


def test_the_order_of_picks_makes_no_difference(tmp_path: Path) -> None:
    ours = write(tmp_path / "a.jsonl", [{"id": "q", "prompt": "x", "picks": ["A", "B"]}])
    theirs = write(tmp_path / "b.jsonl", [{"id": "q", "prompt": "x", "picks": ["B", "A"]}])
    assert compare_picks(ours, theirs, None, None, 0)["same_picks"] == 1


def test_picks_are_read_as_the_benchmark_writes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "picks.jsonl", [pick_row("q", "a fox", [pick("fox")])])
    assert read_picks(path)["q"].picks == ("Fox",)


@pytest.mark.parametrize(
    ("wins", "losses", "chance"), [(0, 0, 1.0), (5, 5, 1.0), (9, 1, 0.0215), (1, 9, 0.0215)]
)
def test_the_sign_test(wins: int, losses: int, chance: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(chance, abs=1e-4)

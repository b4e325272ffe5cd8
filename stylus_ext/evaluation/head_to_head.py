"""Compare two files of picks by a sheet that does not tell which side is which."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.evaluation.picks import PromptPicks, order_of, read_picks

COLUMNS = ("id", "prompt", "left", "right", "better")
ANSWERS = ("left", "right", "tie")
NO_PICKS = "(none)"


@dataclass(frozen=True, slots=True)
class PickComparison:
    """One prompt with different picks in both files."""

    ours: PromptPicks
    theirs: PromptPicks
    seed: int

    @property
    def ours_is_left(self) -> bool:
        return int(order_of(f"{self.seed} {self.ours.id}"), 16) % 2 == 0

    def row(self) -> dict[str, str]:
        left, right = (self.ours, self.theirs) if self.ours_is_left else (self.theirs, self.ours)
        names = ("; ".join(side.picks) or NO_PICKS for side in (left, right))
        return dict(zip(COLUMNS, (self.ours.id, self.ours.prompt, *names, ""), strict=True))

    def outcome(self, better: str) -> str:
        if better == "tie":
            return "tie"
        return "win" if (better == "left") is self.ours_is_left else "loss"


def compare_picks(
    ours: Path, theirs: Path, sheet: Path | None, verdicts: Path | None, seed: int
) -> dict[str, Any]:
    """Write the sheet, read the verdicts, or both."""
    same, compared = comparisons(read_picks(ours), read_picks(theirs), seed)
    if sheet is not None:
        write_sheet(sheet, compared)
    report: dict[str, Any] = {"prompts": same + len(compared), "same_picks": same}
    if verdicts is None:
        return report
    read = read_verdicts(verdicts, compared)
    counts = Counter(
        compared[query].outcome(better) if better else "unread" for query, better in read.items()
    )
    tied = {"tie": counts["tie"] + same}
    shown = {name: counts[name] for name in ("win", "loss", "unread")} | tied
    return report | shown | {"p": round(sign_test(counts["win"], counts["loss"]), 4)}


def comparisons(
    ours: Mapping[str, PromptPicks], theirs: Mapping[str, PromptPicks], seed: int
) -> tuple[int, dict[str, PickComparison]]:
    """Return the number of prompts with the same picks, and the others in a random order."""
    if ours.keys() != theirs.keys():
        odd = sorted(ours.keys() ^ theirs.keys())
        raise InvalidInput(f"Both files of picks need the same prompts; only one has {odd[0]!r}.")
    for query, picks in ours.items():
        if picks.prompt != theirs[query].prompt:
            raise InvalidInput(f"The prompt {query!r} differs between the files of picks.")
    different = [query for query in ours if {*ours[query].picks} != {*theirs[query].picks}]
    different.sort(key=lambda query: order_of(f"{query} {seed}"))
    compared = {query: PickComparison(ours[query], theirs[query], seed) for query in different}
    return len(ours) - len(compared), compared


def write_sheet(path: Path, compared: Mapping[str, PickComparison]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(comparison.row() for comparison in compared.values())


def read_verdicts(path: Path, compared: Mapping[str, PickComparison]) -> dict[str, str]:
    """Return left, right, tie or nothing by prompt; the sheet must be the one of these files."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InvalidInput(f"{path} cannot be read as a sheet: {reason_of(problem)}.") from problem
    found = dict.fromkeys(compared, "")
    for row in rows:
        query, better = row.get("id") or "", (row.get("better") or "").strip().lower()
        if better and better not in ANSWERS:
            raise InvalidInput(f"{path}: 'better' of {query!r} must be left, right or tie.")
        shown = {name: row.get(name) for name in ("left", "right")}
        if query not in compared or shown.items() - compared[query].row().items():
            raise InvalidInput(
                f"{path} is not the sheet of these files and this seed: {query!r} differs."
            )
        found[query] = better
    return found


def sign_test(wins: int, losses: int) -> float:
    """The chance of a difference at least this big if both sides were equally good."""
    total = wins + losses
    tail: float = sum(comb(total, count) for count in range(min(wins, losses) + 1)) / 2**total
    return min(1.0, 2 * tail)


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    for name, value in report.items():
        yield f"{name.replace('_', ' '):12} {value:>8}"

"""How many picks stay when a prompt is written differently and asks for the same picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.measuring import opened, write_lines
from stylus_ext.evaluation.picks import FindPicks, picker, sample
from stylus_ext.evaluation.selection import cards, fill, ids_of, read_queries
from stylus_ext.evaluation.variations import VARIATIONS


@dataclass(frozen=True, slots=True)
class VariedPicks:
    """The picks for a prompt as it is and for one variation of it."""

    query: str
    variation: str
    prompt: str
    plain: frozenset[str]
    varied: frozenset[str]


def run_robustness(
    catalogue: Path,
    queries: Sequence[Path],
    progress: Progress,
    number: int | None,
    changes: Path | None = None,
) -> dict[str, Any]:
    """Measure a sample of so many prompts, or all; write those whose picks change."""
    read = read_queries(queries)
    chosen = read if number is None else sample(read, number)
    with opened() as stylus:
        fill(stylus, cards(catalogue), progress)
        found = list(varied_picks(chosen, picker(stylus), progress))
    if changes is not None:
        write_lines(changes, (_change(one) for one in found if one.plain != one.varied))
    return report_of(found)


def varied_picks(
    queries: Sequence[Mapping[str, Any]], find: FindPicks, progress: Progress
) -> Iterator[VariedPicks]:
    for number, query in enumerate(queries):
        progress.report("asking", number, len(queries))
        plain = frozenset(ids_of(find(query["prompt"])))
        for name, vary in VARIATIONS.items():
            prompt = vary(query["prompt"])
            if prompt != query["prompt"]:
                varied = frozenset(ids_of(find(prompt)))
                yield VariedPicks(str(query["id"]), name, prompt, plain, varied)


def report_of(found: Sequence[VariedPicks]) -> dict[str, Any]:
    rows = [
        {"variation": name, **_shares([one for one in found if one.variation == name])}
        for name in VARIATIONS
    ]
    return {"variations": [*rows, {"variation": "overall", **_shares(found)}]}


def _shares(found: Sequence[VariedPicks]) -> dict[str, Any]:
    """`kept`: of the plain prompts' picks those that stay; `known`: of the varied prompts' picks
    those that the plain prompts had; `same`: prompts with the same picks.
    """
    both = sum(len(one.plain & one.varied) for one in found)
    return {
        "prompts": len(found),
        "kept": _share(both, sum(len(one.plain) for one in found)),
        "known": _share(both, sum(len(one.varied) for one in found)),
        "same": _share(sum(one.plain == one.varied for one in found), len(found)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _change(one: VariedPicks) -> dict[str, Any]:
    return {
        "id": one.query,
        "variation": one.variation,
        "prompt": one.prompt,
        "lost": sorted(one.plain - one.varied),
        "gained": sorted(one.varied - one.plain),
    }


_SHARES = ("kept", "known", "same")


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'variation':24} {'prompts':>8}" + "".join(f"{name:>8}" for name in _SHARES)
    for row in report["variations"]:
        cells = ("" if row[name] is None else f"{row[name]:.3f}" for name in _SHARES)
        yield f"{row['variation']:24} {row['prompts']:8}" + "".join(f"{cell:>8}" for cell in cells)

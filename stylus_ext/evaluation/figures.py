"""What a run of selections is worth: runs and the adapters that belong to each query in, one line
of figures a kind out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CUTS = (1, 5, 10, 150)
PAIRS = (
    (("lexical", "composer-none"), ("stylus-choice", "horde-style")),
    (("x-composer-none",), ("stylus-choice",)),
    (("x-out",), ("stylus-choice",)),
    (("human-no-lora",), ("named", "loo", "loo-hard")),
)
"""Which queries with nothing to find are told from which with something."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was found for one query: ids best first, the confidence, and what was selected."""

    query: str
    ranking: tuple[str, ...]
    score: float
    selected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindFigures:
    """One kind of query. Shares are means over queries; None where the kind has no such figure."""

    kind: str
    queries: int
    recall: Mapping[int, float] = field(default_factory=dict)
    mrr: float | None = None
    precision: float | None = None
    selected: float | None = None
    picks: float | None = None
    alone: float | None = None

    def as_values(self) -> dict[str, Any]:
        rest = {
            "mrr": self.mrr,
            "precision": self.precision,
            "selected": self.selected,
            "picks": self.picks,
            "left_alone": self.alone,
        }
        values: dict[str, Any] = {"kind": self.kind, "queries": self.queries}
        values |= {f"recall_at_{cut}": round(value, 4) for cut, value in self.recall.items()}
        return values | {name: round(value, 4) for name, value in rest.items() if value is not None}


def by_kind(queries: Sequence[Mapping[str, Any]], runs: Mapping[str, Run]) -> list[KindFigures]:
    """One line a kind; kinds of human use twice, the second time without adapters that no prompt
    can foretell.
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for query in queries:
        kinds.setdefault(kind_of(query), []).append(query)
    found: list[KindFigures] = []
    for kind, members in sorted(kinds.items()):
        found.append(_figures(kind, members, runs, lambda _: True))
        if kind.startswith("human"):
            found.append(
                _figures(f"{kind}, no utility", members, runs, lambda gold: not gold.get("utility"))
            )
    return found


def kind_of(query: Mapping[str, Any]) -> str:
    part = query.get("subkind") or query.get("none_basis")
    return f"{query['kind']}:{part}" if part else str(query["kind"])


def separations(queries: Sequence[Mapping[str, Any]], runs: Mapping[str, Run]) -> dict[str, float]:
    """How well the confidence tells queries with nothing to find from others: the AUC, pair by
    pair.
    """
    found: dict[str, float] = {}
    for bases, kinds in PAIRS:
        nothing = [runs[query["id"]].score for query in queries if query.get("none_basis") in bases]
        for kind in kinds:
            something = [runs[query["id"]].score for query in queries if query["kind"] == kind]
            if nothing and something:
                found[f"{'+'.join(bases)} / {kind}"] = round(area(something, nothing), 4)
    return found


def area(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that one of the first stands above one of the second; a tie is half a chance."""
    low = np.sort(np.asarray(negative, dtype=np.float64))
    high = np.asarray(positive, dtype=np.float64)
    below, upto = np.searchsorted(low, high, side="left"), np.searchsorted(low, high, side="right")
    return float(((below + upto) / 2).sum() / (len(low) * len(high)))


def _figures(
    kind: str,
    members: Sequence[Mapping[str, Any]],
    runs: Mapping[str, Run],
    counts: Callable[[Mapping[str, Any]], bool],
) -> KindFigures:
    lines = [
        line for query in members if (line := _line(query, runs[query["id"]], counts)) is not None
    ]
    picks = _mean(len(runs[query["id"]].selected) for query in members)
    alone = _mean(not runs[query["id"]].selected for query in members if not query["gold"])
    if not lines:
        return KindFigures(kind, len(members), picks=picks, alone=alone)
    recall = {
        cut: float(np.mean([line[0][place] for line in lines])) for place, cut in enumerate(CUTS)
    }
    mrr, precision, selected = (
        _mean(line[1] for line in lines),
        _mean(line[2] for line in lines),
        _mean(line[3] for line in lines),
    )
    return KindFigures(kind, len(lines), recall, mrr, precision, selected, picks, alone)


def _line(
    query: Mapping[str, Any], run: Run, counts: Callable[[Mapping[str, Any]], bool]
) -> tuple[list[float], float, float, float] | None:
    gold = {item["id"] for item in query["gold"] if counts(item)}
    if not gold:
        return None
    places = [run.ranking.index(adapter) if adapter in run.ranking else None for adapter in gold]
    held = [place for place in places if place is not None]
    hits = len(gold.intersection(run.selected))
    recall = [sum(place < cut for place in held) / len(gold) for cut in CUTS]
    return (
        recall,
        1 / (1 + min(held)) if held else 0.0,
        hits / len(run.selected) if run.selected else 0.0,
        hits / len(gold),
    )


def _mean(values: Iterator[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None

"""Score runs of the selection against the adapters known for each query."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.catalogue.refine.by_refiner import RefinerName, described_by
from stylus_ext.core.card import AdapterCard, AdapterKey, Example
from stylus_ext.core.composition import Candidate, Pick
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.ports import Progress, Query, Sighting
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Selection
from stylus_ext.engine.stylus import Stylus
from stylus_ext.evaluation.measuring import opened, write_lines

CUTS = (1, 5, 10, 150)
PAIRS = (
    (("lexical", "composer-none"), ("stylus-choice", "horde-style")),
    (("x-composer-none",), ("stylus-choice",)),
    (("x-out",), ("stylus-choice",)),
    (("human-no-lora",), ("named", "loo", "loo-hard")),
)
"""The kinds of queries that the confidence is compared between."""


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one query: ids best first, confidence, and the selected ids."""

    query: str
    ranking: tuple[str, ...]
    score: float
    selected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Figures of one kind of query; shares are means, None where there is no such figure."""

    kind: str
    queries: int
    recall: Mapping[int, float] = field(default_factory=dict)
    mrr: float | None = None
    precision: float | None = None
    selected: float | None = None
    picks: float | None = None
    alone: float | None = None

    def as_values(self) -> dict[str, Any]:
        shares = {f"recall_at_{cut}": value for cut, value in self.recall.items()} | {
            "mrr": self.mrr,
            "precision": self.precision,
            "selected": self.selected,
            "picks": self.picks,
            "left_alone": self.alone,
        }
        rounded = {name: round(value, 4) for name, value in shares.items() if value is not None}
        return {"kind": self.kind, "queries": self.queries, **rounded}


def by_kind(queries: Sequence[Mapping[str, Any]], runs: Mapping[str, Run]) -> list[KindFigures]:
    """Return one row per kind; human kinds again without unpredictable adapters."""
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
    """Return the AUC of the confidence between queries with and without a match."""
    found: dict[str, float] = {}
    for bases, kinds in PAIRS:
        nothing = [runs[query["id"]].score for query in queries if query.get("none_basis") in bases]
        for kind in kinds:
            something = [runs[query["id"]].score for query in queries if query["kind"] == kind]
            if nothing and something:
                found[f"{'+'.join(bases)} / {kind}"] = round(auc(something, nothing), 4)
    return found


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the chance that one of the first exceeds one of the second; ties count half."""
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
    recalls, *others = zip(*lines, strict=True)
    recall = {
        cut: float(np.mean(column))
        for cut, column in zip(CUTS, zip(*recalls, strict=True), strict=True)
    }
    mrr, precision, selected = map(_mean, others)
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


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


MOST_STARS, FEWEST_VOTES = 5, 10


def key_of(adapter_id: str) -> AdapterKey:
    return AdapterKey.path(adapter_id)


def id_of(key: AdapterKey) -> str:
    return key.value


def ids_of(found: Iterable[Candidate | Pick]) -> tuple[str, ...]:
    return tuple(id_of(adapter.key) for adapter in found)


def records(path: Path, **needed: type | tuple[type, ...]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a JSON Lines file; each must have the `needed` fields."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _record(line, f"Line {number} of {path}", needed)
    except OSError as problem:
        raise InvalidInput(f"{path} cannot be read: {problem.strerror or problem}.") from problem
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"{path} is not text in UTF-8.") from problem


def _record(
    line: str, place: str, needed: Mapping[str, type | tuple[type, ...]]
) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as problem:
        raise InvalidInput(f"{place} is not JSON: {reason_of(problem)}.") from problem
    if not isinstance(record, dict):
        raise InvalidInput(f"{place} is not a JSON object.")
    for name, kind in needed.items():
        if not isinstance(record.get(name), kind):
            raise InvalidInput(f"{place} has no {name!r}, or not as the benchmark has it.")
    return record


def cards(path: Path) -> Iterator[AdapterCard]:
    for record in records(path):
        try:
            yield _card(record)
        except (KeyError, TypeError, ValueError) as problem:
            raise InvalidInput(
                f"{path} holds a record that is no adapter of the benchmark: {reason_of(problem)}."
            ) from problem


def _rating(stats: Mapping[str, Any]) -> float | None:
    """Convert stars to a share of positive ratings, as cards have it."""
    return stats["rating"] / MOST_STARS if (stats.get("ratingCount") or 0) >= FEWEST_VOTES else None


def _card(record: Mapping[str, Any]) -> AdapterCard:
    if not (isinstance(record["id"], str) and isinstance(record["name"], str)):
        raise TypeError("id or name")
    prompts = record.get("example_prompts") or ()
    weights = list(record.get("example_weights") or ()) + [None] * len(prompts)
    stats = record.get("stats") or {}
    return AdapterCard(
        key=key_of(record["id"]),
        name=record["name"],
        source="civitai",
        model_id=record.get("civitai_model_id"),
        base_model=record.get("base_model") or "",
        tags=tuple(record.get("tags") or ()),
        triggers=tuple(record.get("trained_words") or ()),
        text=record.get("description") or "",
        examples=tuple(Example(prompt, weight) for prompt, weight in zip(prompts, weights)),  # noqa: B905
        downloads=stats.get("downloadCount"),
        rating=_rating(stats),
        creator=record.get("creator") or "",
    )


RANKED = 160
"""How many candidates are requested, so that the deepest recall can be measured."""

_BATCH = 500


_HEADINGS = {
    **{f"recall_at_{cut}": f"R@{cut}" for cut in CUTS},
    "mrr": "MRR",
    "precision": "sel-P",
    "selected": "sel-R",
    "picks": "picks",
    "left_alone": "alone",
}


@dataclass(frozen=True, slots=True)
class SelectionWay:
    """How candidates are found, and what describes the cards.

    `descriptions` is a file with texts by another refiner; the other cards are left to `refiner`.
    """

    policy: str = "hybrid"
    refiner: RefinerName = "rules"
    descriptions: Path | None = None

    def describe(self, entries: Iterable[Entry]) -> list[Entry]:
        texts: dict[AdapterKey, str] = {}
        if self.descriptions is not None:
            lines_read = records(self.descriptions, id=str, text=str)
            texts = {key_of(line["id"]): line["text"] for line in lines_read}
        every = [described_by(self.refiner, entry) for entry in entries]
        return [
            replace(entry, description=replace(entry.description, text=texts[entry.key]))
            if entry.key in texts
            else entry
            for entry in every
        ]


DEFAULT_WAY = SelectionWay()


def run_selection(
    catalogue: Path,
    queries: Sequence[Path],
    out: Path,
    progress: Progress,
    way: SelectionWay = DEFAULT_WAY,
    picks: Path | None = None,
) -> dict[str, Any]:
    """Write the ranking, and the picks by name; return the table and the separations."""
    queries_read = read_queries(queries)
    with opened(values={"selection": {"policy": way.policy}}) as stylus:
        fill(stylus, cards(catalogue), progress, way)
        found = list(_runs(stylus, queries_read, progress))
    runs = [run for run, _ in found]
    write_ranking(runs, out)
    if picks is not None:
        prompts = {str(query["id"]): query["prompt"] for query in queries_read}
        rows = (pick_row(run.query, prompts[run.query], picked) for run, picked in found)
        write_lines(picks, rows)
    return report_of(way.policy, queries_read, runs)


def report_of(
    policy: str, queries: Sequence[Mapping[str, Any]], runs: Iterable[Run]
) -> dict[str, Any]:
    known = {run.query: run for run in runs}
    return {
        "policy": policy,
        "queries": len(queries),
        "kinds": [kind.as_values() for kind in by_kind(queries, known)],
        "auc": separations(queries, known),
    }


def read_queries(paths: Sequence[Path]) -> list[Mapping[str, Any]]:
    return [
        record
        for path in paths
        for record in records(path, id=str, prompt=str, kind=str, gold=list)
    ]


def query_of(record: Mapping[str, Any], limits: Selection) -> Query:
    return Query(parse_prompt(record["prompt"]), parse_prompt(""), limits)


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'kind':44} {'n':>5} " + "".join(f"{heading:>7}" for heading in _HEADINGS.values())
    for kind in report["kinds"]:
        cells = (f"{kind[name]:.3f}" if name in kind else "" for name in _HEADINGS)
        yield f"{kind['kind']:44} {kind['queries']:5} " + "".join(f"{cell:>7}" for cell in cells)
    for pair, value in report["auc"].items():
        yield f"AUC {pair:50} {value:.3f}"


def write_ranking(runs: Iterable[Run], out: Path) -> None:
    names = ("id", "ranking", "score", "selected")
    write_lines(out, (dict(zip(names, astuple(run), strict=True)) for run in runs))


def pick_row(query_id: str, prompt: str, picks: Iterable[Pick]) -> dict[str, Any]:
    """A line of a file of picks, to be read by people."""
    rows = (
        {
            "id": id_of(pick.key),
            "name": pick.name,
            "kind": pick.kind,
            "sure": round(pick.score, 3),
            "reason": pick.reason,
        }
        for pick in picks
    )
    return {"id": query_id, "prompt": prompt, "picks": list(rows)}


def fill(
    stylus: Stylus,
    every: Iterable[AdapterCard],
    progress: Progress,
    way: SelectionWay = DEFAULT_WAY,
) -> None:
    left, done = iter(every), 0
    while batch := list(islice(left, _BATCH)):
        stylus.catalogue.refresh.take([Sighting(card=card) for card in batch])
        done += len(batch)
        progress.report("reading the catalogue", done)
    if (way.refiner, way.descriptions) != ("rules", None):
        store = stylus.catalogue.store
        entries = [each.entry for each in store.changes(0) if each.entry is not None]
        store.write(way.describe(entries))
    stylus.catalogue.embed(progress)


def _runs(
    stylus: Stylus, queries: Sequence[Mapping[str, Any]], progress: Progress
) -> Iterator[tuple[Run, Sequence[Pick]]]:
    limits = stylus.settings.selection
    retriever = stylus.planner.retriever(limits.policy)
    composer = stylus.planner.composer(limits.composer)
    for number, record in enumerate(queries):
        progress.report("asking", number, len(queries))
        query = query_of(record, replace(limits, candidates=max(RANKED, limits.candidates)))
        found = retriever.find(query)
        picked = composer.compose(query, found).picks
        run = Run(str(record["id"]), ids_of(found.found), found.confidence, ids_of(picked))
        yield run, picked

"""`bench ranker`: a catalogue and prompts whose adapters are known in, the ranker's weights and the
table out of fold out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stylus_ext.app.wiring import open_stylus
from stylus_ext.core.ports import Progress
from stylus_ext.core.ranker import Ranker
from stylus_ext.core.settings import Selection, Settings
from stylus_ext.evaluation.bench_catalogue import cards
from stylus_ext.evaluation.figures import by_kind, separations
from stylus_ext.evaluation.out_of_fold import (
    Asked,
    asked_anew,
    creators_of,
    halved,
    kept_of,
    rankers_of,
    runs_of,
    shifted,
    shifts,
    write,
)
from stylus_ext.evaluation.selection import asking, fill, read_queries, write_ranking


def run_training(
    catalogue: Path,
    queries: Sequence[Path],
    out: Path,
    progress: Progress,
    ranking: Path | None = None,
) -> dict[str, Any]:
    """Writes the weights, and returns the table of `bench selection` as it is out of fold."""
    records = read_queries(queries)
    with tempfile.TemporaryDirectory(prefix="stylus-bench-") as folder:
        stylus = open_stylus(Path(folder), Settings())
        try:
            fill(stylus, cards(catalogue), progress)
            retriever, composer = stylus.retrievers("hybrid"), stylus.composers("rules")
            creators, limits = creators_of(catalogue), Selection()
            kept = list(kept_of(records, asking, limits, retriever, creators, progress))
            whole, parts = rankers_of([each.lesson for each in kept], progress)
            asked = list(asked_anew(kept, dict(enumerate(parts))))
            return _finished(whole, asked, composer, out, ranking)
        finally:
            stylus.close()


def _finished(
    whole: Ranker, asked: Sequence[Asked], composer: Any, out: Path, ranking: Path | None
) -> dict[str, Any]:
    shift = shifts(asked, composer)
    write(halved(whole, shift), out)
    runs = list(runs_of([shifted(each, shift) for each in asked], composer))
    if ranking is not None:
        write_ranking(runs, ranking)
    known: Mapping[str, Any] = {run.query: run for run in runs}
    records = [each.record for each in asked]
    kinds = [kind.as_values() for kind in by_kind(records, known)]
    return {
        "policy": "hybrid, out of fold",
        "queries": len(asked),
        "kinds": kinds,
        "auc": separations(records, known),
    }

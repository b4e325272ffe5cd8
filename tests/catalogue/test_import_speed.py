"""The whole of StylusDocs, invented: 75,000 records are read and stored in under two minutes, in
little memory.

What counts is the time of this process on the processor, since a machine that is busy with
something else is not the import's slowness; the clock's time is said beside it.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.plain_pickle import records
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.operations.sources import import_stylusdocs
from stylus_ext.engine.requests import ImportInput
from stylus_ext.engine.stylus import open_stylus
from tests.embedding_server import EmbeddingServer
from tests.fakes import Watch
from tests.published import OLD, many, pickled

RECORDS = 75_000
_MIB = 1024


@pytest.mark.long
def test_75_000_records_in_two_minutes(
    tmp_path: Path, vectors: EmbeddingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docs"
    (folder / "ultra_model").mkdir(parents=True)
    (folder / "sd_adapters.pkl").write_bytes(pickled(many(RECORDS, pictures=10), OLD))
    for number in range(1, RECORDS + 1):
        (folder / "ultra_model" / f"{number}.txt").write_text(
            f"- Draws subject {number} in soft light.\n- 0.8", "utf-8"
        )
    settings = with_values(Settings(), {"encoder": {"endpoint": vectors.url, "model": "bag"}})
    stylus = open_stylus(tmp_path / "data", settings)
    try:
        began, on_the_wall = time.process_time(), time.perf_counter()
        done, _, _ = import_stylusdocs(
            stylus.catalogue,
            stylus.settings.encoder,
            ImportInput(format="stylusdocs", folder=str(folder)),
            Watch(),
        )
        took, waited = time.process_time() - began, time.perf_counter() - on_the_wall
    finally:
        stylus.close()
    assert (done.kept, done.described) == (RECORDS, RECORDS)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{RECORDS:,} records: {waited:.1f} s by the clock, {took:.1f} s on the processor\n"
        )
    assert took < 120, f"{took:.0f} s"


@pytest.mark.long
def test_reading_takes_the_memory_of_one_record(tmp_path: Path) -> None:
    """Reading costs the memory of one record, not of the file."""
    path = tmp_path / "sd_adapters.pkl"
    path.write_bytes(pickled(many(20_000), OLD))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in records(path)) == 20_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * _MIB

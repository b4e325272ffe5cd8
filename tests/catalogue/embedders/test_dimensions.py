"""Vectors of another length are another encoder's: nothing of the one is taken for the other's, and
each is made once.
"""

from __future__ import annotations

from pathlib import Path

from stylus_ext.core.entry import VIEWS
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.stylus import open_stylus
from stylus_ext.selection.plan import PlanRequest
from tests.embedding_server import serving
from tests.fakes import Watch

PROMPT = "a graffiti of a corgi on the wall"


def made(folder: Path, url: str, dimensions: int) -> tuple[set[str], int]:
    """The fingerprints of all vectors, and how many were made now; a plan is made with them,
    too.
    """
    settings = with_values(
        Settings(), {"encoder": {"endpoint": url, "model": "bag", "dimensions": dimensions}}
    )
    stylus = open_stylus(folder, settings)
    try:
        stylus.catalogue.load_starter(Watch())
        number, notes = stylus.catalogue.update_vectors(Watch())
        assert notes == ()
        plan = stylus.planner.plan(PlanRequest(PROMPT, settings=settings))
        assert not {"no_encoder", "failed"} & {note.code for note in plan.notes}
        assert plan.composition.picks
        return {
            one for view in VIEWS for one in stylus.catalogue.index.fingerprints(view).values()
        }, number
    finally:
        stylus.close()


def test_each_length_has_its_own_vectors(tmp_path: Path) -> None:
    with serving() as server:
        server.shortens = True
        long, first = made(tmp_path, server.url, 0)
        short, second = made(tmp_path, server.url, 16)
        assert first == second > 0
        assert not long & short
        assert {body.get("dimensions") for _, _, body in server.seen} == {None, 16}
        assert made(tmp_path, server.url, 16)[1] == 0

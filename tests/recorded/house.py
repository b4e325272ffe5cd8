"""An engine without its HTTP side: the starter list and the invented catalogue, with files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.core.card import LocalFile
from stylus_ext.core.file_names import safe_file_stem
from stylus_ext.core.ports import Sighting
from stylus_ext.core.settings import Settings
from stylus_ext.engine import stylus as stylus_module
from stylus_ext.engine.catalogue import STARTER
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.stylus import Stylus
from tests.fakes import BagEmbedder, Watch
from tests.golden.house import sightings
from tests.host.double.planner import SmallClient


@contextmanager
def open_engine(folder: Path) -> Iterator[tuple[Stylus, list[str]]]:
    """The engine, and the stems of its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stylus_module, "embedder_for", lambda encoder, key: BagEmbedder())
        stylus = stylus_module.open_stylus(folder, Settings())
    try:
        found = [*sightings(), *StarterCatalogue(STARTER).cards({}, Watch())]
        stems: dict[str, Sighting] = {}
        for sighting in found:
            assert sighting.card is not None
            stem = sighting.file.stem if sighting.file else safe_file_stem(sighting.card.name, ())
            stems.setdefault(
                stem, replace(sighting, file=LocalFile(f"/loras/{stem}.safetensors", stem, 9, 9))
            )
        stylus.catalogue.refresh.take(list(stems.values()))
        stylus.catalogue.embed(Watch())
        yield stylus, sorted(stems)
    finally:
        stylus.close()


class DirectClient(SmallClient):
    """Asks the engine in this process."""

    def __init__(self, stylus: Stylus) -> None:
        super().__init__()
        self._stylus = stylus

    def generation(
        self, payload: Mapping[str, Any], deadline_s: float, interrupted: object
    ) -> dict[str, Any]:
        self.asked.append(dict(payload))
        timeless: dict[str, Any] = {"lora_dirs": [], "deadline_s": None, "planning_s": None}
        return perform(self._stylus, "generation", {**payload, **timeless}, Watch())

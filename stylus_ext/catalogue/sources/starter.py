"""The starter catalogue as a card source: popular adapters whose facts come with Stylus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile, RemoteFile
from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.ports import Progress, Sighting

_STEP = "reading the starter catalogue"


class StarterCatalogue:
    """Implements `CardSource` over a small file of JSON lines."""

    name = "the starter catalogue"

    def __init__(self, path: Path) -> None:
        self._path = path

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:  # noqa: ARG002
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"The starter catalogue {self._path} cannot be read: {reason_of(error)}."
                " Reinstall Stylus."
            ) from error
        for number, line in enumerate(lines):
            if number % 100 == 0:
                progress.report(_STEP, number, len(lines))
            if line:
                yield Sighting(card=self._read(line, number + 1))
        progress.report(_STEP, len(lines), len(lines))

    def _read(self, line: str, number: int) -> AdapterCard:
        try:
            return _card(json.loads(line))
        except (AttributeError, InvalidInput, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"Line {number} of the starter catalogue {self._path} is damaged. Reinstall Stylus."
            ) from error

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:  # noqa: ARG002
        return []


def _card(facts: Mapping[str, Any]) -> AdapterCard:
    return AdapterCard(
        key=AdapterKey.civitai(facts["version_id"]),
        name=facts["name"],
        source="starter",
        version=facts["version"],
        model_id=facts["model_id"],
        base_model=facts["base_model"],
        kind=facts["kind"],
        tags=tuple(facts["tags"]),
        triggers=tuple(facts["triggers"]),
        text=facts["description"],
        weight=facts["weight"],
        remote=RemoteFile(facts["file"], round(facts["size_kb"] * 1024), facts["sha256"]),
        equivalents=(AdapterKey.sha256(facts["sha256"]),),
    )

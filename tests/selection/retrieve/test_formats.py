"""What the WebUI cannot load is not found, whatever the user set for it, and the reason is told."""

from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.card import LocalFile
from stylus_ext.core.entry import Edits
from stylus_ext.core.weight_formats import DORA, LORA, ROUTED, UNKNOWN, cannot_load
from tests.fakes import make_entry
from tests.selection.retrieve.house import House

PROMPT = "a velvet armadillo"
NAME = "Velvet Armadillo"


def add(house: House, *files_read: tuple[str, ...] | None, **more: Any) -> None:
    """An entry with a copy on disk for each of these sets of formats."""
    files = tuple(
        LocalFile(f"/models/Lora/{number}/velvet.safetensors", "velvet", 1, 1, formats=read)
        for number, read in enumerate(files_read)
    )
    house.add([make_entry(900, NAME, tags=("armadillo",), files=files, **more)])


@pytest.mark.parametrize(
    ("formats", "loads", "found"),
    [
        ((LORA,), (), True),
        ((LORA,), (LORA,), True),
        ((LORA,), (DORA,), False),
        ((DORA, LORA), (), True),
        ((DORA, LORA), (LORA,), False),
        ((DORA, LORA), (DORA, LORA), True),
        ((LORA, UNKNOWN), (), False),
        ((LORA, UNKNOWN), (LORA, UNKNOWN), False),
        ((LORA, ROUTED), (LORA,), False),
        (None, (LORA,), True),
    ],
)
def test_found_only_if_the_webui_loads_it(
    house: House, formats: tuple[str, ...] | None, loads: tuple[str, ...], found: bool
) -> None:
    add(house, formats)
    assert (NAME in house.names(PROMPT, formats=loads)) is found


def test_the_formats_that_its_page_states_count_until_there_is_a_file(house: House) -> None:
    add(house, formats=(DORA, LORA), images=9)
    assert NAME not in house.names(PROMPT, formats=(LORA,))
    add(house, (LORA,))
    assert NAME in house.names(PROMPT, formats=(LORA,))


@pytest.mark.parametrize("edits", [Edits(), Edits(state="always")])
def test_the_reason_is_told(house: House, edits: Edits) -> None:
    add(house, (DORA, LORA), edits=edits)
    found = house.find(PROMPT, formats=(LORA,))
    assert NAME not in [candidate.entry.card.name for candidate in found.found]
    assert [miss.reason for miss in found.refused if miss.name == NAME] == [cannot_load([DORA])]

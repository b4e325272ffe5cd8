"""Similar entries by the stored vectors."""

from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.card import LocalFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, stylus
from tests.fakes import Watch, make_entry

__all__ = ["stylus"]


@pytest.fixture
def kennel(stylus: Stylus) -> Stylus:
    here = (LocalFile("/loras/collie.safetensors", "collie", 9, 1),)
    stylus.catalogue.store.write(
        [
            make_entry(11, "Corgi Twin", "A small corgi dog with short legs."),
            make_entry(12, "Corgi Big", "A small corgi dog with short legs.", family="sdxl"),
            make_entry(13, "Collie", "A collie dog.", files=here),
            make_entry(14, "Harbour", "Boats at night."),
        ]
    )
    stylus.catalogue.embed(Watch())
    return stylus


def similar(stylus: Stylus, key: str, **more: Any) -> list[str]:
    return [one["name"] for one in ask(stylus, "similar", key=key, **more)["entries"]]


def test_same_family_and_on_disk_first_then_the_nearest(kennel: Stylus) -> None:
    names = similar(kennel, "civitai:1")
    assert names[:2] == ["Collie", "Corgi Twin"]
    assert names[-1] == "Corgi Big", "another base model comes last"
    assert "Corgi Friend" not in names
    assert similar(kennel, "civitai:1", limit=1) == ["Collie"]


def test_no_vector_is_no_answer_and_no_error(kennel: Stylus) -> None:
    kennel.catalogue.store.write([make_entry(20, "New")])
    assert similar(kennel, "civitai:20") == []
    with pytest.raises(InvalidInput):
        similar(kennel, "civitai:404")

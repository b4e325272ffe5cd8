from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import Edits
from stylus_ext.selection.lexical.attributes import FEWEST_IMAGES, POOR_RATING, poor
from stylus_ext.selection.retrieve.filters import NOT_ON_DISK
from tests.fakes import make_entry
from tests.selection.retrieve.house import House

HERE = (LocalFile("fox.safetensors", "fox", 1, 1),)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"images": FEWEST_IMAGES}, ""),
        ({"images": 2}, "3 example images"),
        ({"images": 0}, "3 example images"),
        ({"rating": POOR_RATING}, ""),
        ({"rating": 0.55}, "55%"),
        ({"name": "Table RPG Heroes v2"}, "name"),
    ],
)
def test_what_is_poor(facts: dict[str, Any], said: str) -> None:
    assert said in poor(make_entry(1, **facts))
    assert bool(poor(make_entry(1, **facts))) is bool(said)
    assert poor(make_entry(1, files=HERE, **facts)) == "", "a file on disk is its owner's choice"


class TestInTheRetriever:
    def add(self, house: House, **facts: Any) -> None:
        house.add(
            [
                make_entry(70, "Glass Heron", kind="animal", **facts),
                make_entry(71, "Glass Heron Pond", kind="background"),
            ]
        )

    @pytest.mark.parametrize(
        ("facts", "said"), [({"images": 1}, "example images"), ({"rating": 0.2}, "20%")]
    )
    def test_it_is_a_near_miss_with_its_reason(
        self, house: House, facts: dict[str, Any], said: str
    ) -> None:
        self.add(house, **facts)
        found = house.find("a glass heron")
        assert "Glass Heron" not in [candidate.entry.card.name for candidate in found.found]
        assert [said in miss.reason for miss in found.refused if miss.name == "Glass Heron"] == [
            True
        ]

    @pytest.mark.parametrize(
        "facts",
        [
            {"images": 1, "files": HERE},
            {"rating": 0.1, "files": HERE},
            {"images": 1, "edits": Edits(state="always")},
        ],
    )
    def test_what_the_user_has_or_wants_stays(self, house: House, facts: dict[str, Any]) -> None:
        self.add(house, **facts)
        assert "Glass Heron" in house.names("a glass heron")

    def test_it_can_be_switched_off(self, house: House) -> None:
        self.add(house, images=1)
        assert "Glass Heron" in house.names("a glass heron", prune=False)

    def test_what_nobody_named_is_not_mentioned(self, house: House) -> None:
        self.add(house, images=1)
        assert "Glass Heron" not in [miss.name for miss in house.find("a copper train").refused]

    def test_what_is_not_in_the_folder_is_said_of_what_was_named(self, house: House) -> None:
        only = frozenset({AdapterKey.civitai(4)})
        found = house.find("mira vanthal beside a teapot", only=only)
        assert [(miss.name.split(" |")[0], miss.reason) for miss in found.refused] == [
            ("Mira Vanthal", NOT_ON_DISK)
        ]

    def test_always_that_cannot_be_had_is_said(self, house: House) -> None:
        house.store.edit(AdapterKey.civitai(3), Edits(state="always"))
        found = house.find("zebra, savanna, grass, dust", family="flux1")
        assert [(miss.name, "SD 1.5" in miss.reason) for miss in found.refused] == [
            ("Copper Train", True)
        ]

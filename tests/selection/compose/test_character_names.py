from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.prompt.words import words
from stylus_ext.selection.compose.checks import names_character, own_words
from tests.fakes import make_entry

MIRA: dict[str, Any] = {
    "name": "Mira Vanthal | Skyreach Saga",
    "triggers": ("mira vanthal, short red hair, goggles",),
    "tags": ("character", "skyreach saga"),
}


def somebody(name: str, **more: Any) -> Candidate:
    """With the evidence that the retriever gives for names, and words of which each is rare."""
    return Candidate(make_entry(1, name, kind="character", **more), 1.0, Evidence(0.5, 0.2))


def named(
    facts: dict[str, Any],
    prompt: str,
    *,
    name: tuple[str, ...] = (),
    trigger: str = "",
    rarity: float = 12.0,
) -> bool:
    made = dict(facts)
    candidate = somebody(made.pop("name"), **made)
    seen = Evidence(0.5, 0.2, name, trigger, rarity)
    return names_character(Candidate(candidate.entry, 1.0, seen), frozenset(words(prompt)))


@pytest.mark.parametrize(
    ("facts", "own"),
    [
        (MIRA, {"mira", "vanthal"}),
        (
            {"name": "Skyreach Saga - Mira Vanthal", "triggers": ("mira vanthal",)},
            {"mira", "vanthal"},
        ),
        (
            {
                "name": "Skyreach Saga - Mira Vanthal",
                "triggers": ("skyreach saga, mira vanthal",),
                "tags": ("skyreach saga",),
            },
            {"mira", "vanthal"},
        ),
        ({"name": "Nami (Sea Saga)", "triggers": ("nami \\(sea saga\\)", "orange hair")}, {"nami"}),
        ({"name": "Nami (Sea Saga)"}, {"nami"}),
        (
            {"name": "Nami Sea Saga | Lora 7", "tags": ("sea saga",), "triggers": ("namidef",)},
            {"nami", "namidef"},
        ),
        ({"name": "Kyra + Miso | Harbour Girls", "triggers": ("kyra", "miso")}, {"kyra", "miso"}),
        (
            {
                "name": "星野ミナト (Hoshino Minato)",
                "triggers": ("hoshino minato, black twintails",),
            },
            {"hoshino", "minato", "星野", "野ミ", "ミナ", "ナト"},
        ),
        (
            {"name": "Dark Rock Archer", "triggers": ("darkrockarcher",)},
            {"dark", "rock", "archer", "darkrockarcher"},
        ),
        (
            {"name": "Grumble the Goblin", "triggers": ("grumblegob",)},
            {"grumble", "goblin", "grumblegob"},
        ),
        (
            {
                "name": "Midra | The Saga of Zilda: Dusk Princess",
                "triggers": ("midratrue", "long hair"),
                "tags": ("game",),
            },
            {"midra", "midratrue"},
        ),
        ({"name": "Midra | The Saga of Zilda"}, {"midra"}),
        ({"name": "Skyreach Saga"}, {"skyreach", "saga"}),
        ({"name": ""}, set()),
    ],
)
def test_what_is_somebodys_own(facts: dict[str, Any], own: set[str]) -> None:
    made = dict(facts)
    assert own_words(somebody(made.pop("name"), **made).entry) == own


class TestNamed:
    def test_by_name_and_by_trigger(self) -> None:
        assert named(MIRA, "mira vanthal on a bridge", name=("mira", "vanthal"))
        assert named(MIRA, "mira vanthal on a bridge", trigger="mira vanthal")

    def test_not_by_the_series(self) -> None:
        assert not named(MIRA, "skyreach saga, brown hair", name=("skyreach", "saga"))

    def test_not_by_what_is_worn(self) -> None:
        assert not named(MIRA, "a pilot with goggles", trigger="goggles", rarity=6.9)

    def test_by_the_name_though_the_series_tells_more(self) -> None:
        link = {"name": "Lonk | The Saga of Zilda: Realm", "triggers": ("lonk \\(realm\\)",)}
        assert named(
            link, "lonk, the saga of zilda, blonde hair", name=("saga", "zilda"), rarity=8.7
        )
        assert not named(link, "a hero of the saga of zilda", name=("saga", "zilda"), rarity=8.7)

    @pytest.mark.parametrize(
        ("prompt", "called"),
        [
            ("a fern beside a mossy rock", False),
            ("1girl, fern, forest, long hair, smile", False),
            ("fern, purple hair, staff", True),
            ("fern of frost road casting a spell", True),
            ("fern, mage, staff", False),
        ],
    )
    def test_an_everyday_word_needs_more_of_the_card(self, prompt: str, called: bool) -> None:
        fern = {
            "name": "Fern (Frost Road)",
            "triggers": ("fern, purple hair, long hair",),
            "tags": ("character", "mage"),
        }
        assert named(fern, prompt, name=("fern",), trigger="fern", rarity=6.0) is called

    def test_a_coined_trigger_stands_for_a_name(self) -> None:
        goblin = {"name": "Grumble", "triggers": ("grmblgob, backpack",)}
        assert named(goblin, "grmblgob in a market", trigger="grmblgob", rarity=6.9)
        assert not named(goblin, "a backpack in a market", trigger="backpack", rarity=6.9)

    @pytest.mark.parametrize("trigger", ["1girl", "long hair", "blue eyes"])
    def test_what_anybody_writes_stands_for_nobody(self, trigger: str) -> None:
        assert not named(
            {"name": "Uekra", "triggers": (trigger,)},
            f"{trigger}, smile",
            trigger=trigger,
            rarity=9.5,
        )


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3), st.text(max_size=40))
def test_any_card_is_read(name: str, triggers: list[str], prompt: str) -> None:
    facts = {"name": name, "triggers": tuple(triggers)}
    assert named(facts, prompt) in {True, False}
    if not set(words(prompt)) & set(words(" ".join((name, *triggers)))):
        assert not named(facts, prompt)

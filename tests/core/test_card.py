from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import SOURCES, AdapterCard, AdapterKey, Example, merge_cards, series
from stylus_ext.core.errors import InvalidInput
from tests.fakes import make_card


@pytest.mark.parametrize(
    "stem",
    [
        "ghibli",
        "Ghibli",
        "ghibli-000004",
        "ghibli_v2",
        "ghibli-v1.1",
        "ghibli V2",
        "ghibliV2",
        "ghibli (1)",
        "ghibli(2)",
        "ghibli_v2-000010",
        "ghibli-step00001200",
        "ghibli_e10",
        "ghibli_epoch_7",
        "ghibli_v1_final",
        "ghibli-v3b",
    ],
)
def test_versions_and_epochs_of_one_model_are_one_series(stem: str) -> None:
    assert series(stem) == "ghibli"


@pytest.mark.parametrize(
    "stem", ["style_2", "mv3", "sevens", "blade_s1", "2B", "route 66", "final", "v2", "-000004"]
)
def test_a_name_that_only_looks_like_a_version_stays_whole(stem: str) -> None:
    assert series(stem) == stem.casefold()


def test_the_id_of_the_model_counts_more_than_the_name() -> None:
    one, two = make_card(1, "Rain", model_id=7), make_card(2, "Snow v2", model_id=7)
    assert series(one) == series(two) == "civitai:7"
    assert series(make_card(3, "Rain")) == "rain"


def test_cards_without_a_name_are_not_one_series() -> None:
    cards = [
        AdapterCard(key=AdapterKey.civitai(number), name="", source="local") for number in (1, 2)
    ]
    assert series(cards[0]) != series(cards[1])


@given(st.text(max_size=300), st.sampled_from(["", "-000123", "_v2", " (3)", "-v1.0-000007"]))
def test_a_series_is_its_own_series_and_never_empty_for_a_name(name: str, issue: str) -> None:
    found = series(name[:200] + issue)
    assert series(found) == found
    assert bool(found) == bool((name[:200] + issue).strip())


class TestKeys:
    @pytest.mark.parametrize(
        "text", ["civitai:12", "sha256:" + "ab" * 32, "path:a/b c/狐.safetensors", "path:c:\\x:y"]
    )
    def test_a_key_is_its_text(self, text: str) -> None:
        assert str(AdapterKey.parse(text)) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "12",
            "civitai:",
            "civitai:-1",
            "civitai:٣",
            "civitai:1.0",
            "sha256:abc",
            "sha256:" + "g" * 64,
            "path:",
            "url:x",
            "CIVITAI:1",
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            AdapterKey.parse(text)

    def test_a_hash_has_one_spelling(self) -> None:
        assert (
            AdapterKey.parse("sha256:" + "AB" * 32)
            == AdapterKey.sha256("ab" * 32)
            == AdapterKey.sha256("AB" * 32)
        )

    @given(st.text(min_size=1))
    def test_any_path_survives(self, path: str) -> None:
        assert AdapterKey.parse(str(AdapterKey.path(path))) == AdapterKey.path(path)


CARDS = st.builds(
    AdapterCard,
    key=st.integers(1, 4).map(AdapterKey.civitai),
    name=st.sampled_from(["", "Rain", "Snow"]),
    source=st.sampled_from(SOURCES),
    base_model=st.sampled_from(["", "SD 1.5", "Pony"]),
    tags=st.sampled_from([(), ("a",), ("b",)]),
    triggers=st.sampled_from([(), ("x",), ("y",)]),
    text=st.sampled_from(["", "one", "two"]),
    weight=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    images=st.none() | st.sampled_from([0, 3]),
    examples=st.sampled_from([(), (Example("p", 0.5),), (Example("p", 0.5), Example("q"))]),
    nsfw=st.booleans(),
    weak=st.booleans(),
    rating=st.none() | st.sampled_from([0.0, 4.5]),
    negative_text=st.sampled_from(["", "blurry"]),
    alias=st.sampled_from(["", "rain", "snow"]),
    auto_v3=st.sampled_from(["", "0123456789ab"]),
)


def by_rank(cards: list[AdapterCard]) -> list[AdapterCard]:
    return sorted(cards, key=lambda card: SOURCES.index(card.source))


class TestMerged:
    def test_the_nearest_source_that_says_anything_is_believed(self) -> None:
        local = make_card(1, "my file", source="local", base_model="", weight=0.0)
        civitai = make_card(
            1, "Rain", source="civitai", base_model="Pony", weight=0.9, text="rain", nsfw=True
        )
        starter = make_card(
            1, "Rain!", source="starter", base_model="SD 1.5", text="drops", tags=("wet",)
        )
        one = merge_cards([starter, civitai, local])
        assert (one.name, one.base_model, one.weight, one.text, one.tags, one.nsfw) == (
            "my file",
            "Pony",
            0.0,
            "rain",
            ("wet",),
            True,
        )
        assert one.source == "local"

    @pytest.mark.parametrize("vague", ["Other", "Unknown", ""])
    def test_a_base_model_that_is_no_family_gives_way_to_one_that_is(self, vague: str) -> None:
        civitai = make_card(1, source="civitai", base_model=vague)
        starter = make_card(1, source="starter", base_model="SDXL 1.0")
        assert merge_cards([civitai, starter]).base_model == "SDXL 1.0"
        assert merge_cards([civitai]).base_model == vague

    @pytest.mark.parametrize(
        ("mine", "changes", "shown"),
        [
            ("epoch_12", {}, "Rain"),
            ("epoch_12", {"source": "pictures"}, "Rain"),
            ("rnstl", {"alias": "rnstl"}, "Rain"),
            ("My best rain", {}, "My best rain"),
            ("", {}, "Rain"),
        ],
    )
    def test_a_name_that_is_only_the_files_gives_way_to_a_catalogues(
        self, mine: str, changes: dict[str, str], shown: str
    ) -> None:
        path = AdapterKey.path("style/epoch_12.safetensors")
        local = AdapterCard(**{"key": path, "name": mine, "source": "local", **changes})  # type: ignore[arg-type]
        civitai = make_card(1, "Rain", source="civitai")
        assert merge_cards([civitai, local]).name == shown
        assert merge_cards([local]).name == mine
        assert merge_cards([local, make_card(1, "", source="civitai")]).name == mine

    def test_what_only_tag_frequencies_say_gives_way(self) -> None:
        weak = make_card(
            1,
            "rain-000004",
            source="local",
            weak=True,
            triggers=("1girl",),
            tags=("solo",),
            weight=0.6,
        )
        starter = make_card(
            1, "Rain", source="starter", triggers=("rainstyle",), tags=("rain",), weight=0.9
        )
        one = merge_cards([weak, starter])
        assert (one.name, one.triggers, one.tags, one.weight, one.weak) == (
            "Rain",
            ("rainstyle",),
            ("rain",),
            0.6,
            False,
        )

    def test_a_source_without_triggers_does_not_vouch_for_those_of_a_weak_one(self) -> None:
        weak = make_card(
            1, "rain-000004", source="local", weak=True, triggers=("1girl",), tags=("solo",)
        )
        silent = make_card(1, "", source="civitai", base_model="SD 1.5")
        starter = make_card(1, "Rain", source="starter", triggers=("rainstyle",), tags=("rain",))
        one = merge_cards([weak, silent, starter])
        assert (one.name, one.triggers, one.tags) == ("Rain", ("rainstyle",), ("rain",))

    def test_two_weak_ones_stay_weak(self) -> None:
        pictures = make_card(1, "", source="pictures", weak=True, triggers=("rainstyle",))
        one = merge_cards([make_card(1, "rain", source="local", weak=True), pictures])
        assert (one.name, one.triggers, one.weak) == ("rain", ("rainstyle",), True)

    def test_other_keys_become_equivalents_and_its_own_is_none(self) -> None:
        digest = AdapterKey.sha256("ab" * 32)
        one = merge_cards(
            [
                make_card(1, source="local", equivalents=(digest,)),
                make_card(2, source="civitai", equivalents=(AdapterKey.civitai(1),)),
            ]
        )
        assert one.equivalents == tuple(sorted((AdapterKey.civitai(2), digest)))

    def test_nothing_to_merge_is_refused(self) -> None:
        with pytest.raises(InvalidInput):
            merge_cards([])

    @given(CARDS)
    def test_one_card_is_itself(self, card: AdapterCard) -> None:
        assert merge_cards([card]) == card

    @given(
        st.lists(CARDS, min_size=1, max_size=4, unique_by=lambda card: card.source),
        st.randoms(use_true_random=False),
    )
    def test_the_order_of_asking_does_not_matter(
        self, cards: list[AdapterCard], rng: random.Random
    ) -> None:
        mixed = rng.sample(cards, len(cards))
        assert merge_cards(mixed) == merge_cards(cards)

    @given(st.lists(CARDS, min_size=1, max_size=4))
    def test_nothing_is_lost_and_nothing_made_up(self, cards: list[AdapterCard]) -> None:
        one, ranked = merge_cards(cards), by_rank(cards)
        for name in ("base_model", "text", "negative_text", "alias", "auto_v3"):
            assert getattr(one, name) == next(
                (value for card in ranked if (value := getattr(card, name))), ""
            )
        for name in ("weight", "images", "rating"):
            assert getattr(one, name) == next(
                (value for card in ranked if (value := getattr(card, name)) is not None), None
            )
        for name in ("name", "tags", "triggers"):
            said = [getattr(card, name) for card in cards if getattr(card, name)]
            assert getattr(one, name) in said if said else not getattr(one, name)
        assert set(one.examples) == {example for card in cards for example in card.examples}
        assert len(set(one.examples)) == len(one.examples)
        assert one.nsfw == any(card.nsfw for card in cards)
        assert one.weak == all(card.weak for card in cards)
        assert {one.key, *one.equivalents} == {
            key for card in cards for key in (card.key, *card.equivalents)
        }

    @given(st.lists(CARDS, min_size=1, max_size=4))
    def test_a_trusted_card_with_triggers_is_never_overruled_by_a_weak_one(
        self, cards: list[AdapterCard]
    ) -> None:
        trusted = {card.triggers for card in cards if not card.weak and card.triggers}
        if trusted:
            assert merge_cards(cards).triggers in trusted

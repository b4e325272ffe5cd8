from __future__ import annotations

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits
from stylus_ext.core.family import partly
from stylus_ext.selection.retrieve.filters import NEVER_USED
from tests.fakes import make_entry
from tests.selection.retrieve.house import House


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("1girl, mira vanthal, red scarf, sky, clouds", "Mira Vanthal | Skyreach Saga"),
        ("a castle, inkwellstyle, masterpiece", "Inkwell Manga Style"),
        ("a steam train of copper crossing a bridge", "Copper Train"),
        ("a street market at night", "Night Market"),
        ("a woman in a long velvet gown", "Velvet Gown"),
        ("lonely pier, dawn, fog, boats", "Grainy Film"),
    ],
)
def test_what_is_meant_comes_first(house: House, prompt: str, name: str) -> None:
    assert house.names(prompt)[0] == name


def test_nothing_in_common_is_less_sure_than_a_name(house: House) -> None:
    assert (
        house.find("mira vanthal, skyreach, sky, clouds").confidence
        > 2 * house.find("zebra, savanna, grass, dust").confidence
    )


def test_evidence_says_which_words_and_which_span(house: House) -> None:
    prompt = "a tower, mira vanthal, night, rain"
    best = house.find(prompt).found[0]
    start = prompt.index("mira")
    assert best.evidence.named == ("mira", "vanthal")
    assert best.evidence.trigger == "mira vanthal"
    assert best.spans[start].trigger == "mira vanthal"
    assert best.spans[start].lexical > 0.5
    assert all(seen.trigger == "" for at, seen in best.spans.items() if at != start)


def test_span_offsets_are_the_keys_of_the_evidence(house: House) -> None:
    found = house.find("a teapot beside a copper train at night")
    starts = {span.start for span in found.spans}
    assert starts
    assert all(set(candidate.spans) <= starts for candidate in found.found)


class TestStates:
    def test_never_is_refused_with_the_reason(self, house: House) -> None:
        house.store.edit(AdapterKey.civitai(3), Edits(state="never"))
        found = house.find("a copper train")
        assert "Copper Train" not in [candidate.entry.card.name for candidate in found.found]
        assert any(
            miss.name == "Copper Train" and miss.reason == NEVER_USED for miss in found.refused
        )

    def test_always_is_among_the_found_whatever_is_asked(self, house: House) -> None:
        house.store.edit(AdapterKey.civitai(4), Edits(state="always"))
        assert "Teapot World" in house.names("zebra, savanna, grass, dust", candidates=10)

    def test_an_edit_counts_at_once(self, house: House) -> None:
        assert house.names("zorblax")[0:1] != ["Teapot World"]
        house.store.edit(AdapterKey.civitai(4), Edits(triggers=("zorblax",)))
        assert house.names("zorblax")[0] == "Teapot World"


class TestFilters:
    def test_another_family_is_refused_and_named(self, house: House) -> None:
        house.add(
            [
                make_entry(50, "Moss Golem", kind="concept", family="sdxl"),
                make_entry(51, "Moss Golem Home", kind="concept"),
            ]
        )
        found = house.find("a moss golem", family="sd1")
        names = [candidate.entry.card.name for candidate in found.found]
        assert "Moss Golem Home" in names
        assert "Moss Golem" not in names
        assert any(miss.name == "Moss Golem" and "SDXL" in miss.reason for miss in found.refused)

    def test_a_relative_passes_with_a_lower_score(self, house: House) -> None:
        house.add(
            [
                make_entry(50, "Moss Golem", kind="concept", family="pony"),
                make_entry(51, "Moss Golem", kind="concept", family="illustrious"),
            ]
        )
        by_family = {
            candidate.entry.family: candidate.score
            for candidate in house.find("a moss golem", family="pony", partial=True).found
        }
        assert by_family["pony"] > by_family["illustrious"]

    def test_a_relative_that_is_not_allowed_is_a_near_miss_that_says_so(self, house: House) -> None:
        house.add([make_entry(50, "Moss Golem", kind="concept", family="sdxl")])
        found = house.find("a moss golem", family="pony")
        assert "Moss Golem" not in [candidate.entry.card.name for candidate in found.found]
        reasons = [miss.reason for miss in found.refused if miss.name == "Moss Golem"]
        assert [reason.partition(" (")[0] for reason in reasons] == [partly("sdxl", "pony")]

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_full_one_stands_before_its_equal_that_is_partial(
        self, house: House, turned: bool
    ) -> None:
        families = ["sdxl", "pony"][:: -1 if turned else 1]
        house.add(
            [
                make_entry(50 + at, "Moss Golem", kind="concept", family=each, model_id=900 + at)
                for at, each in enumerate(families)
            ]
        )
        found = house.find("a moss golem", family="pony", partial=True).found
        golems = [
            candidate.entry.family
            for candidate in found
            if candidate.entry.card.name == "Moss Golem"
        ]
        assert golems == ["pony", "sdxl"]

    def test_nobody_knows_the_family(self, house: House) -> None:
        house.add([make_entry(50, "Moss Golem", kind="concept", family="unknown")])
        found = house.find("a moss golem", family="sd1")
        assert "Moss Golem" not in [candidate.entry.card.name for candidate in found.found]
        assert [miss.name for miss in found.refused] == ["Moss Golem"]
        assert "Moss Golem" in house.names("a moss golem", family="any")

    def test_only_limits_what_is_found(self, house: House) -> None:
        only = frozenset((AdapterKey.civitai(3), AdapterKey.civitai(4)))
        assert set(house.names("a teapot on a train", only=only)) == {
            "Copper Train",
            "Teapot World",
        }

    def test_the_negative_prompt_is_a_veto(self, house: House) -> None:
        found = house.find("a street market with a teapot", negative="teapot, lowres, bad anatomy")
        assert "Teapot World" not in [candidate.entry.card.name for candidate in found.found]
        assert any(
            miss.name == "Teapot World" and '"teapot"' in miss.reason for miss in found.refused
        )

    def test_nsfw_only_where_it_is_asked_for(self, house: House) -> None:
        house.add([make_entry(60, "Boudoir Light", nsfw=True)])
        assert "Boudoir Light" not in house.names("boudoir light, woman")
        assert "Boudoir Light" in house.names("boudoir light, nude woman")
        assert "Boudoir Light" in house.names("boudoir light, woman", nsfw=True)

    def test_what_is_refused_and_was_never_near_is_no_near_miss(self, house: House) -> None:
        house.add([make_entry(60, "Boudoir Light", nsfw=True)])
        house.store.edit(AdapterKey.civitai(9), Edits(state="never"))
        assert house.find("a copper train in the fog").refused == ()
        assert "Boudoir Light" in [
            miss.name for miss in house.find("boudoir light, woman, bed, window").refused
        ]

    def test_few_example_images_are_left_out_where_they_are_known(self, house: House) -> None:
        house.add(
            [
                make_entry(70, "Glass Heron", images=2),
                make_entry(71, "Glass Heron Two", images=3),
                make_entry(72, "Glass Heron Three"),
            ]
        )
        names = house.names("a glass heron")
        assert "Glass Heron" not in names
        assert {"Glass Heron Two", "Glass Heron Three"} <= set(names)


def test_a_character_is_named_in_a_sentence_without_spaces(house: House) -> None:
    house.add([make_entry(60, "初音未来", kind="character", triggers=("初音未来",))])
    seen = house.find("一个女孩初音未来站着").found[0]
    assert (seen.entry.card.name, seen.evidence.trigger) == ("初音未来", "初音未来")
    assert seen.evidence.named


class TestOrder:
    def test_one_version_of_a_model(self, house: House) -> None:
        house.add(
            [
                make_entry(80, "Paper Crane", model_id=9, version="v1"),
                make_entry(81, "Paper Crane", model_id=9, version="v2", triggers=("papercrane",)),
            ]
        )
        found = house.find("a papercrane, paper crane, sky, clouds")
        assert [
            candidate.entry.card.version
            for candidate in found.found
            if candidate.entry.card.name == "Paper Crane"
        ] == ["v2"]
        assert [miss.name for miss in found.refused] == ["Paper Crane"]

    def test_popularity_breaks_ties_alone(self, house: House) -> None:
        house.add(
            [
                make_entry(90, "Paper Crane", downloads=5),
                make_entry(91, "Paper Crane", downloads=500),
            ]
        )
        cranes = [
            candidate.key
            for candidate in house.find("paper crane").found
            if candidate.entry.card.name == "Paper Crane"
        ]
        assert cranes == [AdapterKey.civitai(91), AdapterKey.civitai(90)]

    def test_the_same_question_has_the_same_answer(self, house: House) -> None:
        first = house.find("a knitted teapot in a night market")
        assert house.find("a knitted teapot in a night market") == first

    def test_candidates_limits_the_list(self, house: House) -> None:
        assert len(house.names("a teapot at night", candidates=10)) == 10


@pytest.mark.parametrize(
    "prompt",
    ["", "   ", "((((", "\x00\x01", "木漏れ日の中の猫", "a " * 4000, "<lora:x:1>", ", , ,"],
)
def test_odd_prompts_find_something_or_nothing(house: House, prompt: str) -> None:
    found = house.find(prompt)
    assert 0.0 <= found.confidence <= 1.0


def test_an_empty_catalogue_has_no_candidates(house: House) -> None:
    house.store.remove([change.key for change in house.store.changes(0)])
    found = house.find("a teapot")
    assert found.found == ()
    assert found.confidence == 0.0
    assert [span.text for span in found.spans] == ["teapot"]


def test_vectors_that_lag_behind_do_no_harm(house: House) -> None:
    house.index.rows.clear()
    assert house.names("a copper train")[0] == "Copper Train"

"""The panel's values and the API's dict: what is taken, what is told, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.host.double.fixtures import Stage
from tests.host.double.processing import parse_generation_parameters

PROMPT = "a corgi, watercolor"


def read(args: list[Any], **overrides: Any) -> Any:
    from stylus_ext.host.values import read_values

    return read_values(args, overrides)


def test_the_panels_order_and_the_dict_say_the_same(stage: Stage) -> None:
    by_place = read([True, "rules", 2, 2, 0.5, "all", False, True, 5, "pony", ""])
    by_name = read(
        [
            {
                "enabled": True,
                "composer": "rules",
                "max_adapters": 2,
                "per_task": 2,
                "strength": 0.5,
                "diversity": "all",
                "downloads": False,
                "vary_inside_batch": True,
                "seed": 5,
                "family": "pony",
            }
        ]
    )
    assert by_place == by_name
    assert by_place.values.family == "pony"


def test_what_is_not_said_has_its_default(stage: Stage) -> None:
    assert read([True]).values.max_adapters == 3
    assert read([{"enabled": True}]).values.diversity == "varied"
    assert read([]).values.enabled is False
    assert read([{}]).values.enabled is False
    assert read([{"strength": 0.5}]).values.enabled is False


def test_the_pages_defaults_stay_behind_the_dict(stage: Stage) -> None:
    """The host fills the places that a request leaves open with the components' values."""
    assert read([{"enabled": True}, "rules", 2]).values.max_adapters == 2


def test_unknown_keys_are_told_and_the_rest_counts(stage: Stage) -> None:
    done = stage.host.api({"enabled": True, "strenght": 2, "foo": 1}, prompt=PROMPT)
    assert "<lora:" in done.infotexts[0]
    assert any("'strenght'" in text and "'foo'" in text for text in done.p.comments)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"enabled": "yes"}, "enabled must be true or false, not 'yes'"),
        ({"max_adapters": "three"}, "max_adapters must be a whole number"),
        ({"max_adapters": 2.5}, "max_adapters must be a whole number"),
        ({"max_adapters": 99}, "max_adapters must lie between 0 and 10"),
        ({"per_task": -1}, "per_task must lie between 0 and 5"),
        ({"per_task": True}, "per_task must be a whole number"),
        ({"strength": "strong"}, "strength must be a number"),
        ({"strength": float("nan")}, "strength must be a number"),
        ({"strength": float("inf")}, "strength must be a number"),
        ({"strength": 5}, "strength must lie between 0.0 and 2.0"),
        ({"diversity": "wild"}, "diversity must be one of varied, paper, all, subsets"),
        ({"composer": "oracle"}, "composer must be one of rules"),
        ({"seed": -2}, "seed must be -1"),
        ({"seed": 2**63}, "seed must be -1"),
        ({"family": "marzipan"}, "not a family"),
        ({"family": 3}, "family must be text"),
        ({"vary_inside_batch": "no"}, "vary_inside_batch must be true or false"),
    ],
)
def test_a_wrong_value_is_refused_and_the_picture_comes_unchanged(
    stage: Stage, wrong: dict[str, Any], why: str
) -> None:
    done = stage.host.api({"enabled": True, **wrong}, prompt=PROMPT, batch_size=2)
    assert len(done.images) == 2
    assert all(parse_generation_parameters(text)["Prompt"] == PROMPT for text in done.infotexts)
    assert stage.asked == []
    told = [text for text in done.p.comments if text.startswith("Stylus did nothing: ")]
    assert len(told) == 1
    assert why in told[0]
    assert parse_generation_parameters(done.infotexts[0])["Stylus notes"]


def test_numbers_as_sliders_give_them(stage: Stage) -> None:
    values = read([True, "rules", 2.0, 1, 1, "paper", False, False, 7.0]).values
    assert (values.max_adapters, values.strength, values.seed) == (2, 1.0, 7)
    assert isinstance(values.strength, float)


def test_a_cleared_number_is_the_default(stage: Stage) -> None:
    assert read([True, "rules", 3, 1, 1.0, "paper", False, False, None]).values.seed == -1


def test_the_panels_values_reach_the_engine(stage: Stage) -> None:
    wanted = {
        "enabled": True,
        "max_adapters": 1,
        "per_task": 2,
        "strength": 0.5,
        "diversity": "all",
        "family": "sdxl",
    }
    done = stage.host.api(wanted, prompt=PROMPT, n_iter=2)
    settings = stage.asked[0]["settings"]
    assert settings["selection"]["max_adapters"] == 1
    assert settings["selection"]["per_task"] == 2
    assert settings["weights"]["strength"] == 0.5
    assert settings["diversity"]["scheme"] == "all"
    assert settings["selection"]["family"] == "sdxl"
    assert "encoder" not in settings
    assert "vectors" not in settings
    assert all("<lora:corgi_dog:0.4>" in text for text in done.infotexts)


def test_a_wish_for_downloads_is_answered(stage: Stage) -> None:
    done = stage.host.api({"enabled": True, "downloads": True}, prompt=PROMPT)
    assert "<lora:" in done.infotexts[0]
    assert any("too old to fetch" in text for text in done.p.comments)


def test_overrides_of_a_cell_win(stage: Stage) -> None:
    assert read([True], strength=0.25).values.strength == 0.25
    assert read([{"enabled": True, "strength": 2.0}], strength=0.25).values.strength == 0.25


@pytest.mark.parametrize(
    ("args", "on"),
    [
        ((), False),
        ((False,), False),
        ((True,), True),
        (({"enabled": True},), True),
        (({},), False),
        ((None,), False),
        (({"enabled": 0},), False),
    ],
)
def test_whether_it_is_on_takes_one_look(stage: Stage, args: tuple[Any, ...], on: bool) -> None:
    from stylus_ext.host.values import is_on

    assert is_on(args) is on

"""The choice of composer: shown where the engine has one, behind the guard where it costs money,
waited for longer.
"""

from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.errors import Unavailable
from stylus_ext.core.settings import Settings, with_values
from tests.host.double import page
from tests.host.double.fixtures import Stage
from tests.host.double.processing import Processing, process_images

CHAT = {"enabled": True, "composer": "chat"}


def offers(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    *composers: str,
    free: tuple[str, ...] = ("rules",),
) -> list[int]:
    """The small engine's status says so; how often it was asked."""
    asked: list[int] = []

    def status() -> dict[str, Any]:
        asked.append(1)
        return {
            "capabilities": {
                "operations": ["plan"],
                "composers": list(composers),
                "free_composers": list(free),
            }
        }

    monkeypatch.setattr(stage.client, "status", status)
    stage.engine.start()
    return asked


def composed(stage: Stage) -> str:
    return str(stage.asked[-1]["settings"]["selection"]["composer"])


def told(done: Any) -> str:
    return " ".join(done.p.comments)


def make(stage: Stage, is_api: bool = True, **args: Any) -> Any:
    p = Processing(stage.host, "a corgi, oil painting", is_api=is_api)
    p.give_scripts(stage.host.txt2img, (0, {**CHAT, **args}))
    return process_images(p)


@pytest.mark.parametrize(
    ("composers", "shown"),
    [(("rules",), False), (("rules", "chat"), True), (("rules", "chat", "novel"), True)],
)
def test_the_choice_follows_what_the_engine_has(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, composers: tuple[str, ...], shown: bool
) -> None:
    from stylus_ext.host.panel.events import shown_of

    asked = offers(stage, monkeypatch, *composers)
    update = shown_of(stage.planner, stage.engine.report())[5]
    assert update["visible"] is shown
    assert update.get("choices") == (["rules", "chat"] if shown else None)
    shown_of(stage.planner, stage.engine.report())
    assert len(asked) <= 2, "downloads and composers ask an engine once each"


def test_while_nobody_can_tell_it_stays_as_it_is(stage: Stage) -> None:
    from stylus_ext.host.panel.events import look, shown_of

    assert "visible" not in shown_of(stage.planner, stage.engine.report())[5]
    assert len(look(False, page.Request())) == len(look(True, page.Request())) == 6


def test_an_engine_that_does_not_answer_offers_the_rules(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> dict[str, Any]:
        raise Unavailable("The engine is gone.")

    offers(stage, monkeypatch, "rules", "chat")
    monkeypatch.setattr(stage.client, "status", gone)
    assert stage.planner.permissions.shown() == (False, ("rules",))
    offers(stage, monkeypatch, "rules", "chat")
    assert stage.planner.permissions.shown() == (False, ("rules", "chat")), "that was not kept"


def test_another_engine_is_asked_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = offers(stage, monkeypatch, "rules", "chat")
    stage.planner.permissions.offer()
    stage.planner.permissions.offer()
    assert len(asked) == 1
    stage.engine.pid += 1
    stage.planner.permissions.offer()
    assert len(asked) == 2


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"capabilities": None},
        {"capabilities": {"composers": "chat"}},
        {"capabilities": {"composers": [1, None]}},
    ],
)
def test_what_says_nothing_of_composers_has_the_rules(status: dict[str, Any]) -> None:
    from stylus_ext.host.permissions import EngineOffer, read_offer

    assert read_offer(status) == EngineOffer()


def test_the_rules_ask_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = offers(stage, monkeypatch, "rules", "chat")
    make(stage, composer="rules")
    assert (composed(stage), asked) == ("rules", [])


@pytest.mark.parametrize(
    ("flags", "free", "composer"),
    [
        ({}, False, "chat"),
        ({"listen": True}, False, "rules"),
        ({"listen": True}, True, "chat"),
        ({"listen": True, "api_auth": "ann:secret"}, False, "chat"),
        ({"share": True, "enable_insecure_extension_access": True}, False, "chat"),
    ],
)
def test_nobody_from_outside_spends_money(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any], free: bool, composer: str
) -> None:
    from stylus_ext.host import compat

    offers(stage, monkeypatch, "rules", "chat", free=("rules", "chat") if free else ("rules",))
    for name, value in flags.items():
        monkeypatch.setattr(compat.flags(), name, value, raising=False)
    done = make(stage)
    assert composed(stage) == composer
    assert ("The rules compose in place of the language model" in told(done)) is (
        composer == "rules"
    )
    assert "<lora:" in done.infotexts[0]


def test_a_plan_by_a_model_is_waited_for_longer(stage: Stage) -> None:
    from stylus_ext.host.planner import timeouts

    stage.host.opts.data |= {"stylus_chat_s": 30.0}
    assert (timeouts().warm_s, timeouts("chat").warm_s) == (2.0, 32.0)
    assert timeouts("chat").cold_s == 50.0
    assert timeouts("rules") == timeouts()


def test_what_a_plan_asks_of_the_guard(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylus_ext.host.guard import RequestKind

    offers(stage, monkeypatch, "rules", "chat", free=("rules",))
    assert (stage.planner.permissions.kind("rules"), stage.planner.permissions.kind("chat")) == (
        RequestKind.PLAN,
        RequestKind.SPEND,
    )
    stage.engine.pid += 1
    offers(stage, monkeypatch, "rules", "chat", free=("rules", "chat"))
    assert stage.planner.permissions.kind("chat") == RequestKind.PLAN


def test_settings_of_the_page_are_taken_as_they_are(stage: Stage) -> None:
    settings = with_values(Settings(), {"selection": {"composer": "rules"}})
    assert stage.planner.permissions.allowed(object(), settings, 1.0) == (settings, [])


@pytest.mark.parametrize(("free", "policy"), [(False, "hybrid"), (True, "rerank")])
def test_a_reranker_that_costs_money_is_behind_the_guard_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, free: bool, policy: str
) -> None:
    from stylus_ext.host import compat

    offers(stage, monkeypatch, "rules")
    told_by_engine = {
        "capabilities": {
            "composers": ["rules"],
            "free_composers": ["rules"],
            "free_policies": ["rerank"] if free else ["hybrid"],
        }
    }
    monkeypatch.setattr(stage.client, "status", lambda: told_by_engine)
    monkeypatch.setattr(compat.flags(), "listen", True, raising=False)
    stage.host.opts.data["stylus_selection_policy"] = "rerank"
    done = make(stage, composer="rules")
    assert stage.asked[-1]["settings"]["selection"]["policy"] == policy
    assert ("not reranked" in told(done)) is not free

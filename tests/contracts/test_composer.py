"""What every `Composer` keeps to. A new one adds a builder to `COMPOSERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylus_ext.core.ports import Composer
from stylus_ext.llm import LlmClient, LlmEndpoint
from stylus_ext.selection.compose.llm import LlmComposer
from stylus_ext.selection.compose.rules import RuleComposer
from tests.chat_service.composing import answers, sensible
from tests.chat_service.server import ChatService, serving
from tests.selection.retrieve.house import House, catalogue, filling, open_house, query

COMPOSERS: dict[str, Callable[[str], Composer]] = {
    "rules": lambda _: RuleComposer(),
    "chat": lambda url: LlmComposer(LlmClient(LlmEndpoint(url, "m"))),
}
PROMPTS = (
    "a copper train at a night market",
    "mira vanthal, goggles, sky, fog",
    "inkwellstyle, castle, rain <lora:rain:0.4>",
    "",
    "((",
    "knittedthing, teapot, velvet gown, train BREAK market, night, lanterns",
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    opened = open_house(folder, [*catalogue(), *filling(60)])
    yield opened
    opened.store.close()


@pytest.fixture(params=COMPOSERS)
def composer(request: pytest.FixtureRequest, model: ChatService) -> Iterator[Composer]:
    made = COMPOSERS[request.param](model.url)
    yield made
    if isinstance(made, LlmComposer):
        made.close()


@pytest.fixture(scope="module")
def model() -> Iterator[ChatService]:
    """For the composer that asks one."""
    with serving(answers(sensible)) as server:
        yield server


@pytest.mark.parametrize("prompt", PROMPTS)
def test_picks_come_from_the_candidates_within_the_limits(
    house: House, composer: Composer, prompt: str
) -> None:
    for most in (0, 1, 3):
        asked = query(prompt, max_adapters=most, strictness=0.0)
        candidates = house.find(prompt, max_adapters=most, strictness=0.0)
        composition = composer.compose(asked, candidates)
        assert {pick.key for pick in composition.picks} <= {
            candidate.key for candidate in candidates.found
        }
        assert len(composition.picks) + len(asked.prompt.user_tags) <= max(
            most, len(asked.prompt.user_tags)
        )
        assert all(pick.reason for pick in composition.picks)
        assert all(miss.reason for miss in composition.near_misses)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_tasks_are_pieces_of_the_prompt_in_order(
    house: House, composer: Composer, prompt: str
) -> None:
    tasks = composer.compose(query(prompt), house.find(prompt)).tasks
    assert all(prompt[task.start : task.end] for task in tasks)
    assert all(one.end <= other.start for one, other in zip(tasks, tasks[1:], strict=False))


def test_the_same_twice(house: House, composer: Composer) -> None:
    candidates = house.find(PROMPTS[0])
    assert composer.compose(query(PROMPTS[0]), candidates) == composer.compose(
        query(PROMPTS[0]), candidates
    )


def test_it_has_a_name(composer: Composer) -> None:
    assert composer.name in COMPOSERS

"""A house of adapters, a server that composes, and the composer between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.ports import PlanContext, Query
from stylus_ext.llm import LlmClient, LlmEndpoint
from stylus_ext.selection.compose.llm import LlmComposer, LlmOptions
from tests.chat_service.composing import answers, sensible
from tests.chat_service.server import ChatService, serving
from tests.selection.retrieve.house import House, query


@dataclass
class Salon:
    house: House
    server: ChatService
    clients: list[LlmClient] = field(default_factory=list)

    def composer(self, temperature: float = 0.0, **rules: Any) -> LlmComposer:
        self.clients.append(LlmClient(LlmEndpoint(self.server.url, "m", temperature=temperature)))
        return LlmComposer(self.clients[-1], replace(LlmOptions(), **rules))

    def question(
        self,
        prompt: str,
        negative: str = "",
        seed: int = 0,
        left: float | None = None,
        **limits: Any,
    ) -> tuple[Query, Candidates]:
        asked = replace(query(prompt, negative, **limits), context=PlanContext(seed, lambda: left))
        return asked, self.house.find(prompt, negative, **limits)

    def compose(self, prompt: str, composer: LlmComposer | None = None, **how: Any) -> Composition:
        return (composer or self.composer()).compose(*self.question(prompt, **how))


@contextmanager
def salon(house: House) -> Iterator[Salon]:
    with serving(answers(sensible)) as server:
        made = Salon(house, server)
        try:
            yield made
        finally:
            for client in made.clients:
                client.close()


def names(composition: Composition) -> list[str]:
    return [pick.name for pick in composition.picks]


def codes(composition: Composition) -> list[str]:
    return [note.code for note in composition.notes]

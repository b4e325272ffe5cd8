"""A local model that describes any card, over real sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.chat_service.answers import completion
from tests.chat_service.server import Asked, ChatService, Sent, serving

GOOD: dict[str, Any] = {
    "shared": "They all share one look.",
    "kind": "background",
    "text": "Wet city streets at night with red paper lanterns.",
    "weight": 0.7,
    "slider": False,
    "utility": False,
    "speed": False,
}


def title_of(asked: Asked) -> str:
    found = re.search(r"^Title: (.*)$", asked.user, re.MULTILINE)
    return found[1] if found else ""


def describing(
    change: Callable[[str], dict[str, Any]] = lambda title: {}, first_s: float = 0.0
) -> Callable[[Asked], Sent]:
    """`change` says by the card's title what is other than in the good answer."""

    def step(asked: Asked) -> Sent:
        title = title_of(asked)
        said = {**GOOD, "text": f"Draws {title} among wet streets and lanterns.", **change(title)}
        return Sent(completion(json.dumps(said)), first_s=first_s)

    return step


@contextmanager
def model(
    change: Callable[[str], dict[str, Any]] = lambda title: {}, first_s: float = 0.0
) -> Iterator[ChatService]:
    with serving(describing(change, first_s)) as service:
        yield service


def titles(service: ChatService) -> list[str]:
    with service.guard:
        return [title_of(asked) for asked in service.seen]

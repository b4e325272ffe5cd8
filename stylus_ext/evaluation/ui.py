"""Measure how long a user of the Stylus tab waits: search, opening, preview.

Requests go to a running engine over a catalogue of invented cards.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation import invented, speed
from stylus_ext.evaluation.host import running_engine
from stylus_ext.evaluation.measuring import Command, figure_lines, opened, percentiles

_REAL = 1000
_PAGE = 40
_TIMEOUT_S = 120.0
_OPENINGS = 20
_DETAILS = 40
_WARM = 3


Request = tuple[str, str, Mapping[str, Any]]
"""Method, path and payload."""


@dataclass(frozen=True, slots=True)
class EngineHttp:
    """A persistent connection to the engine, like a page's."""

    connection: http.client.HTTPConnection
    token: str

    def ask(self, method: str, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, f"/v1/{path}", json.dumps(payload), headers)
        answer = self.connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        if answer.status != http.client.OK:
            raise Unavailable(f"The engine refused {path}: {content['error']['message']}")
        return content


def measure(
    folder: Path, entries: int, searches: int, command: Command, progress: Progress
) -> dict[str, Any]:
    data = folder / "data"
    data.mkdir()
    with opened(data) as stylus:
        speed.build(stylus, min(_REAL, entries), entries, progress)
    with running_engine(data, command):
        content = json.loads((data / "engine.json").read_text("utf-8"))
        address = urlsplit(content["url"]).netloc
        with closing(http.client.HTTPConnection(address, timeout=_TIMEOUT_S)) as connection:
            engine = EngineHttp(connection, content["token"])
            _wait_for_jobs(engine, progress)
            return {"entries": entries} | _measure_requests(engine, entries, searches, progress)


def keystrokes(number: int, seed: int = 8) -> Iterator[str]:
    """Yield the search box's content after each key, with some typing errors."""
    rng = random.Random(seed)  # noqa: S311
    cards = list(invented.cards(200, seed=9))
    made = 0
    while made < number:
        card = rng.choice(cards)
        prompt = card.examples[0].prompt[:40]
        text = rng.choice((card.name, card.triggers[0], " ".join(card.tags), prompt, "qzxv jjw"))
        if rng.random() < 0.1:  # noqa: PLR2004
            text = text[:3] + rng.choice("qxz") + text[3:]
        for end in range(1, min(len(text), 20) + 1):
            yield text[:end]
            made += 1
            if made == number:
                return


def _measure_requests(
    engine: EngineHttp, entries: int, searches: int, progress: Progress
) -> dict[str, Any]:
    typed = []
    for place, text in enumerate(keystrokes(searches)):
        progress.report("searching", place, searches)
        typed.append(_time(engine, _browse(text=text)))
    listed = [_time(engine, _browse(offset=_PAGE * page, **keep)) for page, keep in _pages()]
    ordered = [
        _time(engine, _browse(offset=_PAGE * page, order=order, **keep))
        for order in ("added", "size", "used", "name")
        for page, keep in _pages()
    ]
    shown = engine.ask(*_browse(offset=entries // 2, limit=_DETAILS))["entries"]
    keys = [{"key": entry["key"]} for entry in shown]
    details = [_time(engine, ("POST", "show", key)) for key in keys]
    similar = [_time(engine, ("POST", "similar", key)) for key in keys]
    opening: tuple[Request, ...] = (
        ("GET", "status", {}),
        ("POST", "overview", {}),
        _browse(),
        ("GET", "jobs", {}),
    )
    opened_tabs = [_time(engine, *opening) for _ in range(_OPENINGS)]
    previews = []
    for prompt in invented.prompts(max(10, searches // 20), seed=12):
        previews.append(_time(engine, ("POST", "plan", {"prompt": prompt, "reach": "catalogue"})))
    return {
        "keystrokes": len(typed),
        **percentiles("search", typed),
        **percentiles("page", listed),
        **percentiles("sort", ordered),
        **percentiles("details", details),
        **percentiles("similar", similar),
        **percentiles("open", opened_tabs),
        **percentiles("preview", previews[_WARM:]),
    }


def _pages() -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield near and far pages, with and without filters."""
    for keep in (
        {},
        {"family": "sd1"},
        {"kind": "style"},
        {"state": "auto", "refined": False},
        {"bare": False, "on_disk": False},
    ):
        for page in (0, 1, 20):
            yield page, dict(keep)


def _wait_for_jobs(engine: EngineHttp, progress: Progress) -> None:
    """Wait for the jobs that an engine runs after its start."""
    until = time.monotonic() + _TIMEOUT_S
    while any(
        job["state"] in ("waiting", "running") for job in engine.ask("GET", "jobs", {})["jobs"]
    ):
        if time.monotonic() > until:
            raise Unavailable("The engine did not finish its preparation in time.")
        progress.report("waiting for the engine", 0)
        time.sleep(0.2)


def _browse(**query: Any) -> Request:
    return "POST", "browse", {"limit": _PAGE, **query}


def _time(engine: EngineHttp, *requests: Request) -> float:
    began = time.perf_counter()
    for request in requests:
        engine.ask(*request)
    return time.perf_counter() - began


lines = figure_lines(
    {
        "search_p50_ms": "<= 50 at 100,000",
        "search_p95_ms": "<= 50 at 100,000",
        "sort_p95_ms": "<= 100 at 100,000",
        "details_p95_ms": "<= 100 at 100,000",
        "similar_p95_ms": "<= 100 at 100,000",
    }
)

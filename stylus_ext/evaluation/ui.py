"""Measure how long a user of the Stylus tab waits: search, opening, preview.

Requests go to a running engine over a catalogue of invented cards.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.stylus import open_stylus
from stylus_ext.evaluation import invented, speed
from stylus_ext.evaluation.host import Command, running_engine

_REAL = 1000
_PAGE = 40
_PATIENCE_S = 120.0
_OPENINGS = 20
_BUDGETS = {"search_p50_ms": "<= 50 at 100,000", "search_p95_ms": "<= 150 at 100,000"}


@dataclass(frozen=True, slots=True)
class EngineHttp:
    """A persistent connection to the engine, like a page's."""

    connection: http.client.HTTPConnection
    token: str

    def ask(
        self, method: str, path: str, payload: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, f"/v1/{path}", json.dumps(payload or {}), headers)
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
    stylus = open_stylus(data, Settings())
    try:
        speed.build(stylus, min(_REAL, entries), entries, progress)
    finally:
        stylus.close()
    with running_engine(data, command):
        content = json.loads((data / "engine.json").read_text("utf-8"))
        with closing(
            http.client.HTTPConnection(urlsplit(content["url"]).netloc, timeout=_PATIENCE_S)
        ) as connection:
            engine = EngineHttp(connection, content["token"])
            _wait_for_jobs(engine, progress)
            return {"entries": entries} | _measure_requests(engine, searches, progress)


def keystrokes(number: int, seed: int = 8) -> Iterator[str]:
    """Yield the search box's content after each key, with some typing errors."""
    rng = random.Random(seed)  # noqa: S311
    cards = list(invented.cards(200, seed=9))
    made = 0
    while made < number:
        card = rng.choice(cards)
        text = rng.choice(
            (
                card.name,
                card.triggers[0],
                " ".join(card.tags),
                card.examples[0].prompt[:40],
                "qzxv jjw",
            )
        )
        if rng.random() < 0.1:  # noqa: PLR2004
            text = text[:3] + rng.choice("qxz") + text[3:]
        for end in range(1, min(len(text), 20) + 1):
            yield text[:end]
            made += 1
            if made == number:
                return


def _measure_requests(engine: EngineHttp, searches: int, progress: Progress) -> dict[str, Any]:
    typed = []
    for place, text in enumerate(keystrokes(searches)):
        progress.report("searching", place, searches)
        typed.append(_timed(engine, (("POST", "browse", {"text": text, "limit": _PAGE}),)))
    listed = [
        _timed(engine, (("POST", "browse", {"offset": _PAGE * page, "limit": _PAGE, **keep}),))
        for page, keep in _pages()
    ]
    opening: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
        ("GET", "status", None),
        ("POST", "overview", {}),
        ("POST", "browse", {"limit": _PAGE}),
        ("GET", "jobs", None),
    )
    opened = [_timed(engine, opening) for _ in range(_OPENINGS)]
    prompts = list(invented.prompts(max(10, searches // 20), seed=12))
    for prompt in prompts[:3]:
        engine.ask("POST", "plan", {"prompt": prompt, "reach": "catalogue"})
    previews = [
        _timed(engine, (("POST", "plan", {"prompt": prompt, "reach": "catalogue"}),))
        for prompt in prompts[3:]
    ]
    return {
        "keystrokes": len(typed),
        **_figures("search", typed),
        **_figures("page", listed),
        **_figures("open", opened),
        **_figures("preview", previews),
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
    until = time.monotonic() + _PATIENCE_S
    while any(job["state"] in ("waiting", "running") for job in engine.ask("GET", "jobs")["jobs"]):
        if time.monotonic() > until:
            raise Unavailable("The engine did not finish its preparation in time.")
        progress.report("waiting for the engine", 0)
        time.sleep(0.2)


def _timed(engine: EngineHttp, requests: Sequence[tuple[str, str, dict[str, Any] | None]]) -> float:
    began = time.perf_counter()
    for method, path, payload in requests:
        engine.ask(method, path, payload)
    return time.perf_counter() - began


def _figures(name: str, times: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}_p50_ms": round(1000 * median(times), 1),
        f"{name}_p95_ms": round(1000 * quantiles(times, n=20)[-1], 1),
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    for name, value in found.items():
        yield f"{name:26} {value!s:>10}  {_BUDGETS.get(name, '')}".rstrip()

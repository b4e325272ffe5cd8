"""A server program in a gradio's environment, as a test sees it: started, asked, and ended."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.environment.child import ALONE_VARIABLE, PATH_VARIABLE, command
from stylus_ext.environment.layout import Environment
from tests.browser.environments import variables

PROGRAM = "tests.browser.server"
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """Where it is reached, and what it said of its start."""

    url: str
    bare: str
    gradio: str
    started_in_ms: float
    built_in_ms: Mapping[str, float]

    def told(self) -> dict[str, Any]:
        return dict(self._ask(urllib.request.Request(f"{self.url}told")))

    def flag(self, name: str, on: bool) -> None:
        self._ask(urllib.request.Request(f"{self.url}flag/{name}/{'on' if on else 'off'}", method="POST"))

    def _ask(self, request: urllib.request.Request) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_PATIENCE_S) as answer:
            return json.load(answer)


def here() -> dict[str, str]:
    """The packages that run the tests are those that the engine gets."""
    return {name: os.environ.get(name, default) for name, default in ((PATH_VARIABLE, ""), (ALONE_VARIABLE, "0"))}


@contextmanager
def running(environment: Environment, orders: Mapping[str, Any], words: list[str] | None = None) -> Iterator[Running]:
    """`orders` are those of `server.py`; `words` start it from another copy of the extension."""
    folder = Path(orders["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.json").write_text(json.dumps(orders), "utf-8")
    said = variables(environment) | dict(orders.get("variables", {}))
    log = folder / "server.log"
    with log.open("wb") as errors, subprocess.Popen(
        [*(words or command(PROGRAM)), str(folder / "orders.json")], env=said, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=errors, cwd=folder,
    ) as process:
        try:
            yield Running(**_first_words(process, log))
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_words(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """gradio has its own lines before ours."""
    for line in process.stdout or ():
        if line.startswith(b"{"):
            return dict(json.loads(line))
    raise AssertionError(f"The page's program ended: {log.read_text('utf-8', 'replace')[-2000:]}")

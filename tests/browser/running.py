"""A server program in a gradio's environment, as a test sees it: started, asked, and ended."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stylus_ext.environment.layout import ROOT, Environment
from stylus_ext.environment.run_in_env import ALONE_VARIABLE, PATH_VARIABLE, command
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
        return dict(json.loads(self.ask("GET", "/told")[1]))

    def flag(self, name: str, on: bool) -> None:
        self.ask("POST", f"/flag/{name}/{'on' if on else 'off'}")

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and text, as anybody on this machine would get them."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_PATIENCE_S)
        with closing(connection):
            sent = None if body is None else json.dumps(body).encode()
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


def here() -> dict[str, str]:
    """The packages that run the tests are those that the engine gets."""
    return {
        name: os.environ.get(name, default)
        for name, default in ((PATH_VARIABLE, ""), (ALONE_VARIABLE, "0"))
    }


@contextmanager
def running(
    environment: Environment, orders: Mapping[str, Any], root: Path = ROOT
) -> Iterator[Running]:
    """`orders` are those of `server.py`; `root` may be another copy of the extension."""
    folder = Path(orders["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.json").write_text(json.dumps(orders), "utf-8")
    said = variables(environment) | dict(orders.get("variables", {}))
    said[PATH_VARIABLE] = os.pathsep.join(
        [*(str(part.folder) for part in environment.parts), str(root)]
    )
    words = [word.replace(str(ROOT), str(root)) for word in command(PROGRAM)]
    log = folder / "server.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*words, str(folder / "orders.json")],
            env=said,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
        ) as process,
    ):
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

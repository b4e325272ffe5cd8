"""Client of the engine: returns JSON answers or raises a StylusError; an interrupt ends a wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stylus_ext.core.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineGone,
    EngineRefusal,
    InvalidInput,
    StylusError,
    Unavailable,
)
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.host.engine.inventory import HostInventory, Inventory
from stylus_ext.host.engine.setup_state import ANSWERING
from stylus_ext.host.engine.supervisor import EngineProcess

LEFT = "The prompt was left as it was: "
_SLICE_S = 0.02
_SLACK_S = 0.5  # the engine keeps to the deadline itself, and its answer has a note
_QUICK_S = 10.0
_SENDING_S = 60.0

Sent = tuple[Inventory, str]


class _NotThere(Unavailable):
    """The engine does not know our inventory."""


class NoEngine(EngineGone):
    """No engine answers; the prompt is left unchanged."""


class EngineClient:
    """Calls the engine's own address, past every proxy; thread-safe."""

    def __init__(self, process: EngineProcess) -> None:
        self._process = process

    def generation(
        self, payload: Mapping[str, Any], deadline_s: float, interrupted: Callable[[], bool]
    ) -> dict[str, Any]:
        """Ask the engine that is ready now, once."""
        return self._post("/v1/generation", payload, _Wait(deadline_s, interrupted))

    def plan(
        self,
        payload: Mapping[str, Any],
        deadline_s: float,
        interrupted: Callable[[], bool],
        after: int = -1,
    ) -> dict[str, Any]:
        """Wait for an engine of an epoch later than `after`, and ask it, within one deadline."""
        wait = _Wait(deadline_s, interrupted)
        self._make_ready(wait, after)
        return self._post("/v1/plan", {**payload, "deadline_s": wait.left()}, wait)

    def folders(self, payload: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Let the engine read LoRA folders."""
        return self._call("POST", "/v1/folders", payload, timeout_s + _QUICK_S)

    def status(self, timeout_s: float = _QUICK_S) -> dict[str, Any]:
        """The engine's own status; never starts one."""
        return self._call("GET", "/v1/status", None, timeout_s)

    def ask(
        self, method: str, path: str, payload: object = None, timeout_s: float = _QUICK_S
    ) -> dict[str, Any]:
        """Ask a path of the engine, starting it if needed."""
        self._make_ready(_Wait(timeout_s, bool), after=-1)
        return self._call(method, path, payload, timeout_s)

    def index(
        self, lora_dirs: Sequence[str], others: Mapping[str, Sequence[str]] | None = None
    ) -> str:
        """Start reading folders, `others` by field; returns the job's id."""
        fields = {"lora_dirs": lora_dirs, **(others or {})}
        return self.begin("index", {name: list(map(str, fields[name])) for name in fields})

    def begin(self, name: str, payload: Mapping[str, Any]) -> str:
        """Start a job; returns its id."""
        return str(self._call("POST", f"/v1/jobs/{name}", payload, _QUICK_S)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v1/jobs/{job_id}", None, _QUICK_S)

    def always(self) -> list[str]:
        """Stems on disk that the user always wants; of our inventory if the engine is shared."""
        link, inventory = self._link(), self._process.inventory
        if inventory is not None:
            answer = _with_inventory(
                link,
                inventory,
                lambda known: _ask(
                    link, "POST", "/v1/inventory", {"inventory": known[1]}, _QUICK_S
                ),
            )
            return [str(stem) for stem in answer["always"]]
        answer = self._call(
            "POST", "/v1/search", {"state": "always", "on_disk": True, "limit": 500}, _QUICK_S
        )
        return [str(entry["stem"]) for entry in answer["entries"] if entry["stem"]]

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v1/jobs/{job_id}/cancel", {}, _QUICK_S)

    def _make_ready(self, wait: _Wait, after: int) -> None:
        if self._process.wait_ready(wait.left(), wait.interrupted, after):
            return
        wait.check("the engine was not ready")
        raise Unavailable(self._process.report().sentence)

    def _post(self, path: str, request: Mapping[str, Any], wait: _Wait) -> dict[str, Any]:
        link, inventory, timeout_s = self._link(), self._process.inventory, wait.left() + _SLACK_S

        def ask(payload: Mapping[str, Any]) -> dict[str, Any]:
            return _ask(link, "POST", path, payload, timeout_s)

        if inventory is None or request.get("stems") is None:
            return wait.through(lambda: ask(request))
        return wait.through(
            lambda: _with_inventory(link, inventory, lambda known: ask(_by_number(request, known)))
        )

    def _call(self, method: str, path: str, payload: object, timeout_s: float) -> dict[str, Any]:
        return _ask(self._link(), method, path, payload, timeout_s)

    def _link(self) -> EngineLink:
        try:
            return self._process.link()
        except EngineGone as gone:
            raise NoEngine(str(gone)) from gone


class _Wait:
    """The time of one plan, and the user's stop button."""

    def __init__(self, deadline_s: float, interrupted: Callable[[], bool]) -> None:
        self._deadline_s = deadline_s
        self._until = time.monotonic() + deadline_s
        self.interrupted = interrupted

    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def check(self, why: str, slack_s: float = 0.0) -> None:
        if self.interrupted():
            raise Cancelled(
                "The choice of LoRAs was interrupted, so the prompt was left as it was."
            )
        if time.monotonic() >= self._until + slack_s:
            raise DeadlineExceeded(f"{LEFT}{why} within {round(self._deadline_s, 1):g} s.")

    def through(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run a call in a thread, which is left alone if the wait ends first."""
        done = threading.Event()
        results: list[dict[str, Any] | StylusError] = []

        def run() -> None:
            try:
                results.append(call())
            except StylusError as problem:
                results.append(problem)
            finally:
                done.set()

        threading.Thread(target=run, name="stylus-plan", daemon=True).start()
        while not done.wait(_SLICE_S):
            self.check("its plan was not ready", _SLACK_S)
        result = results[0] if results else NoEngine("The engine's answer could not be read.")
        if isinstance(result, StylusError):
            raise result
        return result


def _with_inventory(
    link: EngineLink, inventory: HostInventory, ask: Callable[[Sent], dict[str, Any]]
) -> dict[str, Any]:
    """Ask with our inventory, which is sent first if the engine does not have it."""
    listed = inventory.now()
    if inventory.sent is not None and inventory.sent[0] is listed:
        try:
            return ask(inventory.sent)
        except _NotThere:
            inventory.sent = None
    taken = _ask(link, "POST", "/v1/inventory", {"items": listed.items}, _SENDING_S)
    inventory.sent = sent = (listed, str(taken["inventory"]))
    return ask(sent)


def _by_number(request: Mapping[str, Any], known: Sent) -> dict[str, Any]:
    """Replace the stems by the inventory's id; part of the inventory is still listed."""
    inventory, number = known
    some = {} if inventory.stems <= set(request["stems"]) else {"stems": request["stems"]}
    return {
        **{name: value for name, value in request.items() if name != "stems"},
        **some,
        "inventory": number,
    }


def _ask(
    link: EngineLink, method: str, path: str, payload: object, timeout_s: float
) -> dict[str, Any]:
    try:
        return link.call(method, path, payload, timeout_s)
    except EngineGone as gone:
        raise NoEngine(str(gone)) from gone
    except EngineRefusal as refusal:
        if refusal.code == "inventory":
            raise _NotThere(str(refusal)) from refusal
        raise (InvalidInput if refusal.code == "invalid" else Unavailable)(
            str(refusal)
        ) from refusal


def known_status(
    process: EngineProcess, timeout_s: float
) -> tuple[dict[str, Any], dict[str, Any] | None, str]:
    """The report as JSON, the engine's own status if it answers, or an error; starts nothing."""
    report, status, problem = process.report(), None, ""
    if report.state in ANSWERING:
        try:
            status = EngineClient(process).status(timeout_s)
        except StylusError as error:
            problem = str(error)
    return asdict(report) | {"state": report.state.value}, status, problem

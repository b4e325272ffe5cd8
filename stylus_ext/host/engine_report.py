"""What the user is told about the engine: a state goes in with what is known, one kind sentence and
figures come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

AGAIN = "again"  # the step of a set-up that was begun and did not come to its end


class EngineState(str, Enum):
    """Where the engine is on its way from nothing to answering."""

    NOT_SET_UP = "not_set_up"
    SETTING_UP = "setting_up"
    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One look at the engine; the megabytes are those of its set-up."""

    state: EngineState
    sentence: str
    step: str = ""
    done_mb: int = 0
    total_mb: int = 0
    eta_s: int | None = None
    pid: int = 0
    url: str = ""
    version: str = ""


def stopped() -> EngineReport:
    return EngineReport(
        EngineState.STOPPED,
        "The engine is not running; it starts by itself as soon as it is needed.",
    )


def starting(pid: int = 0, why: str = "") -> EngineReport:
    said = (
        f"The engine is starting again, since it {why}."
        if why
        else "The engine is starting; this takes a few seconds."
    )
    return EngineReport(EngineState.STARTING, said, step="starting", pid=pid)


def ready(url: str, pid: int, version: str) -> EngineReport:
    return EngineReport(
        EngineState.READY, "The engine is ready.", pid=pid, url=url, version=version
    )


def remote(url: str) -> EngineReport:
    return EngineReport(
        EngineState.REMOTE, f"Plans are made by the shared engine at {url}.", url=url
    )


def failed(sentence: str, version: str = "") -> EngineReport:
    return EngineReport(EngineState.FAILED, sentence, version=version)


def mismatched(theirs: str, ours: str) -> EngineReport:
    """After an update of the extension the WebUI's process still has the old modules: a reload of
    the UI keeps them.
    """
    said = (
        f"Stylus was changed from version {ours} to {theirs} while the WebUI was running: please"
        " restart the WebUI fully."
    )
    if not theirs:
        said = (
            f"The engine that runs is not of Stylus {ours}, which the WebUI has loaded: please"
            " restart the WebUI fully."
        )
    return failed(said, theirs)

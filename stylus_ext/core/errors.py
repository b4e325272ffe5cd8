"""What can go wrong, as one tree, and the notes that tell a user what was done about it.

StylusError
├── EnvironmentProblem   the private environment is missing, unsupported or broken
├── InvalidInput         a request, a setting or a file that cannot be used as it is
├── Unavailable          something that may work later: a lock, a network, an engine
│   └── DeadlineExceeded the time that was given is over
├── Cancelled            the user said stop
└── StoreProblem         the data folder cannot be read or written
"""

from __future__ import annotations

from dataclasses import dataclass


class StylusError(Exception):
    """Every error that a user may see; its message says what happened, to what, and what to do."""


class EnvironmentProblem(StylusError):
    """The private environment is missing, unsupported or broken."""


class InvalidInput(StylusError):
    """A request, a setting or a file that cannot be used as it is."""


class Unavailable(StylusError):
    """Something that may work later: a lock, a network, an engine."""


class DeadlineExceeded(Unavailable):
    """The time that was given is over."""


class Cancelled(StylusError):
    """The user said stop."""


class StoreProblem(StylusError):
    """The data folder cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user; programs match its `code`."""

    code: str
    text: str


class SetupProblem(Exception):
    """The private environment cannot be made, used or removed; the text says what to do."""


class EngineGone(Exception):
    """The engine is not running, or stopped while it was asked."""


class EngineRefusal(Exception):
    """The engine answered with an error; `code` is the engine's error code."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

"""What can go wrong, as one tree, and the notes that tell a user what was done about it.

StylusError
├── EnvironmentProblem   the private environment is missing, unsupported or broken
│   └── SetupProblem     it cannot be built, used or removed
├── InvalidInput         a request, a setting or a file that cannot be used as it is
├── Unavailable          something that may work later: a lock, a network, an engine
│   ├── EngineGone       the engine is not running, or stopped while it was asked
│   └── DeadlineExceeded the time that was given is over
├── Cancelled            the user cancelled
├── EngineRefusal        the engine answered with an error
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
    """The user cancelled."""


class StoreProblem(StylusError):
    """The data folder cannot be read or written."""


class SetupProblem(EnvironmentProblem):
    """The private environment cannot be built, used or removed."""


class EngineGone(Unavailable):
    """The engine is not running, or stopped while it was asked."""


class EngineRefusal(StylusError):
    """The engine answered with an error; `code` is the engine's error code."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def reason_of(problem: object) -> str:
    """The text of an error without its full stop, for the middle of a sentence."""
    return str(problem).rstrip(". ")


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user; programs match its `code`."""

    code: str
    text: str

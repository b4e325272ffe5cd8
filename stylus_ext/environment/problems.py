"""What can go wrong with the private environment and with a running engine, each as one sentence
for the user.
"""

from __future__ import annotations


class SetupProblem(Exception):
    """The private environment cannot be made, used or removed; the text says what to do."""


class EngineGone(Exception):
    """The engine that should answer does not: it is not running, or it stopped while it was
    asked.
    """


class EngineRefusal(Exception):
    """The engine answered, and its answer is an error; `code` is the engine's own word for it."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

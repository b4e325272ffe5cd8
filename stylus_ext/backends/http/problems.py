"""What can go wrong on the way to another machine. No message holds a query, a key or a signed
address.
"""

from __future__ import annotations

from collections.abc import Mapping

from stylus_ext.core.errors import StylusError, Unavailable


class Refusal(StylusError):
    """The server answered with a status that says no. Whoever asked knows the sentence that a user
    needs; this is the plain one.
    """

    def __init__(
        self,
        where: str,
        status: int,
        said: str = "",
        body: object = None,
        retry_after: float | None = None,
    ) -> None:
        """`said` is the server's own sentence, if it is one; `body` its JSON; `retry_after` the
        seconds it asked for.
        """
        super().__init__(
            f"{where} answered with the status {status}" + (f" ({said})." if said else ".")
        )
        self.where = where
        self.status = status
        self.said = said
        self.body = body
        self.retry_after = retry_after
        self.reason = ""
        """The word by which some servers name the reason in a header."""

    def named(self, headers: Mapping[str, str]) -> Refusal:
        self.reason = headers.get("x-error-code", "")[:80]
        return self


class Unreachable(Unavailable):
    """Nobody answered, not in time, or the connection broke."""


class BadAnswer(Unavailable):
    """An answer that is not what was asked for: a web page, broken JSON, more than anybody needs, a
    redirect to nowhere.
    """

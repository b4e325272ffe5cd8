"""What can go wrong with a chat model, by what whoever asked can do about it; none of it holds a
key or the text of a question.
"""

from __future__ import annotations

from stylus_ext.backends.chat.question import Spent
from stylus_ext.core.errors import DeadlineExceeded, StylusError, Unavailable


class ChatProblem(StylusError):
    """No reply; `spent` is what the tries used up all the same."""

    spent: Spent = Spent()


class ChatRefused(ChatProblem):
    """The server or the model will not answer this, now or later: a wrong key, an unknown model, a
    refusal.
    """


class ChatBlind(ChatRefused):
    """The model cannot read images; the same question without them may be answered."""


class ChatUnreadable(ChatProblem, Unavailable):
    """What came is no object of the schema."""


class ChatUnavailable(ChatProblem, Unavailable):
    """Nobody answers, or the server has had too many requests."""


class ChatLate(ChatProblem, DeadlineExceeded):
    """The time that was given is over."""

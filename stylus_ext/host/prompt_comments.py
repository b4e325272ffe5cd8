"""Comments of prompts, which Forge Neo removes before rendering and can save in infotexts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from stylus_ext.host import compat

_COMMENT = re.compile(r"/\*.*?\*/|[^\S\n]*(?:#|//)[^\n]*", re.DOTALL)
_FIRST_WORD = re.compile(r"\s*\S+")


def commented_prompts(p: Any) -> dict[str, str]:
    """The user's prompts with comments, by the same prompts without; empty if none are saved."""
    if not compat.saves_comments():
        return {}
    lists = (*(compat.saved_prompts(p) or ()), p.all_prompts, p.all_negative_prompts)
    return {
        plain: text
        for texts in lists
        for text in texts
        if (plain := compat.strip_comments(text)) != text
    }


def with_comments(raw: str, text: str, strip: Callable[[str], str]) -> str:
    """Put the comments of `raw` into `text`, which is the same without them and with additions.

    Additions come before a comment, so that it does not swallow them. `text` if that fails.
    """
    plain, comments = _COMMENT.split(raw), _COMMENT.findall(raw)
    stripped = strip(text)
    parts, done, place = [], 0, 0
    try:
        for number, comment in enumerate(comments):
            for word in plain[number].split():
                place = stripped.index(word, place) + len(word)
            following = _FIRST_WORD.match("".join(plain[number + 1 :]))
            found = stripped.index(following.group(), place) if following else len(stripped)
            parts += [stripped[done:found], comment]
            done = found
    except ValueError:
        return text
    joined = "".join([*parts, stripped[done:]])
    return joined if strip(joined) == stripped else text

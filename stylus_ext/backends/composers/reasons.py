"""Picks and near misses in plain words."""

from __future__ import annotations

from stylus_ext.core.candidates import Candidate, Evidence
from stylus_ext.core.family import ANY, is_partial, partly


def why(candidate: Candidate, task: str, local: Evidence | None, family: str = ANY) -> str:
    """What speaks for a pick, the strongest first; and that it works in part only where it was made
    for a relative.
    """
    mine = candidate.entry.family
    if is_partial(mine, family):
        return f"{_why(candidate, task, local)}; {partly(mine, family)}"
    return _why(candidate, task, local)


def _why(candidate: Candidate, task: str, local: Evidence | None) -> str:
    if candidate.entry.edits.state == "always":
        return "you said that it shall always be used"
    seen = candidate.evidence
    if seen.trigger:
        return f"its trigger word {_quoted(seen.trigger)} stands in the prompt"
    if seen.named:
        return f"the prompt names it: {_quoted(' '.join(_whole(seen.named)))}"
    if local is not None and local.lexical and local.cosine:
        return (
            f"its card speaks of {_quoted(task)} in the same words, and means something close to it"
        )
    if local is not None and local.cosine > 0:
        return f"what it draws is close to {_quoted(task)}"
    return "prompts like this one were made with it"


def unsure(candidate: Candidate, needed: float) -> str:
    return (
        f"not sure enough that it is meant ({candidate.evidence.sure:.0%}, and {needed:.0%} are"
        " needed)"
    )


def _whole(words: tuple[str, ...]) -> list[str]:
    """The pairs of letters into which a run of Chinese or Japanese is cut to be found, put together
    again.
    """
    out: list[str] = []
    for word in words:
        if out and not word.isascii() and len(word) == 2 and out[-1][-1] == word[0]:  # noqa: PLR2004
            out[-1] += word[1]
        else:
            out.append(word)
    return out


def _quoted(text: str) -> str:
    return f"'{text.strip()[:60]}'"

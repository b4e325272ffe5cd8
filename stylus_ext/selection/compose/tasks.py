"""Spans in, tasks out: which of them the user's own adapters serve already, and where a candidate
belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Evidence, Task
from stylus_ext.core.entry import Entry
from stylus_ext.core.family import ANY, is_partial, partly
from stylus_ext.core.naming import NO_TAG_NAMES, TagNames
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import UserTag
from stylus_ext.core.prompt.phrases import Span
from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.compose.name_match import ATTRIBUTES

ADAPTER_TAGS = frozenset(("lora", "lyco"))
LIKE_THE_BEST = 0.9
"""A neighbouring span of which the evidence is this near to the best belongs to the same thing."""


def tasks_of(spans: Sequence[Span]) -> dict[int, Task]:
    return {span.start: Task(span.text, span.start, span.end, span.segment) for span in spans}


def own_tags(query: Query) -> tuple[UserTag, ...]:
    """The adapters that the user wrote, each once."""
    return tuple(
        {tag.name: tag for tag in query.prompt.user_tags if tag.kind in ADAPTER_TAGS}.values()
    )


@dataclass(frozen=True, slots=True)
class UserAdapters:
    """What the user wrote: the names in the tags, and the keys of those whose names they are."""

    names: frozenset[str]
    keys: frozenset[AdapterKey | None]

    @classmethod
    def of(cls, query: Query) -> UserAdapters:
        names = frozenset(tag.name for tag in own_tags(query))
        return cls(names, frozenset(map(query.names.key, names)))

    def has(self, entry: Entry) -> bool:
        return entry.key in self.keys or not self.names.isdisjoint(
            file.stem for file in entry.files
        )


def taken(
    tasks: dict[int, Task],
    candidates: Sequence[Candidate],
    tags: Sequence[UserTag],
    names: TagNames = NO_TAG_NAMES,
) -> dict[int, Task]:
    """Tasks that an adapter of the user's serves: by its entry where it is known, by the words of
    its name else.
    """
    by_stem = {file.stem: candidate for candidate in candidates for file in candidate.entry.files}
    by_key: dict[AdapterKey | None, Candidate] = {
        candidate.key: candidate for candidate in candidates
    }
    out = dict(tasks)
    for tag in tags:
        candidate = by_stem.get(tag.name) or by_key.get(names.key(tag.name))
        start = best_span(candidate, out) if candidate is not None else None
        starts = _by_name(tag.name, out) if candidate is None else [] if start is None else [start]
        out.update(
            (at, replace(out[at], taken_by=tag.name)) for at in starts if not out[at].taken_by
        )
    return out


def best_span(candidate: Candidate, tasks: dict[int, Task]) -> int | None:
    """Where the evidence for a candidate is strongest; the first of equals."""
    scored = [(strength(seen), -start) for start, seen in candidate.spans.items() if start in tasks]
    return -max(scored)[1] if scored else None


def spanned(candidate: Candidate, start: int, tasks: dict[int, Task]) -> list[int]:
    """The tasks that one candidate serves together: those whose words make its name or trigger, if
    they are neighbours.
    """
    seen = candidate.spans[start]
    words = set(seen.named) | set(content_words(seen.trigger))
    order = sorted(tasks)
    place = order.index(start)
    found = [start]
    for step in (1, -1):
        at = place + step
        while 0 <= at < len(order) and _shares(
            tasks[order[at]], words, candidate.spans.get(order[at])
        ):
            found.append(order[at])
            at += step
    return sorted(found)


def merged(tasks: dict[int, Task], starts: Sequence[int], text: str) -> dict[int, Task]:
    """Several neighbouring tasks as one, which reaches from the first to the last of them."""
    if len(starts) < 2:  # noqa: PLR2004
        return tasks
    first, last = tasks[starts[0]], tasks[starts[-1]]
    if first.segment != last.segment:
        return tasks
    out = {start: task for start, task in tasks.items() if start not in starts[1:]}
    out[first.start] = replace(first, text=text[first.start : last.end], end=last.end)
    return out


def _shares(task: Task, words: set[str], seen: Evidence | None) -> bool:
    mine = set(content_words(task.text))
    return seen is not None and not task.taken_by and bool(mine) and mine <= words


def strength(seen: Evidence) -> float:
    called = seen.telling if seen.named or seen.trigger else 0.0
    return called + 2.0 * seen.lexical + seen.cosine + 2.0 * seen.lexical * seen.cosine


def _by_name(name: str, tasks: dict[int, Task]) -> list[int]:
    """All that has to do with it: the words of one are in the other, or the thing that a task ends
    with is in the name.
    """
    words = set(content_words(name))
    found = []
    for start in sorted(tasks):
        mine = content_words(tasks[start].text)
        if (
            words
            and mine
            and (
                words.issuperset(mine)
                or words.issubset(mine)
                or (mine[-1] in words and mine[-1] not in ATTRIBUTES)
            )
        ):
            found.append(start)
    return found


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

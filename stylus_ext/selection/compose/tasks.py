"""Tasks of a prompt: which ones the user's own adapters serve, and where a candidate belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.adapter_type import EMBEDDING
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Evidence, Task
from stylus_ext.core.embedding_words import mentions
from stylus_ext.core.entry import Entry
from stylus_ext.core.family import is_partial, partly
from stylus_ext.core.file_names import NO_TAG_NAMES, TagNames
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import UserTag
from stylus_ext.core.prompt.phrases import Span
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.tags import ADAPTER_KINDS, is_readable
from stylus_ext.core.triggers import stands_together
from stylus_ext.selection.compose.checks import ATTRIBUTES

Tasks = Mapping[int, Task]
"""Tasks by their start in the prompt."""

MAX_QUOTED = 60


def tasks_of(spans: Sequence[Span]) -> dict[int, Task]:
    return {span.start: Task(span.text, span.start, span.end, span.segment) for span in spans}


def user_tags(query: Query) -> tuple[UserTag, ...]:
    """The readable adapter tags that the user wrote, each name once."""
    written = query.prompt.user_tags
    tags = (tag for tag in written if tag.kind in ADAPTER_KINDS and is_readable(tag))
    return tuple({tag.name: tag for tag in tags}.values())


@dataclass(frozen=True, slots=True)
class UserAdapters:
    """The adapters that the user wrote into the prompt, by name and by key."""

    names: frozenset[str]
    keys: frozenset[AdapterKey | None]
    prompt: str = ""

    @classmethod
    def of(cls, query: Query) -> UserAdapters:
        names = frozenset(tag.name for tag in user_tags(query))
        return cls(names, frozenset(map(query.names.key, names)), query.prompt.text)

    def has(self, entry: Entry) -> bool:
        stems = [file.stem for file in entry.files]
        if entry.card.type == EMBEDDING:
            return any(mentions(self.prompt, stem) for stem in stems)
        return entry.key in self.keys or not self.names.isdisjoint(stems)


def mark_taken(
    tasks: Tasks,
    candidates: Sequence[Candidate],
    tags: Sequence[UserTag],
    names: TagNames = NO_TAG_NAMES,
) -> dict[int, Task]:
    """Mark tasks that the user's own adapters serve, by evidence or by name."""
    by_stem = {file.stem: candidate for candidate in candidates for file in candidate.entry.files}
    by_key: dict[AdapterKey | None, Candidate] = {
        candidate.key: candidate for candidate in candidates
    }
    marked = dict(tasks)
    for tag in tags:
        candidate = by_stem.get(tag.name) or by_key.get(names.key(tag.name))
        if candidate is None:
            starts = _tasks_by_name(tag.name, marked)
        else:
            start = best_task(candidate, marked)
            starts = [] if start is None else [start]
        for start in starts:
            if not marked[start].taken_by:
                marked[start] = replace(marked[start], taken_by=tag.name)
    return marked


def _tasks_by_name(name: str, tasks: Tasks) -> list[int]:
    """Tasks that contain the words of a name or the reverse, or whose last word is in the name."""
    words = set(content_words(name))
    found = []
    for start in sorted(tasks):
        task = content_words(tasks[start].text)
        if words and task:
            is_subject = task[-1] in words and task[-1] not in ATTRIBUTES
            if is_subject or words.issuperset(task) or words.issubset(task):
                found.append(start)
    return found


def best_task(candidate: Candidate, tasks: Tasks) -> int | None:
    """Start of the task with the strongest evidence; the first of equals."""
    scored = [
        (strength(evidence), -start)
        for start, evidence in candidate.spans.items()
        if start in tasks
    ]
    return -max(scored)[1] if scored else None


def strength(evidence: Evidence) -> float:
    named = evidence.rarity if evidence.named or evidence.trigger else 0.0
    both = 2.0 * evidence.lexical * evidence.cosine
    return named + 2.0 * evidence.lexical + evidence.cosine + both


def joint_tasks(candidate: Candidate, start: int, tasks: Tasks) -> list[int]:
    """This task and neighbours whose words are all in the name or trigger."""
    evidence = candidate.spans[start]
    words = set(evidence.named) | set(content_words(evidence.trigger))
    order = sorted(tasks)
    place = order.index(start)
    found = [start]
    for step in (1, -1):
        at = place + step
        while 0 <= at < len(order) and _is_within(tasks[order[at]], words, candidate):
            found.append(order[at])
            at += step
    return sorted(found)


def _is_within(task: Task, words: set[str], candidate: Candidate) -> bool:
    own = set(content_words(task.text))
    return task.start in candidate.spans and not task.taken_by and bool(own) and own <= words


def merge_tasks(tasks: Tasks, starts: Sequence[int], text: str) -> Tasks:
    """Replace neighbouring tasks by one that reaches from the first to the last of them."""
    if len(starts) < 2:  # noqa: PLR2004
        return tasks
    first, last = tasks[starts[0]], tasks[starts[-1]]
    if first.segment != last.segment:
        return tasks
    merged = {start: task for start, task in tasks.items() if start not in starts[1:]}
    merged[first.start] = replace(first, text=text[first.start : last.end], end=last.end)
    return merged


def pick_reason(candidate: Candidate, task: str, evidence: Evidence | None, query: Query) -> str:
    """The strongest reason for a pick; `evidence` is that for its task."""
    entry, family = candidate.entry, query.limits.family
    reason = _strongest_reason(candidate, task, evidence, query.prompt.text)
    if is_partial(entry.family, family):
        return f"{reason}; {partly(entry.family, family)}"
    return reason


def _strongest_reason(
    candidate: Candidate, task: str, evidence: Evidence | None, prompt: str
) -> str:
    whole = candidate.evidence
    if candidate.entry.edits.state == "always":
        return "you set it to Always"
    if whole.trigger and stands_together(whole.trigger, prompt):
        return f"your prompt contains its trigger word {_quoted(whole.trigger)}"
    if whole.named:
        return f"you named it ({_quoted(' '.join(_joined(whole.named)))})"
    if evidence is not None and evidence.lexical and evidence.cosine:
        return f"its description matches {_quoted(task)}"
    if evidence is not None and evidence.cosine > 0:
        return f"its description is close to {_quoted(task)}"
    return "its example pictures had prompts like yours"


UNCERTAIN = "probably not what you meant"


def uncertain(candidate: Candidate, needed: float) -> str:
    return f"{UNCERTAIN} ({candidate.evidence.sure:.0%}; we ask for {needed:.0%})"


def _joined(words: tuple[str, ...]) -> list[str]:
    """Undo the splitting of Chinese or Japanese runs into overlapping pairs of characters."""
    out: list[str] = []
    for word in words:
        if out and not word.isascii() and len(word) == 2 and out[-1][-1] == word[0]:  # noqa: PLR2004
            out[-1] += word[1]
        else:
            out.append(word)
    return out


def _quoted(text: str) -> str:
    return f'"{text.strip()[:MAX_QUOTED]}"'

"""Picks for prompts with everyday words that are names or triggers of cards.

Nobody asks for an adapter there: a pick must fit the picture anyway. Whether it does is for a
reader of the written file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Pick
from stylus_ext.core.entry import Entry
from stylus_ext.core.ports import Progress
from stylus_ext.core.prompt.phrases import is_count, is_quality, is_weak
from stylus_ext.core.prompt.words import name_phrases, trigger_phrases
from stylus_ext.evaluation.measuring import figure_lines, opened, write_lines
from stylus_ext.evaluation.picks import FindPicks, order_of, picker
from stylus_ext.evaluation.selection import cards, fill, pick_row
from stylus_ext.selection.compose.checks import ATTRIBUTES, CHARACTERS
from stylus_ext.selection.lexical.index import expected_cards

NOUN_SENTENCES = (
    "a photo of a {word} on a table",
    "a woman with a {word}",
    "a man next to a {word}",
    "two children looking at a {word}",
)
ADJECTIVE_SENTENCES = (
    "a woman in a {word} coat",
    "a {word} chair in a living room",
    "a dog beside a {word} car",
)
_SHORTEST = 3
_NO_NOUN_ENDINGS = ("ing", "ed", "ly")


@dataclass(frozen=True, slots=True)
class EverydayPrompt:
    """A prompt with an everyday word, and the adapters of which it is a name or trigger."""

    word: str
    prompt: str
    owners: frozenset[AdapterKey]


def run_harm(catalogue: Path, out: Path, progress: Progress, number: int) -> dict[str, Any]:
    """Ask so many prompts, and write the picks, those by the everyday word first."""
    with opened() as stylus:
        fill(stylus, cards(catalogue), progress)
        entries = [change.entry for change in stylus.catalogue.store.changes(0) if change.entry]
        prompts = everyday_prompts(entries)[:number]
        found = list(ask(prompts, picker(stylus), progress))
    rows = (_row(prompt, picks) for prompt, picks in found if picks)
    write_lines(
        out, sorted(rows, key=lambda row: not any(pick["by_word"] for pick in row["picks"]))
    )
    return report_of(found)


def everyday_prompts(entries: Sequence[Entry]) -> list[EverydayPrompt]:
    """One prompt for each everyday word, in an order that is always the same."""
    owners: dict[str, set[AdapterKey]] = {}
    for entry in entries:
        for word in everyday_words(entry):
            owners.setdefault(word, set()).add(entry.key)
    return [
        EverydayPrompt(word, _sentence(word), frozenset(owners[word]))
        for word in sorted(owners, key=order_of)
    ]


def everyday_words(entry: Entry) -> frozenset[str]:
    """The common English words that are by themselves a name or a trigger of the adapter.

    Words of a character's name are left out: most of them are given names.
    """
    phrases = set(name_phrases(entry.card.name))
    words = {phrase[0] for phrase in (*phrases, *trigger_phrases(entry)) if len(phrase) == 1}
    if entry.kind in CHARACTERS:
        words -= {word for phrase in phrases for word in phrase}
    return frozenset(filter(_is_everyday, words))


def _is_everyday(word: str) -> bool:
    return (
        len(word) >= _SHORTEST
        and expected_cards(word) > 0
        and not (is_weak(word) or is_count(word) or is_quality(word))
        and (word in ATTRIBUTES or not word.endswith(_NO_NOUN_ENDINGS))
    )


def _sentence(word: str) -> str:
    sentences = ADJECTIVE_SENTENCES if word in ATTRIBUTES else NOUN_SENTENCES
    sentence = sentences[int(order_of(word), 16) % len(sentences)].format(word=word)
    return sentence.replace(f"a {word}", f"an {word}") if word[0] in "aeiou" else sentence


def ask(
    prompts: Sequence[EverydayPrompt], find: FindPicks, progress: Progress
) -> Iterator[tuple[EverydayPrompt, Sequence[Pick]]]:
    for number, prompt in enumerate(prompts):
        progress.report("asking", number, len(prompts))
        yield prompt, find(prompt.prompt)


def report_of(found: Sequence[tuple[EverydayPrompt, Sequence[Pick]]]) -> dict[str, Any]:
    by_word = [[pick.key in prompt.owners for pick in picks] for prompt, picks in found]
    total = max(1, len(found))
    return {
        "prompts": len(found),
        "with_a_pick": round(sum(map(bool, by_word)) / total, 4),
        "with_a_pick_by_the_word": round(sum(map(any, by_word)) / total, 4),
        "picks": sum(map(len, by_word)),
        "picks_by_the_word": sum(map(sum, by_word)),
    }


def _row(prompt: EverydayPrompt, picks: Sequence[Pick]) -> dict[str, Any]:
    row = pick_row(prompt.word, prompt.prompt, picks)
    for written, pick in zip(row["picks"], picks, strict=True):
        written["by_word"] = pick.key in prompt.owners
    return row


lines = figure_lines({})

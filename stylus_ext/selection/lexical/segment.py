"""A segment: the inverted index of some entries, made once and never changed. Entries in, arrays
out.

Three kinds of postings: words of the card (BM25F impacts without idf), words of single example
prompts, and words of the phrases by which an adapter is called. The idf comes at the time of
asking, since it belongs to all segments together.
"""

from __future__ import annotations

import json
import os
import shutil
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.entry import Entry
from stylus_ext.core.prompt.words import content_words, entry_names, trigger_phrases
from stylus_ext.selection.lexical.facts import EntryFacts, FactsBuilder, Labels, LabelsBuilder
from stylus_ext.selection.lexical.postings import Floats, Ints, Offsets, Postings, postings

FIELDS = ("name", "triggers", "tags", "text")
FIELD_WEIGHTS = np.array([3.0, 2.0, 2.0, 0.5], dtype=np.float32)
"""As a first study of real cards found them; how long a field is counts by `LENGTH`."""

LENGTH = 0.5
SATURATION = 1.2
MOST_EXAMPLES = 6
MOST_WORDS = 250


@dataclass(frozen=True, slots=True)
class IndexSegment:
    """`example_starts[i]:example_starts[i + 1]` are the examples of entry `i`; phrases know their
    entry by `phrase_rows`.
    """

    keys: tuple[str, ...]
    vocabulary: dict[str, int]
    card: Postings
    examples: Postings
    example_starts: Offsets
    phrases: Postings
    phrase_rows: Ints
    phrase_lengths: Ints
    phrase_kinds: Ints
    frequency: Ints
    facts: EntryFacts
    labels: Labels

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(slots=True)
class _Triples:
    terms: array[int] = field(default_factory=lambda: array("i"))
    rows: array[int] = field(default_factory=lambda: array("i"))
    marks: array[int] = field(default_factory=lambda: array("i"))

    def add(self, terms: Sequence[int], row: int, mark: int = 0) -> None:
        self.terms.extend(terms)
        self.rows.extend([row] * len(terms))
        self.marks.extend([mark] * len(terms))

    def arrays(self) -> tuple[Ints, Ints, Ints]:
        return tuple(
            np.frombuffer(part, dtype=np.int32) if part else np.zeros(0, np.int32)  # type: ignore[return-value]
            for part in (self.terms, self.rows, self.marks)
        )


class _Builder:
    """Collects the words of one entry after the other."""

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}
        self.card, self.examples, self.phrases = _Triples(), _Triples(), _Triples()
        self.example_starts = array("q", [0])
        self.phrase_rows, self.phrase_lengths, self.phrase_kinds = (
            array("i"),
            array("i"),
            array("i"),
        )
        self.keys: list[str] = []
        self.facts = FactsBuilder()
        self.labels = LabelsBuilder()

    def ids(self, words: Sequence[str]) -> list[int]:
        known = self.vocabulary
        return [known.setdefault(word, len(known)) for word in words[:MOST_WORDS]]

    def add(self, entry: Entry) -> None:
        card, row = entry.card, len(self.keys)
        self.keys.append(str(entry.key))
        self.facts.add(entry)
        self.labels.add(entry)
        texts = (card.name, ", ".join(entry.triggers), ", ".join(card.tags), entry.text)
        for mark, text in enumerate(texts):
            self.card.add(self.ids(content_words(text)), row, mark)
        number = self.example_starts[-1]
        for prompt in dict.fromkeys(example.prompt for example in card.examples[:MOST_EXAMPLES]):
            self.examples.add(self.ids(list(dict.fromkeys(content_words(prompt)))), number, row)
            number += 1
        self.example_starts.append(number)
        for kind, phrases in enumerate((entry_names(entry), trigger_phrases(entry))):
            for phrase in phrases:
                self.phrases.add(self.ids(phrase), len(self.phrase_rows))
                self.phrase_rows.append(row)
                self.phrase_lengths.append(len(phrase))
                self.phrase_kinds.append(kind)


def build(entries: Iterable[Entry]) -> IndexSegment:
    builder = _Builder()
    for entry in entries:
        builder.add(entry)
    terms, size = len(builder.vocabulary), len(builder.keys)
    words, numbers, _ = builder.phrases.arrays()
    called = postings(
        words, numbers, np.ones(len(words), np.float32), terms, len(builder.phrase_rows)
    )
    return IndexSegment(
        keys=tuple(builder.keys),
        vocabulary=builder.vocabulary,
        card=_fielded(builder.card, terms, size),
        examples=_plain(builder.examples, terms, builder.example_starts[-1]),
        example_starts=np.array(builder.example_starts, dtype=np.int64),
        phrases=called,
        phrase_rows=np.array(builder.phrase_rows, dtype=np.int32),
        phrase_lengths=np.array(builder.phrase_lengths, dtype=np.int32),
        phrase_kinds=np.array(builder.phrase_kinds, dtype=np.int32),
        frequency=_frequency(builder, terms, size),
        facts=builder.facts.facts(),
        labels=builder.labels.labels(),
    )


def _fielded(found: _Triples, terms: int, size: int) -> Postings:
    """BM25F without idf: field weights times counts, by the length of the field, then saturated."""
    words, rows, marks = found.arrays()
    lengths = np.bincount(
        rows.astype(np.int64) * len(FIELDS) + marks, minlength=size * len(FIELDS)
    ).astype(np.float32)
    lengths = lengths.reshape(-1, len(FIELDS))
    mean = np.maximum(lengths.mean(axis=0) if size else np.ones(len(FIELDS), np.float32), 1.0)
    norm = FIELD_WEIGHTS / (1.0 - LENGTH + LENGTH * lengths / mean)
    raw = postings(words, rows, norm[rows, marks].astype(np.float32), terms, size)
    return Postings(raw.offsets, raw.rows, _saturated(raw.impacts), size)


def _plain(found: _Triples, terms: int, size: int) -> Postings:
    words, rows, _ = found.arrays()
    lengths = np.bincount(rows, minlength=size).astype(np.float32)
    mean = max(1.0, float(lengths.mean())) if size else 1.0
    norm = 1.0 / (1.0 - LENGTH + LENGTH * lengths / mean)
    raw = postings(words, rows, norm[rows].astype(np.float32), terms, size)
    return Postings(raw.offsets, raw.rows, _saturated(raw.impacts), size)


def _saturated(counts: Floats) -> Floats:
    return (counts * np.float32(1.0 + SATURATION) / (counts + np.float32(SATURATION))).astype(
        np.float32
    )


def _frequency(builder: _Builder, terms: int, size: int) -> Ints:
    """In how many entries a word stands, be it in the card or in an example."""
    words, rows, _ = builder.card.arrays()
    spoken, _, owners = builder.examples.arrays()
    # A word and an entry as one number, of more than 32 bits in a big catalogue.
    pairs = np.concatenate([words, spoken]).astype(np.int64) * max(size, 1) + np.concatenate(
        [rows, owners]
    )
    return np.bincount(np.unique(pairs) // max(size, 1), minlength=terms).astype(np.int32)


FORMAT = 6
_POSTINGS = ("card", "examples", "phrases")
_ARRAYS = ("example_starts", "phrase_rows", "phrase_lengths", "phrase_kinds", "frequency")
_FACTS = ("families", "flags", "models", "downloads")
_LABELS = ("codes", "starts")


def save(segment: IndexSegment, folder: Path) -> None:
    """`folder` appears whole or not at all; a killed writer leaves only a folder whose name begins
    with a dot.
    """
    for left in folder.parent.glob(
        ".lexical-*"
    ):  # of a writer that was killed; there is one writer a folder
        shutil.rmtree(left, ignore_errors=True)
    part, aside = (
        folder.with_name(f".{folder.name}.{os.getpid()}.{what}") for what in ("part", "old")
    )
    part.mkdir(parents=True)
    for name in _POSTINGS:
        held: Postings = getattr(segment, name)
        for piece in ("offsets", "rows", "impacts"):
            np.save(part / f"{name}.{piece}.npy", getattr(held, piece))
    for name in _ARRAYS:
        np.save(part / f"{name}.npy", getattr(segment, name))
    for name in _FACTS:
        np.save(part / f"facts.{name}.npy", getattr(segment.facts, name))
    for name in _LABELS:
        np.save(part / f"labels.{name}.npy", getattr(segment.labels, name))
    about = {
        "format": FORMAT,
        "keys": segment.keys,
        "vocabulary": list(segment.vocabulary),
        "sizes": {name: getattr(segment, name).size for name in _POSTINGS},
        "families": segment.facts.family_names,
        "labels": segment.labels.names,
    }
    (part / "segment.json").write_text(json.dumps(about), encoding="ascii")
    if folder.exists():
        folder.replace(aside)
    part.replace(folder)
    shutil.rmtree(aside, ignore_errors=True)


def load(folder: Path) -> IndexSegment | None:
    """None where there is no segment that this version can read: it is derived, and is then made
    anew.
    """
    try:
        about = json.loads((folder / "segment.json").read_text(encoding="ascii"))
        if about["format"] != FORMAT:
            return None
        parts: dict[str, Any] = {
            name: _postings(folder, name, about["sizes"][name]) for name in _POSTINGS
        }
        parts |= {name: _mapped(folder / f"{name}.npy") for name in _ARRAYS}
        facts: dict[str, Any] = {
            name: np.array(_mapped(folder / f"facts.{name}.npy")) for name in _FACTS
        }
        labels: dict[str, Any] = {
            name: np.array(_mapped(folder / f"labels.{name}.npy")) for name in _LABELS
        }
        segment = IndexSegment(
            keys=tuple(about["keys"]),
            vocabulary={word: at for at, word in enumerate(about["vocabulary"])},
            facts=EntryFacts(**facts, family_names=tuple(about["families"])),
            labels=Labels(**labels, names=tuple(about["labels"])),
            **parts,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return segment if _sound(segment) else None


def _postings(folder: Path, name: str, size: int) -> Postings:
    offsets, rows, impacts = (
        _mapped(folder / f"{name}.{piece}.npy") for piece in ("offsets", "rows", "impacts")
    )
    return Postings(offsets, rows, impacts, size)


def _mapped(path: Path) -> Any:
    """An empty array cannot be mapped."""
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    return found if found.size else np.array(found)


def _sound(segment: IndexSegment) -> bool:
    """The parts belong together; a torn folder is made anew rather than believed."""
    count, terms = len(segment.keys), len(segment.vocabulary)
    lists = [getattr(segment.facts, name) for name in _FACTS]
    return (
        all(len(item) == count for item in lists)
        and len(segment.example_starts) == count + 1
        and all(len(getattr(segment, name).offsets) == terms + 1 for name in _POSTINGS)
        and len(segment.phrase_rows) == len(segment.phrase_lengths) == len(segment.phrase_kinds)
        and len(segment.frequency) == terms
        and len(segment.labels.starts) == count + 1
        and segment.labels.starts[-1] == len(segment.labels.codes)
    )

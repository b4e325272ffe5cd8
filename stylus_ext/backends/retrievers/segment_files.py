"""Segments on disk: a folder of .npy arrays and one JSON, written beside and moved into place; read
by memory map.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.backends.retrievers.facts import Facts
from stylus_ext.backends.retrievers.labels import Labels
from stylus_ext.backends.retrievers.postings import Postings
from stylus_ext.backends.retrievers.segment import Segment

FORMAT = 6
_POSTINGS = ("card", "examples", "phrases")
_ARRAYS = ("example_starts", "phrase_rows", "phrase_lengths", "phrase_kinds", "frequency")
_FACTS = ("families", "flags", "models", "downloads")
_LABELS = ("codes", "starts")


def save(segment: Segment, folder: Path) -> None:
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


def load(folder: Path) -> Segment | None:
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
        segment = Segment(
            keys=tuple(about["keys"]),
            vocabulary={word: at for at, word in enumerate(about["vocabulary"])},
            facts=Facts(**facts, family_names=tuple(about["families"])),
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


def _sound(segment: Segment) -> bool:
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

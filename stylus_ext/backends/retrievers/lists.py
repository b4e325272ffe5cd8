"""The user's lists of folders and tags: which entries they leave, and why one is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers.labels import FOLDER, TAG, Labels, labels_of, tag_label
from stylus_ext.core.description import Entry
from stylus_ext.core.settings import Selection


@dataclass(frozen=True, slots=True)
class Lists:
    """What is allowed alone, where anything is, and what is denied. A folder stands for all that
    lies inside it.
    """

    allow_folders: tuple[str, ...] = ()
    deny_folders: tuple[str, ...] = ()
    allow_tags: tuple[str, ...] = ()
    deny_tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, limits: Selection) -> Lists:
        return cls(limits.allow_folders, limits.deny_folders, limits.allow_tags, limits.deny_tags)

    def __bool__(self) -> bool:
        return any((self.allow_folders, self.deny_folders, self.allow_tags, self.deny_tags))

    def open(self, labels: Labels) -> NDArray[np.bool_]:
        """Which rows may be chosen."""
        return _open(self, labels)

    def reason(self, entry: Entry) -> str:
        """Why an entry may not be chosen; empty where the lists leave it."""
        mine = labels_of(entry)
        folders, denied = (
            [name for name in mine if name[0] == FOLDER],
            _matching(self.deny_tags, TAG, mine),
        )
        if folders and len(_matching(self.deny_folders, FOLDER, mine)) == len(folders):
            return f"it lies in the folder {_said(folders[0])}, which you left out"
        if denied:
            return f"it is tagged {_said(denied[0])}, which you left out"
        if self.allow_folders and not _matching(self.allow_folders, FOLDER, mine):
            return (
                f"it does not lie in {_either(self.allow_folders)}, and you choose from there alone"
            )
        if self.allow_tags and not _matching(self.allow_tags, TAG, mine):
            return f"it is not tagged {_either(self.allow_tags)}, and you choose from those alone"
        return ""


@lru_cache(maxsize=2)
def _open(lists: Lists, labels: Labels) -> NDArray[np.bool_]:
    places = {name: code for code, name in enumerate(labels.names)}

    def having(names: Iterable[str]) -> NDArray[np.bool_]:
        return labels.holders([places[name] for name in names])

    opened = ~having(_matching(lists.deny_tags, TAG, labels.names))
    denied = _matching(lists.deny_folders, FOLDER, labels.names)
    if denied:  # a copy in another folder may be chosen
        opened &= ~having(denied) | having(
            {name for name in labels.names if name[0] == FOLDER}.difference(denied)
        )
    if lists.allow_folders:
        opened &= having(_matching(lists.allow_folders, FOLDER, labels.names))
    if lists.allow_tags:
        opened &= having(_matching(lists.allow_tags, TAG, labels.names))
    return opened


def _matching(written: Sequence[str], sign: str, names: Iterable[str]) -> list[str]:
    """Of these labels the tags, or folders, that one of the patterns fits."""
    patterns = [_pattern(text, sign) for text in written]
    return [
        name
        for name in names
        if name[0] == sign and any(pattern.fullmatch(name, 1) for pattern in patterns)
    ]


@lru_cache(maxsize=256)
def _pattern(written: str, sign: str) -> re.Pattern[str]:
    """`*` and `?` stand for any text and any sign; brackets, which folders like to have, for
    themselves.
    """
    if sign == TAG:
        return re.compile(_glob(tag_label(written)[1:]), re.DOTALL)
    folder = written.replace("\\", "/").strip("/").casefold().removeprefix("./")
    return re.compile("" if folder in {"", "."} else rf"(?:{_glob(folder)})(?:/.*)?", re.DOTALL)


def _glob(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _said(label: str) -> str:
    return f"'{label[1:] or '.'}'"


def _either(patterns: Sequence[str]) -> str:
    return " or ".join(f"'{pattern}'" for pattern in patterns[:3]) + (
        " or the like" if len(patterns) > 3 else ""  # noqa: PLR2004
    )

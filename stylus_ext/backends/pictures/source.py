"""The user's own pictures as a source of cards: what was learned about the adapters that the library knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stylus_ext.backends.pictures.learn import learn
from stylus_ext.backends.pictures.lessons import card_of
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Progress, Sighting

_NAMED = 5


class Pictures:
    """`keys` says whose stem is whose: pictures name an adapter by its stem alone."""

    name = "your pictures"

    def __init__(self, folders: Sequence[Path], keys: Mapping[str, AdapterKey]) -> None:
        self._folders = folders
        self._keys = keys

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:  # noqa: ARG002 - has no files
        lessons = learn(self._folders, progress)
        yield from (Sighting(note=note) for note in lessons.notes)
        strangers = [stem for stem in lessons.lessons if stem not in self._keys]
        for stem, lesson in lessons.lessons.items():
            if stem in self._keys:
                yield Sighting(card=card_of(lesson, self._keys[stem]))
        if strangers:
            more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
            said = ", ".join(strangers[:_NAMED]) + more
            yield Sighting(note=Note("unknown_in_pictures", f"Your pictures use adapters that are not in your folders: {said}."))

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:  # noqa: ARG002 - looks after no files
        return []

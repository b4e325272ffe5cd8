"""The user's own pictures as a source of cards: what was learned about the adapters that the
library knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stylus_ext.backends.pictures.learn import learn
from stylus_ext.backends.pictures.lessons import card_of
from stylus_ext.core.card import LocalFile
from stylus_ext.core.errors import Note
from stylus_ext.core.names import Names
from stylus_ext.core.ports import Progress, Sighting

_NAMED = 5


class Pictures:
    """`names` say whose is which: pictures name an adapter by its stem or alias, and a renamed one
    by its hash alone.
    """

    name = "your pictures"

    def __init__(self, folders: Sequence[Path], names: Names) -> None:
        self._folders = folders
        self._names = names
        self._stems = {key: stem for stem, key in names.stems.items()}

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:  # noqa: ARG002
        lessons = learn(self._folders, progress, self._stem)
        yield from (Sighting(note=note) for note in lessons.notes)
        strangers: list[str] = []
        for stem, lesson in lessons.lessons.items():
            key = self._names.key(stem)
            if key is None:
                strangers.append(stem)
            else:
                yield Sighting(card=card_of(lesson, key))
        if strangers:
            more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
            said = ", ".join(strangers[:_NAMED]) + more
            yield Sighting(
                note=Note(
                    "unknown_in_pictures",
                    f"Your pictures use adapters that are not in your folders: {said}.",
                )
            )

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:  # noqa: ARG002
        return []

    def _stem(self, name: str, auto_v3: str) -> str:
        """One for all names of an adapter, also where it lies on disk more than once."""
        key = self._names.key(name, auto_v3)
        return name if key is None else self._stems.get(key, name)

"""The newest of the user's own pictures: folders go in, what each was made with comes out, newest
first, no prompt twice.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from stylus_ext.backends.pictures.containers import SUFFIXES, infotext_of
from stylus_ext.backends.pictures.infotext import Infotext, parse_infotext, without_tags
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.rehearsal import OldPicture

MOST_READ = 2000
_BEFORE = "Stylus prompt"
_LAST_SEED = 2**63 - 1


def latest(folders: Sequence[Path], count: int, progress: Progress) -> list[OldPicture]:
    """What says nothing of how it was made is passed over."""
    found: dict[tuple[str, str], OldPicture] = {}
    newest = heapq.nlargest(MOST_READ, _files(folders))
    for number, (_, path) in enumerate(newest):
        if len(found) >= count:
            break
        progress.report("reading pictures", number, len(newest))
        with contextlib.suppress(InvalidInput, OSError):
            text = infotext_of(Path(path))
            if text.strip():
                picture = _picture(Path(path).name, parse_infotext(text))
                found.setdefault((picture.prompt, picture.negative), picture)
    return [picture for picture in found.values() if picture.prompt]


def _files(folders: Sequence[Path]) -> Iterator[tuple[float, str]]:
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                if Path(name).suffix.lower() in SUFFIXES:
                    path = os.path.join(place, name)  # noqa: PTH118
                    with contextlib.suppress(OSError):
                        yield os.path.getmtime(path), path  # noqa: PTH204


def _picture(name: str, said: Infotext) -> OldPicture:
    """The prompt as the user wrote it: without what Stylus or he himself added as tags."""
    plain, tags = without_tags(said.prompt)
    before, _ = without_tags(said.parameters.get(_BEFORE, ""))
    seed = said.parameters.get("Seed", "")
    number = int(seed) if seed.isdecimal() and len(seed) < len(str(_LAST_SEED)) else 0
    used = tuple((tag.name, 1.0 if tag.weight is None else tag.weight) for tag in tags)
    return OldPicture(name, before or plain, said.negative, number, used)

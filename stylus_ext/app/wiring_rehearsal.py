"""Old pictures are wired here: folders go in, what the newest pictures in them were made with comes
out.
"""

from __future__ import annotations

from collections.abc import Sequence

from stylus_ext.app.wiring_stylus import PICTURES, checked_folder
from stylus_ext.backends.pictures.latest import latest
from stylus_ext.core.ports import Progress
from stylus_ext.core.rehearsal import OldPicture


def newest_pictures(folders: Sequence[str], count: int, progress: Progress) -> list[OldPicture]:
    return latest([checked_folder(folder, PICTURES) for folder in folders], count, progress)

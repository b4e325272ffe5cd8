"""Where a file lies on the hub: an address as cards keep it goes in; repository, commit and path
come out, and the other way round.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

HOME = "https://huggingface.co"
MAIN = "main"
_REPOSITORY = re.compile(r"(?:[\w.-]{1,96}/)?[\w.-]{1,96}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_PATH = 500


def is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None and name.isascii() and ".." not in name


def is_commit(revision: str) -> bool:
    return _COMMIT.fullmatch(revision) is not None


def is_path(path: str) -> bool:
    """Below the repository, and nothing that an address would read as something else."""
    parts = PurePosixPath(path).parts
    return (
        bool(path)
        and len(path) <= _LONGEST_PATH
        and path.isprintable()
        and not path.startswith("/")
        and ".." not in parts
        and "\\" not in path
    )


@dataclass(frozen=True, slots=True)
class Place:
    """`revision` is a commit, or `main`."""

    repository: str
    revision: str
    path: str

    def url(self, origin: str = HOME) -> str:
        """What is kept on a card is the hub's own address; what is asked is that of the origin that
        the settings name.
        """
        return f"{origin}/{self.repository}/resolve/{self.revision}/{quote(self.path)}"

    @classmethod
    def of(cls, url: str) -> Place | None:
        """None for an address that is not the hub's."""
        if not url.startswith(f"{HOME}/"):
            return None
        before, _, after = urlsplit(url).path[1:].partition("/resolve/")
        revision, _, path = after.partition("/")
        path = unquote(path)
        fits = is_repository(before) and (revision == MAIN or is_commit(revision)) and is_path(path)
        return cls(before, revision, path) if fits else None

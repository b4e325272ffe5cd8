"""How a service on the network is reached: its address, its pace and its key go in; a client that
keeps to them comes out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.backends.http import (
    Http,
    Key,
    KeyName,
    Pace,
    forget_key,
    keep_key,
    key_for,
    origin_of,
)
from stylus_ext.core.errors import InvalidInput, StoreProblem
from stylus_ext.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Access(ABC):
    """One for a data folder: however many ask at once, they keep one distance between their
    requests. Each service has its own.
    """

    folder: Path
    settings: Settings
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pace", Pace(self.interval))

    @property
    @abstractmethod
    def url(self) -> str:
        """Whom questions go to."""

    @property
    def key_url(self) -> str:
        """Whom the key is for."""
        return self.url

    @property
    @abstractmethod
    def interval(self) -> float:
        """Seconds between two requests."""

    @property
    @abstractmethod
    def key_name(self) -> KeyName:
        """How the key is called where it is kept."""

    @abstractmethod
    def account(self) -> str:
        """Asks whose the key is."""

    @contextmanager
    def http(self) -> Iterator[Http]:
        """Open while something is asked; the key is looked for each time, since it may have been
        entered meanwhile.
        """
        http = Http(key_for(self.folder, self.key_url, self.key_name), pace=self.pace)
        try:
            yield http
        finally:
            http.close()

    def has_key(self) -> bool:
        """Whether there is one that is sent to whom it is for; of one that cannot be used whoever
        makes a request hears.
        """
        try:
            return key_for(self.folder, self.key_url, self.key_name) is not None
        except (InvalidInput, StoreProblem):
            return False

    def told(self) -> str:
        """Where questions go, and whether the key goes with them, as a sentence ends."""
        return f"{self.url}{', with your key' if self.has_key() and origin_of(self.key_url) == origin_of(self.url) else ''}"  # noqa: E501

    def told_of_files(self) -> str:
        """The same of what is fetched."""
        return f"{self.key_url}{', with your key' if self.has_key() else ''}"

    def enter_key(self, secret: str) -> str:
        """Keeps a key for the address that the settings name now; says for which origin that is."""
        key = Key(origin_of(self.key_url), secret)
        keep_key(self.folder, self.key_name, key)
        return key.origin

    def drop_key(self) -> bool:
        return forget_key(self.folder, self.key_name)

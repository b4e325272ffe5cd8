"""Download rules: whether the user's limits allow a file, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.card import AdapterCard, AdapterKey, RemoteFile
from stylus_ext.core.errors import StylusError

MB = 1024 * 1024


class NotFetched(StylusError):
    """A file was not downloaded; `code` is for programs."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class DownloadOffer:
    """A file as its source offers it now. `url` is the stable address, never a signed one."""

    file: str
    size: int
    """In bytes, to the nearest KiB; 0 where the source does not say."""
    sha256: str
    """Lower case; empty where the source has none."""
    url: str
    scanned: bool | None = None
    """Whether the source's scanners found it sound; None where it does not say."""
    about: Mapping[str, object] = field(default_factory=dict)
    """What the source states of it, as it is."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits in bytes; `left` of the quota; `unhashed` allows files without a hash."""

    largest: int
    left: int
    unhashed: bool = False

    def why_not(self, remote: RemoteFile | None) -> str:
        """Return the reason against this file as the end of a sentence; empty if allowed."""
        if remote is None or not remote.name:
            return "no source offers its file"
        if remote.size <= 0:
            return "the size of its file is unknown"
        return self.too_large(remote.size) or self.too_unknown(remote.sha256 or "")

    def too_large(self, size: int) -> str:
        if size > self.largest:
            return f"its file has {in_mb(size)}, and you allow {in_mb(self.largest)} a file"
        if size > self.left:
            return (
                f"its file has {in_mb(size)}, and {in_mb(max(0, self.left))} are left of what"
                " downloads may take"
            )
        return ""

    def too_unknown(self, sha256: str) -> str:
        return (
            ""
            if sha256 or self.unhashed
            else "no source states a hash by which its file could be checked"
        )


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What a plan may pick beyond the disk: files within the caps; None allows nothing."""

    caps: Caps | None
    failed: frozenset[AdapterKey] = frozenset()

    def why_not(self, key: AdapterKey, remote: RemoteFile | None) -> str:
        """Return the reason against fetching as the end of a sentence; empty if allowed."""
        if key in self.failed:
            return "it could not be fetched"
        return "it is not on disk" if self.caps is None else self.caps.why_not(remote)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The local file of a card; `size` is 0 if the user had it already."""

    key: AdapterKey
    path: str
    stem: str
    sha256: str
    size: int
    new: bool
    type: str = LORA


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed download and its message."""

    key: AdapterKey
    name: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """A deleted download, or the reason why it was kept."""

    key: str
    path: str
    size: int
    why_not: str


def version_of(card: AdapterCard) -> int | None:
    """Return Civitai's version id of a card, whichever key comes first."""
    return next(
        (int(key.value) for key in (card.key, *card.equivalents) if key.scheme == "civitai"), None
    )


def called(card: AdapterCard) -> str:
    """Return the adapter's name as used in messages."""
    return (
        f"{card.name} ({card.version})" if card.version and card.version != card.name else card.name
    )


def in_mb(size: int) -> str:
    return f"{size / MB:,.0f} MB" if size >= MB else f"{size / 1024:,.0f} KB"

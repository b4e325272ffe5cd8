"""What may be fetched: an offer of a source, or what a card says, goes in with the user's limits;
what speaks against it comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.card import AdapterCard, AdapterKey, RemoteFile
from stylus_ext.core.errors import StylusError

MB = 1024 * 1024


class NotFetched(StylusError):
    """A file that was not fetched, and why; `code` is for programs."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class DownloadOffer:
    """A file as its source offers it just now. `url` is where to ask for it, never a signed
    address.
    """

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
    """In bytes: the largest file, and what is left of the quota. `unhashed` takes what no source
    states a hash of.
    """

    largest: int
    left: int
    unhashed: bool = False

    def why_not(self, remote: RemoteFile | None) -> str:
        """The end of a sentence; empty where nothing speaks against it."""
        if remote is None or not remote.name:
            return "no source offers its file"
        if remote.size <= 0:
            return "nobody says how large its file is"
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
    """What a plan may pick besides what is on disk: what fits the caps, or nothing more where
    fetching is over (None).
    """

    caps: Caps | None
    failed: frozenset[AdapterKey] = frozenset()

    def why_not(self, key: AdapterKey, remote: RemoteFile | None) -> str:
        """The end of a sentence; empty where it may be fetched."""
        if key in self.failed:
            return "it could not be fetched"
        return "it is not on disk" if self.caps is None else self.caps.why_not(remote)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where the file of a card lies now; `size` of it was fetched, or none where the user had it
    already.
    """

    key: AdapterKey
    path: str
    stem: str
    sha256: str
    size: int
    new: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """What was not fetched, and the sentence for the user."""

    key: AdapterKey
    name: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """A fetched file that was deleted, or the reason why it was not."""

    key: str
    path: str
    size: int
    why_not: str


def version_of(card: AdapterCard) -> int | None:
    """Civitai's number of this adapter version, under whichever key it is known first."""
    return next(
        (int(key.value) for key in (card.key, *card.equivalents) if key.scheme == "civitai"), None
    )


def called(card: AdapterCard) -> str:
    """The adapter's name in a sentence."""
    return (
        f"{card.name} ({card.version})" if card.version and card.version != card.name else card.name
    )


def in_mb(size: int) -> str:
    return f"{size / MB:,.0f} MB" if size >= MB else f"{size / 1024:,.0f} KB"

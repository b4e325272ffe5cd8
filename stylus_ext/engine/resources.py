"""Downloads are wired here: Civitai and Hugging Face as sources of files, a LoRA folder, the user's
limits; a downloader comes out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from stylus_ext.catalogue.embedders.local import SentenceTransformerEmbedder, model_files
from stylus_ext.catalogue.refine.text import plain_lines
from stylus_ext.catalogue.sources.civitai import CivitaiClient, download_refusal, offer_of
from stylus_ext.catalogue.sources.hugging_face import HubClient, HubSource
from stylus_ext.catalogue.sources.stylusdocs import DIMENSIONS, MODEL
from stylus_ext.catalogue.vectors import ChromaIndex, LateIndex, LentIndex
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import InvalidInput, StoreProblem, StylusError, Unavailable
from stylus_ext.core.fetching import (
    MB,
    Caps,
    Discarded,
    DownloadOffer,
    Fetched,
    NotFetched,
    called,
    version_of,
)
from stylus_ext.core.ports import Embedder, Progress, Query, Reranker
from stylus_ext.core.prompt.segmenter import Cutter
from stylus_ext.core.settings import DownloadSettings, Encoder, Reranking, Settings
from stylus_ext.core.settings import DownloadSettings as Rules
from stylus_ext.core.sources import Check
from stylus_ext.downloads import (
    DAY_S,
    Budget,
    FileDownloader,
    Ledger,
    LoraFolderWriter,
    Receiver,
    Source,
    discard,
    write_preview,
)
from stylus_ext.downloads.sidecars import EDGE
from stylus_ext.engine.services import CivitaiAccess, HuggingFaceAccess
from stylus_ext.llm.server import OPENAI, OPENAI_KEY, place_of
from stylus_ext.net import Http, HttpRefusal, Key, KeyName, key_for, origin_of, safe_url
from stylus_ext.net.thumbnails import KeptPictures, RemotePictures, Thumbnails
from stylus_ext.selection.ranker import Ranker, cutter, ranker
from stylus_ext.selection.rerank import RERANK_KEY, reranker_for

logger = logging.getLogger(__name__)


_GB = 1024 * MB


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class CivitaiSource:
    """`Source` over Civitai: asked for each file just before it is fetched."""

    civitai: CivitaiClient
    has_key: bool
    now: Callable[[], datetime] = _now
    name: str = "Civitai"

    def offer(self, card: AdapterCard, check: Check) -> DownloadOffer:
        version = version_of(card)
        if version is None:
            raise NotFetched(
                "no_source",
                f"{called(card)} is not known to Civitai, so there is nowhere to fetch it from.",
            )
        found = offer_of(self.civitai, version, self.now(), check)
        if found.early_until is not None:
            until = found.early_until.date().isoformat()
            raise NotFetched(
                "early_access",
                f"{called(card)} is in early access until {until}: whoever wants it sooner pays for"
                " it on Civitai.",
            )
        return DownloadOffer(
            found.file, found.size, found.sha256, found.url, found.scanned, found.stated
        )

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:
        return download_refusal(refusal, called(card), has_key=self.has_key)


@dataclass(frozen=True, slots=True)
class FromWhereItIs:
    """A downloader for each card: Hugging Face's where the card names a file there, else
    Civitai's.
    """

    civitai: FileDownloader
    hugging_face: FileDownloader

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        return (self.hugging_face if HubSource.has(card) else self.civitai).fetch(
            in_plain_text(card), progress
        )


def in_plain_text(card: AdapterCard) -> AdapterCard:
    """As it is told beside the file: hosts show that to people, and some of them as HTML."""
    return replace(card, text="\n".join(plain_lines(card.text)).replace("<", "\u2039"))


@dataclass(frozen=True)
class DownloadService:
    """What an engine knows of downloads: the rules of its owner, and how much its own have
    taken.
    """

    folder: Path
    rules: Rules
    access: CivitaiAccess
    hub: HuggingFaceAccess
    budget: Budget = field(init=False)
    ledger: Ledger = field(init=False)
    noted: dict[AdapterKey, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ledger", Ledger(self.folder))
        budget = Budget(
            largest=self.rules.largest_mb * MB,
            quota=round(self.rules.quota_gb * _GB),
            keep_free=round(self.rules.keep_free_gb * _GB),
            ledger=self.ledger,
            unhashed=self.rules.unhashed,
        )
        object.__setattr__(self, "budget", budget)

    @property
    def on(self) -> bool:
        return self.rules.download

    def caps(self) -> Caps:
        return self.budget.caps()

    def note_use(
        self, keys: Iterable[AdapterKey], ours: Callable[[Collection[AdapterKey]], Collection[str]]
    ) -> None:
        """What a plan has picked, and the ledger's names of it; asked once a day for each, and no
        reason for a plan to fail.
        """
        now = time.monotonic()
        fresh = {key for key in keys if now - self.noted.get(key, -DAY_S) >= DAY_S}
        if fresh:
            self.noted.update(dict.fromkeys(fresh, now))
            try:
                self.ledger.used(ours(fresh))
            except StoreProblem as error:
                logger.warning("it was not written down which fetched files are in use: %s", error)

    def discard(
        self,
        favourites: Collection[str],
        days: int,
        check: Check,
        *,
        dry_run: bool = False,
        only: Collection[str] | None = None,
    ) -> list[Discarded]:
        return list(discard(self.ledger, favourites, days, check, dry_run=dry_run, only=only))

    @contextmanager
    def into(
        self,
        folders: Sequence[str],
        names: Callable[[], Collection[str]],
        hashes: Callable[[], Mapping[str, str]],
    ) -> Iterator[FromWhereItIs]:
        """A downloader into the first of these folders, which lie in one host. Open while files are
        fetched.
        """
        first, *others = map(Path, folders)
        shelf, pictures = (
            LoraFolderWriter(first, tuple(others), names, hashes),
            RemotePictures(Thumbnails(edge=EDGE)),
        )

        def over(source: Source, http: Http) -> FileDownloader:
            return FileDownloader(
                source,
                Receiver(http),
                shelf,
                self.budget,
                self.ledger,
                self.rules.by_family,
                lambda url, file, check: write_preview(pictures, url, file, check),
            )

        with closing(pictures), self.access.http() as http, self.hub.http() as hub:
            civitai = CivitaiSource(
                CivitaiClient(http, self.access.url, self.access.key_url), self.access.has_key()
            )
            yield FromWhereItIs(
                over(civitai, http),
                over(HubSource(HubClient(hub, self.hub.url, has_key=self.hub.has_key())), hub),
            )


@dataclass(frozen=True, slots=True)
class _OneAddress:
    """A source of one file, whichever card is asked for."""

    url: str
    size: int
    sha256: str
    name: str = "the address"

    def offer(self, card: AdapterCard, check: Check) -> DownloadOffer:  # noqa: ARG002
        return DownloadOffer("", self.size, self.sha256, self.url, scanned=True)

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:  # noqa: ARG002
        return refusal


@contextmanager
def one_address(url: str, size: int, sha256: str, folder: Path) -> Iterator[FileDownloader]:
    """A downloader of what lies at one address, such as a measured one, into `folder`."""
    ledger, http = Ledger(folder), Http()
    try:
        yield FileDownloader(
            _OneAddress(url, size, sha256),
            Receiver(http),
            LoraFolderWriter(folder),
            Budget(size + MB, size + MB, 0, ledger),
            ledger,
        )
    finally:
        http.close()


FOLDER = "pictures"
OFF = (
    "Pictures of adapters that are not on disk are not fetched: `--thumbnails`, or the settings"
    " page's switch, permits it."
)


@dataclass(frozen=True)
class CardPictures:
    """`kept` fetches from the picture hosts of Civitai and Hugging Face alone."""

    folder: Path
    rules: DownloadSettings
    kept: KeptPictures = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", KeptPictures(self.folder / FOLDER))

    def has(self, card: AdapterCard) -> bool:
        return self.rules.thumbnails and bool(card.preview)

    def small(self, card: AdapterCard, check: Callable[[], None]) -> bytes:
        if not self.rules.thumbnails:
            raise InvalidInput(OFF)
        if not card.preview:
            raise InvalidInput(f"The card of {card.name[:80]!r} names no picture.")
        return self.kept.small(card.preview, check)

    def close(self) -> None:
        self.kept.close()


EMBEDDING_PRICES = {
    "text-embedding-3-large": 0.13,
    "text-embedding-3-small": 0.02,
    "text-embedding-ada-002": 0.10,
    "gemini-embedding-001": 0.15,
}
"""US dollars per million tokens, as their makers published them as of August 2025."""
_TOKENS_PER_ENTRY = 180  # both texts of a card that are embedded, of the usual length
ENCODER_KEY = KeyName("encoder", "STYLUS_ENCODER_KEY", OPENAI)


@dataclass(frozen=True, slots=True)
class UnreachableReranker:
    """In place of a `Reranker` whose address cannot be used: plans go on, and say why they are not
    in its order.
    """

    why: str

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:  # noqa: ARG002
        raise Unavailable(self.why)


def reranker_of(folder: Path, settings: Settings) -> Reranker | None:
    try:
        return reranker_for(
            settings.reranking,
            settings.encoder.device,
            lambda model: model_files(model).folder,
            lambda url: key_for(folder, url, RERANK_KEY),
        )
    except InvalidInput as problem:
        return UnreachableReranker(f"reranking.rerank_url cannot be used. {problem}")


def reranker_address(said: Reranking) -> str:
    """As it may be shown to whoever asks."""
    return safe_url(said.rerank_url) if said.rerank_url else ""


def reranks_for_free(said: Reranking) -> bool:
    """On a machine of one's own; an address that cannot be used costs nothing either."""
    try:
        return not said.rerank_url or place_of(origin_of(said.rerank_url)) != "elsewhere"
    except InvalidInput:
        return True


def encoder_key(folder: Path, encoder: Encoder) -> Key | None:
    """What was entered for embeddings, for the address that was entered with it; OpenAI's own only
    for OpenAI.
    """
    if not encoder.endpoint:
        return None
    try:
        found = key_for(folder, encoder.endpoint, ENCODER_KEY)
        return found or (
            key_for(folder, encoder.endpoint, OPENAI_KEY)
            if origin_of(encoder.endpoint) == OPENAI
            else None
        )
    except InvalidInput as problem:  # the encoder itself says what is wrong with its address
        logger.warning("The embeddings server is asked without a key: %s", problem)
        return None


def embedding_cost(encoder: Encoder) -> str:
    """What a server that is somebody else's takes for it, as far as its list price is known."""
    if not encoder.endpoint or place_of(encoder.endpoint) != "elsewhere":
        return ""
    price = next(
        (
            price
            for name, price in EMBEDDING_PRICES.items()
            if encoder.model.rpartition("/")[2] == name
        ),
        None,
    )
    if price is None:
        return ", at its price, which Stylus does not know"
    return (
        f", at about ${price:g} for a million tokens (${_TOKENS_PER_ENTRY * 1000 * price / 1e6:.2f}"
        " for 1,000 adapters)"
    )


def fits(encoder: Encoder) -> bool:
    """Whether prompts are embedded by what made the published vectors, and as long as those are."""
    return (
        bool(encoder.endpoint)
        and encoder.model.rpartition("/")[2] == MODEL
        and encoder.dimensions in (0, DIMENSIONS)
    )


def with_lent(
    encoder: Encoder, index: ChromaIndex | LateIndex, folder: Path
) -> ChromaIndex | LateIndex | LentIndex:
    """The index, with a place for lent vectors beside it where they are of any use."""
    return LentIndex(index, folder / "lent", DIMENSIONS) if fits(encoder) else index


def tokens_of(embedder: Embedder, text: str) -> int:
    if not isinstance(embedder, SentenceTransformerEmbedder):
        raise InvalidInput(
            "Tokens are counted with an encoder on this machine; leave out --endpoint."
        )
    return embedder.tokens(text)


def caption_cutter() -> Cutter:
    return cutter()


def ranker_in_use() -> Ranker:
    return ranker()

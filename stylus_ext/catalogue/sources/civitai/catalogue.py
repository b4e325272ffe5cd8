"""Civitai as a remote catalogue: pages of cards, cards of files by hash, and offers of files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TypeVar

from stylus_ext.catalogue.sources.civitai.base_models import spelled
from stylus_ext.catalogue.sources.civitai.cards import (
    EMPTY_HASH,
    NOT_A_LORA,
    SAFETENSORS,
    CardFilter,
    add_examples,
    banned_versions,
    bytes_of_kib,
    card_of,
    cards_of_model,
    choose_file,
    early_access_end,
    has_tensors,
    parse_time,
)
from stylus_ext.catalogue.sources.civitai.client import (
    MAX_HASHES,
    MAX_HASHES_FOR_IDS,
    MAX_PAGE,
    TYPES,
    CivitaiClient,
    download_refusal,
)
from stylus_ext.catalogue.sources.common import Json, SourceNotFound, SourceUnavailable
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.core.fetching import DownloadOffer, NotFetched, called, version_of
from stylus_ext.core.sources import CataloguePage, Check, Identified, Wanted
from stylus_ext.net import BadAnswer, HttpRefusal
from stylus_ext.net.values import digest, identity, name, rows, table, text

logger = logging.getLogger(__name__)

_PAGE_WITH_EXAMPLES = 10
"""Small, so that a killed crawl repeats few requests."""
_PICTURES = 20
_T = TypeVar("_T")


def _now() -> datetime:
    return datetime.now(timezone.utc)


class CivitaiCatalogue:
    """Implements `RemoteCatalogue`."""

    name = "Civitai"

    def __init__(self, civitai: CivitaiClient, now: Callable[[], datetime] = _now) -> None:
        self._civitai = civitai
        self._now = now

    def checked(self, wanted: Wanted, check: Check) -> Wanted:
        """Base models in Civitai's spelling; its list grows, so it is requested each time."""
        if not wanted.base_models:
            return wanted
        try:
            listed = self._civitai.base_models(check)
        except SourceNotFound:  # some mirrors have no such list
            listed = ()
        return replace(wanted, base_models=spelled(wanted.base_models, listed))

    def page(
        self, wanted: Wanted, cursor: str | None, left: int | None, check: Check
    ) -> CataloguePage:
        found = self._civitai.models(_params(wanted, left), cursor, check)
        card_filter = CardFilter(self._now(), wanted.nsfw, wanted.base_models)
        cards: list[AdapterCard] = []
        skipped: Counter[str] = Counter()
        for model in found.items[:left]:
            for result in cards_of_model(model, card_filter):
                if isinstance(result, AdapterCard):
                    cards.append(self._with_examples(result, check) if wanted.examples else result)
                else:
                    skipped[result] += 1
            check()
        return CataloguePage(
            cards=tuple({card.key: card for card in cards}.values()),
            models=len(found.items[:left]),
            skipped=dict(skipped),
            cursor=found.cursor,
            banned=tuple(key for model in found.items for key in banned_versions(model)),
            newest=max((_newest(model, card_filter.now) for model in found.items), default=""),
            in_order=not wanted.query,  # Civitai sorts search results within each page only
        )

    def identify(self, sha256s: Sequence[str], check: Check) -> Identified:
        known: dict[str, int] = {}
        for batch in _batches(sha256s, MAX_HASHES_FOR_IDS):
            try:
                known.update(self._civitai.ids_by_hash(batch, check))
            except SourceNotFound:  # some mirrors do not have this path
                known.update(dict.fromkeys(batch, 0))
        parts = []
        for batch in _batches([sha256 for sha256 in sha256s if sha256 in known], MAX_HASHES):
            by_hash = {
                digest(table(table(file).get("hashes")).get("SHA256")): version
                for version in self._civitai.versions_by_hash(batch, check)
                for file in rows(version.get("files"))
            }
            found = {sha256: by_hash[sha256] for sha256 in batch if sha256 in by_hash}
            parts.append(self._identified(found, {}, check))
        return Identified(
            tuple(card for part in parts for card in part.cards),
            sum((Counter(part.skipped) for part in parts), Counter()),
            frozenset().union(*(part.recognised for part in parts)),
        )

    def identify_tensors(self, auto_v3s: Mapping[str, str], check: Check) -> Identified:
        found: dict[str, Json] = {}
        for sha256, short in auto_v3s.items():
            if short and short != EMPTY_HASH:
                version = self._civitai.version_by_hash(short, check)
                if version is not None and has_tensors(version, short):
                    found[sha256] = version
        return self._identified(found, auto_v3s, check)

    def _identified(
        self, versions: Mapping[str, Json], auto_v3s: Mapping[str, str], check: Check
    ) -> Identified:
        """Cards of the versions, by the hash of the user's own file."""
        models = self._models(
            [identity(version.get("modelId")) for version in versions.values()], check
        )
        card_filter = CardFilter(self._now(), owned=True)
        cards: list[AdapterCard] = []
        skipped: Counter[str] = Counter()
        for sha256, version in versions.items():
            model = models.get(identity(version.get("modelId")), _model_in(version))
            result = card_of(model, version, card_filter, sha256, auto_v3s.get(sha256, ""))
            if isinstance(result, AdapterCard):
                cards.append(self._with_examples(result, check))
            else:
                skipped[result] += 1
        return Identified(tuple(cards), dict(skipped), frozenset(versions))

    def _models(self, ids: Sequence[int | None], check: Check) -> dict[int | None, Json]:
        """The models by id, for their tags, creator and description. Removed ones are missing."""
        wanted = sorted({model_id for model_id in ids if model_id is not None})
        return {
            identity(model.get("id")): model
            for batch in _batches(wanted, MAX_PAGE)
            for model in self._civitai.models_by_id(batch, check)
        }

    def _with_examples(self, card: AdapterCard, check: Check) -> AdapterCard:
        """The card with examples, if Civitai gives them: no single version stops a crawl."""
        try:
            pictures = self._civitai.pictures(int(card.key.value), _PICTURES, check)
            return add_examples(card, pictures)
        except (NotFetched, SourceUnavailable, InvalidInput, BadAnswer) as error:
            logger.info("no example pictures of %s: %s", card.key, error)
            return card


def _params(wanted: Wanted, left: int | None) -> dict[str, str | Sequence[str]]:
    size = _PAGE_WITH_EXAMPLES if wanted.examples else MAX_PAGE
    params: dict[str, str | Sequence[str]] = {
        "types": TYPES,
        "limit": str(size if left is None else min(size, left)),
        "sort": "Most Downloaded" if wanted.top else "Newest",
        "nsfw": "true" if wanted.nsfw else "false",
    }
    if wanted.top:
        params["period"] = "AllTime"
    if wanted.query:
        params["query"] = wanted.query
    if wanted.tag:
        params["tag"] = wanted.tag
    if wanted.base_models:
        params["baseModels"] = wanted.base_models
    return params


def _newest(model: Json, now: datetime) -> str:
    """When its newest version was published. Later crawls end at this time, so none in the future
    counts."""
    times = (
        text(table(version).get("publishedAt"))[:40] for version in rows(model.get("modelVersions"))
    )
    return max(
        (stated for stated in times if (time := parse_time(stated)) is not None and time <= now),
        default="",
    )


def _model_in(version: Json) -> Json:
    """What a version states about its model."""
    return {"type": NOT_A_LORA, **table(version.get("model")), "id": version.get("modelId")}


def _batches(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@dataclass(frozen=True, slots=True)
class CivitaiOffer:
    """A file as Civitai offers it now.

    `sha256` is empty if Civitai states none. `scanned` is True if all scanners said Success, False
    if one did not, None if they said nothing. `stated` is the version in Civitai's JSON, if it was
    requested.
    """

    version_id: int
    file: str
    size: int
    sha256: str
    scanned: bool | None
    needs_key: bool
    early_until: datetime | None
    url: str
    stated: Json = field(default_factory=dict)


def offer_of(
    civitai: CivitaiClient, version_id: int, now: datetime, check: Check, *, scans: bool = True
) -> CivitaiOffer:
    """The offer of a version; `scans` requests the version itself, which has the scan results."""
    try:
        facts = civitai.download_facts(version_id, check)
    except SourceNotFound:  # a mirror without this path; a missing version fails below
        facts = {}
    version: Json = civitai.version(version_id, check) if scans or not facts else {}
    # the facts are of the primary file, which may be a pickle beside a safetensors file
    is_other_file = (
        name(facts.get("format")).casefold() not in ("", *SAFETENSORS)
        and choose_file(version) is not None
    )
    stated: Json = {} if is_other_file else facts
    sha256 = digest(table(stated.get("hashes")).get("SHA256"))
    file = choose_file(version, sha256)
    scanned = None
    if file is not None and file.scans:
        scanned = all(scan.casefold() == "success" for scan in file.scans)
    return CivitaiOffer(
        version_id=version_id,
        file=name(stated.get("fileName")) or (file.name if file else ""),
        size=bytes_of_kib(stated.get("size")) or (file.size if file else 0),
        sha256=sha256 or (file.sha256 if file else ""),
        scanned=scanned,
        needs_key=facts.get("requireAuth") is True,
        early_until=early_access_end(facts, now) or early_access_end(version, now),
        url=civitai.download_url(version_id, safetensors=is_other_file),
        stated=version,
    )


@dataclass(frozen=True, slots=True)
class CivitaiSource:
    """Offers files of Civitai; asked for each file just before its download."""

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
                f"{called(card)} is in early access until {until}; sooner"
                " it costs money on Civitai.",
            )
        return DownloadOffer(
            found.file, found.size, found.sha256, found.url, found.scanned, found.stated
        )

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:
        return download_refusal(refusal, called(card), has_key=self.has_key)

"""`RemoteCatalogue` over Civitai: what is wanted goes in, pages of cards come out, and cards of
files by their hashes.
"""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TypeVar

from stylus_ext.catalogue.sources.civitai.cards import (
    Sieve,
    banned,
    card_of,
    versions_of,
    with_examples,
)
from stylus_ext.catalogue.sources.civitai.client import (
    MOST_HASHES,
    MOST_HASHES_FOR_IDS,
    MOST_ON_A_PAGE,
    TYPES,
    CivitaiClient,
    CivitaiNotFound,
    CivitaiUnavailable,
    NotGiven,
)
from stylus_ext.catalogue.sources.civitai.versions import (
    NOT_A_LORA,
    NOTHING_HASHED,
    SAFETENSORS,
    OfferedFile,
    chosen,
    early_until,
    has_tensors,
    in_bytes,
    moment,
)
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.sources import CataloguePage, Check, Identified, Wanted
from stylus_ext.net import BadAnswer
from stylus_ext.net.values import digest, identity, name, rows, table, text

logger = logging.getLogger(__name__)


_ON_A_PAGE_WITH_EXAMPLES = 10
"""So that a kill costs few requests."""
_PICTURES = 20
Json = Mapping[str, object]
_T = TypeVar("_T")


def _now() -> datetime:
    return datetime.now(timezone.utc)


class CivitaiCatalogue:
    name = "Civitai"

    def __init__(self, civitai: CivitaiClient, now: Callable[[], datetime] = _now) -> None:
        self._civitai = civitai
        self._now = now

    def checked(self, wanted: Wanted, check: Check) -> Wanted:
        """Base models in Civitai's own spelling; its list is asked for, since it grows."""
        if not wanted.base_models:
            return wanted
        try:
            known = {one.casefold(): one for one in self._civitai.base_models(check)}
        except CivitaiNotFound:  # a mirror that has no such list
            known = {}
        if not known:
            return wanted
        return replace(
            wanted,
            base_models=tuple(dict.fromkeys(_spelled(one, known) for one in wanted.base_models)),
        )

    def page(
        self, wanted: Wanted, cursor: str | None, left: int | None, check: Check
    ) -> CataloguePage:
        found = self._civitai.models(_params(wanted, left), cursor, check)
        sieve = Sieve(self._now(), wanted.nsfw, wanted.base_models)
        cards: list[AdapterCard] = []
        skipped: Counter[str] = Counter()
        for model in found.items[:left]:
            for one in versions_of(model, sieve):
                if isinstance(one, AdapterCard):
                    cards.append(self._with_examples(one, check) if wanted.examples else one)
                else:
                    skipped[one] += 1
            check()
        return CataloguePage(
            cards=tuple({card.key: card for card in cards}.values()),
            models=len(found.items[:left]),
            skipped=dict(skipped),
            cursor=found.cursor,
            banned=tuple(key for model in found.items for key in banned(model)),
            newest=max((_published(model, sieve.now) for model in found.items), default=""),
            in_order=not wanted.query,  # what a search finds, Civitai sorts within each page alone
        )

    def identify(self, sha256s: Sequence[str], check: Check) -> Identified:
        known: dict[str, int] = {}
        for some in _parts(sha256s, MOST_HASHES_FOR_IDS):
            known.update(self._ids(some, check))
        wanted = [one for one in sha256s if one in known]
        recognised: set[str] = set()
        cards: dict[str, AdapterCard] = {}
        skipped: Counter[str] = Counter()
        for some in _parts(wanted, MOST_HASHES):
            versions = self._civitai.versions_by_hash(some, check)
            models = self._models([identity(version.get("modelId")) for version in versions], check)
            for sha256, version in _paired(some, versions):
                recognised.add(sha256)
                one = card_of(
                    models.get(identity(version.get("modelId")), _own_model(version)),
                    version,
                    Sieve(self._now(), own=True),
                    sha256,
                )
                if isinstance(one, AdapterCard):
                    cards[sha256] = self._with_examples(one, check)
                else:
                    skipped[one] += 1
        return Identified(tuple(cards.values()), dict(skipped), frozenset(recognised))

    def identify_tensors(self, auto_v3s: Mapping[str, str], check: Check) -> Identified:
        versions: dict[str, Json] = {}
        for sha256, short in auto_v3s.items():
            found = (
                self._civitai.version_by_hash(short, check)
                if short and short != NOTHING_HASHED
                else None
            )
            if found is not None and has_tensors(found, short):
                versions[sha256] = found
        models = self._models(
            [identity(version.get("modelId")) for version in versions.values()], check
        )
        cards: list[AdapterCard] = []
        skipped: Counter[str] = Counter()
        for sha256, version in versions.items():
            model = models.get(identity(version.get("modelId")), _own_model(version))
            one = card_of(model, version, Sieve(self._now(), own=True), sha256, auto_v3s[sha256])
            if isinstance(one, AdapterCard):
                cards.append(self._with_examples(one, check))
            else:
                skipped[one] += 1
        return Identified(tuple(cards), dict(skipped), frozenset(versions))

    def _ids(self, sha256s: Sequence[str], check: Check) -> dict[str, int]:
        try:
            return self._civitai.ids_by_hash(sha256s, check)
        except CivitaiNotFound:  # a mirror that does not have this path
            return dict.fromkeys(sha256s, 0)

    def _models(self, ids: Sequence[int | None], check: Check) -> dict[int | None, Json]:
        """With what versions do not say of them: tags, creator, description. Those that are not
        listed have been taken away.
        """
        wanted = sorted({one for one in ids if one is not None})
        found = [
            model
            for some in _parts(wanted, MOST_ON_A_PAGE)
            for model in self._civitai.models_by_id(some, check)
        ]
        return {identity(model.get("id")): model for model in found}

    def _with_examples(self, card: AdapterCard, check: Check) -> AdapterCard:
        """Without them where they are not given: a card is worth having all the same, and one
        version's trouble stops no crawl.
        """
        try:
            return with_examples(
                card, self._civitai.pictures(int(card.key.value), _PICTURES, check)
            )
        except (NotGiven, CivitaiUnavailable, InvalidInput, BadAnswer) as refused:
            logger.info("no example pictures of %s: %s", card.key, refused)
            return card


def _params(wanted: Wanted, left: int | None) -> dict[str, str | Sequence[str]]:
    most = _ON_A_PAGE_WITH_EXAMPLES if wanted.examples else MOST_ON_A_PAGE
    params: dict[str, str | Sequence[str]] = {
        "types": TYPES,
        "limit": str(most if left is None else min(most, left)),
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


def _spelled(stated: str, known: Mapping[str, str]) -> str:
    found = known.get(stated.casefold())
    if found is not None:
        return found
    near = difflib.get_close_matches(stated.casefold(), known, n=5, cutoff=0.4) or list(known)[:10]
    raise InvalidInput(
        f"Civitai has no base model {stated!r}. It has, for example,"
        f" {', '.join(known[one] for one in near)}."
    )


def _published(model: Json, now: datetime) -> str:
    """What is said to come out in the future would end every later crawl at its first page."""
    stated = (
        text(table(version).get("publishedAt"))[:40] for version in rows(model.get("modelVersions"))
    )
    return max(
        (one for one in stated if (out := moment(one)) is not None and out <= now), default=""
    )


def _own_model(version: Json) -> Json:
    """What a version says of its model."""
    return {"type": NOT_A_LORA, **table(version.get("model")), "id": version.get("modelId")}


def _paired(sha256s: Sequence[str], versions: Sequence[Json]) -> Iterator[tuple[str, Json]]:
    """Each hash with the version that has such a file; the answer comes in any order and may leave
    some out.
    """
    of = {
        digest(table(table(file).get("hashes")).get("SHA256")): version
        for version in versions
        for file in rows(version.get("files"))
    }
    yield from ((one, of[one]) for one in sha256s if one in of)


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@dataclass(frozen=True, slots=True)
class CivitaiOffer:
    """`sha256` is empty where Civitai has none; `scanned` is true where both scanners said Success,
    false where one did not,

    None where they said nothing. `url` leads to the file, with the key if `needs_key`.
    """

    version_id: int
    file: str
    size: int
    sha256: str
    scanned: bool | None
    needs_key: bool
    early_until: datetime | None
    url: str
    stated: Mapping[str, object] = field(default_factory=dict)
    """The version as Civitai's API has it, where it was asked for."""


def offer_of(
    civitai: CivitaiClient, version_id: int, now: datetime, check: Check, *, scans: bool = True
) -> CivitaiOffer:
    """`mini` says most of it; the scans are asked for apart, unless the caller knows them."""
    mini = _mini(civitai, version_id, check)
    whole: Mapping[str, object] = civitai.version(version_id, check) if scans or not mini else {}
    # mini speaks of the primary file, which may be a pickle that has its safetensors beside it
    other = (
        name(mini.get("format")).casefold() not in ("", *SAFETENSORS) and chosen(whole) is not None
    )
    said: Mapping[str, object] = {} if other else mini
    file = chosen(whole, digest(table(said.get("hashes")).get("SHA256")))
    return CivitaiOffer(
        version_id=version_id,
        file=name(said.get("fileName")) or (file.name if file else ""),
        size=in_bytes(said.get("size")) or (file.size if file else 0),
        sha256=digest(table(said.get("hashes")).get("SHA256")) or (file.sha256 if file else ""),
        scanned=_scanned(file, whole),
        needs_key=mini.get("requireAuth") is True,
        early_until=early_until(mini, now) or early_until(whole, now),
        url=civitai.download_url(version_id, safetensors=other),
        stated=whole,
    )


def _mini(civitai: CivitaiClient, version_id: int, check: Check) -> Mapping[str, object]:
    """Empty at a mirror that does not have this path; what the version itself is not there for is
    told by asking for that.
    """
    try:
        return civitai.mini(version_id, check)
    except CivitaiNotFound:
        return {}


def _scanned(file: OfferedFile | None, whole: Mapping[str, object]) -> bool | None:
    if file is None or not rows(whole.get("files")) or not file.scans:
        return None
    return all(said.casefold() == "success" for said in file.scans)

"""Cards from Civitai's JSON: one for each usable version of a model, or the reason for none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import PurePath

from stylus_ext.catalogue.sources.civitai.ratings import is_nsfw_model, is_nsfw_picture
from stylus_ext.catalogue.sources.common import Json, https_url
from stylus_ext.catalogue.sources.local.sidecars import Subject, civitai_facts
from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK, is_negative
from stylus_ext.core.adapter_type import LORA as LORA_TYPE
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.weight_formats import DORA, LORA
from stylus_ext.net.values import (
    NotJson,
    auto_v3,
    digest,
    identity,
    name,
    number,
    parsed,
    rows,
    table,
    text,
)

NOT_A_LORA = "not a LoRA"
PERSON = "of a real person"
MINOR = "of a minor"
NSFW = "not safe for work"
ARCHIVED = "archived"
TAKEN_DOWN = "taken down"
NOT_PUBLIC = "not published"
EARLY_ACCESS = "early access"
PAID = "paid access"
DISABLED = "downloads disabled"
NO_FILE = "no safetensors file"
DANGER = "found dangerous by a scan"
OTHER_BASE = "for another base model"
UNREADABLE = "unreadable"

_TYPES = dict.fromkeys(("lora", "locon", "dora", "lycoris"), LORA_TYPE) | {
    "textualinversion": EMBEDDING,
    "hypernetwork": HYPERNETWORK,
}
_MODES = {"archived": ARCHIVED, "takendown": TAKEN_DOWN}
_MAX_DAYS = 3650


def exclusion_reason(model: Json) -> str | None:
    """Why a model is excluded, even for owners of its file."""
    if name(model.get("type")).casefold() not in _TYPES:
        return NOT_A_LORA
    if _is_true(model.get("poi")):
        return PERSON
    if _is_true(model.get("minor")):
        return MINOR
    return None


def unavailable_reason(model: Json, version: Json, now: datetime) -> str | None:
    """Why the version's file cannot be downloaded now."""
    mode = _MODES.get(name(model.get("mode")).casefold())
    hidden = any(_is_hidden(part.get("availability")) for part in (model, version))
    unpublished = name(version.get("status")).casefold() not in ("", "published")
    reasons = (
        (mode is not None, mode),
        (hidden or unpublished, NOT_PUBLIC),
        (_in_early_access(version, model, now), EARLY_ACCESS),
        (_is_paid(version.get("paidAccess"), now), PAID),
        (name(version.get("usageControl")).casefold() not in ("", "download"), DISABLED),
    )
    return next((reason for holds, reason in reasons if holds), None)


def early_access_end(version: Json, now: datetime) -> datetime | None:
    """When early access ends, or None if it is over or was not stated."""
    end = _stated_early_access_end(version)
    if end is None:
        days = number(version.get("earlyAccessTimeFrame"))
        published = parse_time(version.get("publishedAt"))
        if days is None or published is None or not 0 < days <= _MAX_DAYS:
            return None
        end = published + timedelta(days=days)
    return end if end > now else None


def parse_time(value: object) -> datetime | None:
    """A time in ISO format; without a zone it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip()[:40].replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _stated_early_access_end(version: Json) -> datetime | None:
    return parse_time(version.get("earlyAccessEndsAt")) or parse_time(
        version.get("earlyAccessDeadline")
    )


def _in_early_access(version: Json, model: Json, now: datetime) -> bool:
    """Whether the end is in the future, or early access is stated without an end."""
    if early_access_end(version, now) is not None:
        return True
    return _stated_early_access_end(version) is None and any(
        name(part.get("availability")).casefold() == "earlyaccess" for part in (version, model)
    )


def _is_paid(value: object, now: datetime) -> bool:
    """`value` is an object, or the same as JSON in a text."""
    try:
        access = table(parsed(value) if isinstance(value, str) and value else value)
    except NotJson:
        return False
    end = parse_time(access.get("endsAt"))
    return _is_true(access.get("permanent")) or (end is not None and end > now)


def _is_hidden(availability: object) -> bool:
    return name(availability).casefold() not in ("", "public", "earlyaccess")


def _is_true(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() == "true"
    return value is True or (value == 1 and not isinstance(value, bool))


SAFETENSORS = ("safetensor", "safetensors")
EMPTY_HASH = "e3b0c44298fc"
"""The beginning of the SHA256 of nothing, which some uploads have as AutoV3."""

_KIB = 1024
_MAX_SIZE = 2**50
_NEGATIVE = "negative"
_MODEL_FILE_TYPES = ("", "model", "pruned model")


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file of a version; `scans` are the scanners' verdicts, empty where there are none."""

    name: str
    size: int
    sha256: str
    auto_v3: str
    scans: tuple[str, ...]

    @property
    def dangerous(self) -> bool:
        return any(scan.casefold() == "danger" for scan in self.scans)


def choose_file(
    version: Json, sha256: str = "", short: str = "", *, model: Json | None = None
) -> OfferedFile | None:
    """The safetensors file with this hash or AutoV3, else the primary one, else the first.

    Files listed as negative are those of embeddings alone; `model` tells what the version is of.
    """
    model_type = name((model or table(version.get("model"))).get("type")).casefold()
    more = (_NEGATIVE,) if _TYPES.get(model_type) == EMBEDDING else ()
    listed = map(table, rows(version.get("files")))
    files = [file for file in listed if _is_usable(file, (*_MODEL_FILE_TYPES, *more))]
    if not files:
        return None
    best = min(
        files,
        key=lambda file: (
            not sha256 or _sha256(file) != sha256,
            not short or _auto_v3(file) != short,
            file.get("primary") is not True,
            name(file.get("type")).casefold() == _NEGATIVE,
        ),
    )
    return OfferedFile(
        name=name(best.get("name")),
        size=bytes_of_kib(best.get("sizeKB")),
        sha256=_sha256(best),
        auto_v3=_auto_v3(best),
        scans=tuple(
            filter(None, (name(best.get("pickleScanResult")), name(best.get("virusScanResult"))))
        ),
    )


def has_tensors(version: Json, short: str) -> bool:
    """Whether any file of the version has this AutoV3 hash."""
    return bool(short) and any(
        _is_usable(file, (*_MODEL_FILE_TYPES, _NEGATIVE)) and _auto_v3(file) == short
        for file in map(table, rows(version.get("files")))
    )


def bytes_of_kib(size: object) -> int:
    """A size in KiB as bytes, or 0."""
    found = number(size)
    return round(found * _KIB) if found is not None and 0 < found < _MAX_SIZE else 0


def _is_usable(file: Json, types: tuple[str, ...]) -> bool:
    """Whether it is a safetensors model by its name, or by its format if it has no name."""
    kind = name(file.get("type")).casefold()
    format_ = name(table(file.get("metadata")).get("format")).casefold()
    if kind not in types or format_ not in ("", *SAFETENSORS):
        return False
    file_name = name(file.get("name")).casefold()
    return file_name.endswith(".safetensors") if file_name else bool(format_)


def _auto_v3(file: Json) -> str:
    short = auto_v3(table(file.get("hashes")).get("AutoV3"))
    return "" if short == EMPTY_HASH else short


def _sha256(file: Json) -> str:
    return digest(table(file.get("hashes")).get("SHA256"))


_MAX_EXAMPLES = 12
_VIDEOS = (".mp4", ".webm", ".mov", ".gif")
_MAX_URL = 1000


@dataclass(frozen=True, slots=True)
class CardFilter:
    """Which versions get a card; `owned` keeps what the user has, downloadable or not."""

    now: datetime
    nsfw: bool = False
    base_models: tuple[str, ...] = ()
    owned: bool = False


def cards_of_model(model: Json, wanted: CardFilter) -> Iterator[AdapterCard | str]:
    """A card or a reason for each version; one reason for a model without versions."""
    reason = exclusion_reason(model)
    versions = [table(version) for version in rows(model.get("modelVersions"))]
    if not versions:
        yield reason or unavailable_reason(model, {}, wanted.now) or NO_FILE
    for version in versions:
        yield reason or card_of(model, version, wanted)


def banned_versions(model: Json) -> Iterator[AdapterKey]:
    """The versions of a model that shows real persons or minors."""
    if exclusion_reason(model) in (PERSON, MINOR):
        for version in map(table, rows(model.get("modelVersions"))):
            version_id = identity(version.get("id"))
            if version_id is not None:
                yield AdapterKey.civitai(version_id)


def card_of(
    model: Json, version: Json, wanted: CardFilter, sha256: str = "", short: str = ""
) -> AdapterCard | str:
    """A card, or the reason for none.

    `sha256` and `short` are the hash and AutoV3 of the user's own file, if the card is for that.
    """
    version_id = identity(version.get("id"))
    if version_id is None:
        return UNREADABLE
    reason = exclusion_reason(model) or _filter_reason(model, version, wanted)
    if reason is not None:
        return reason
    file = choose_file(version, sha256, short, model=model)
    if file is None or file.dangerous:
        if not wanted.owned:
            return NO_FILE if file is None else DANGER
        file = OfferedFile("", 0, sha256, "", ())
    return _card(model, version, version_id, file, sha256)


def _filter_reason(model: Json, version: Json, wanted: CardFilter) -> str | None:
    if wanted.owned:
        return None
    if not wanted.nsfw and is_nsfw_model(model, version):
        return NSFW
    if wanted.base_models and name(version.get("baseModel")) not in wanted.base_models:
        return OTHER_BASE
    return unavailable_reason(model, version, wanted.now)


def _card(
    model: Json, version: Json, version_id: int, file: OfferedFile, sha256: str
) -> AdapterCard:
    nsfw = is_nsfw_model(model, version)
    listed = [table(picture) for picture in rows(version.get("images"))]
    pictures = _shown_pictures(listed, nsfw=nsfw)
    subject = Subject(PurePath(file.name).stem, file.size)
    facts = civitai_facts({**model, "modelVersions": [{**version, "images": pictures}]}, subject)
    digests = sorted({value for value in (file.sha256, sha256) if value})
    model_type = name(model.get("type")).casefold()
    adapter_type = _TYPES[model_type]
    is_listed = facts.negative or _is_negative_file(version, digests)
    return AdapterCard(
        key=AdapterKey.civitai(version_id),
        name=facts.name or subject.stem or f"Civitai {version_id}",
        source="civitai",
        version=facts.version,
        model_id=facts.model_id,
        base_model=facts.base_model,
        tags=facts.tags,
        triggers=facts.triggers,
        text=facts.text,
        examples=facts.examples[:_MAX_EXAMPLES],
        images=len(listed) or None,
        preview=next(filter(None, (https_url(picture.get("url")) for picture in pictures)), ""),
        downloads=facts.downloads,
        rating=facts.rating,
        nsfw=nsfw,
        creator=facts.creator,
        licence=licence(model),
        remote=RemoteFile(file.name, file.size, file.sha256 or None) if file.name else None,
        auto_v3=file.auto_v3,
        equivalents=tuple(map(AdapterKey.sha256, digests)),
        formats=(DORA, LORA) if model_type == DORA else (),
        type=adapter_type,
        negative=adapter_type == EMBEDDING
        and (is_listed or is_negative(facts.name, facts.tags, facts.text)),
    )


def _is_negative_file(version: Json, sha256s: Sequence[str]) -> bool:
    return any(
        name(file.get("type")).casefold() == _NEGATIVE and _sha256(file) in sha256s
        for file in map(table, rows(version.get("files")))
    )


def add_examples(card: AdapterCard, pictures: Sequence[Json]) -> AdapterCard:
    """The card with the prompts and weights of pictures that users made with it."""
    if card.key.scheme != "civitai":
        raise InvalidInput(f"{card.key} is not a Civitai version.")
    remote = card.remote or RemoteFile("", 0)
    hashes = {"SHA256": remote.sha256, "AutoV3": card.auto_v3}
    version = {
        "id": int(card.key.value),
        "images": _shown_pictures(pictures, nsfw=card.nsfw),
        "files": [{"name": remote.name, "type": "Model", "hashes": hashes}],
    }
    found = civitai_facts(version, Subject(PurePath(remote.name).stem, remote.size)).examples
    by_prompt: dict[str, Example] = {}  # many pictures of one prompt would outvote other weights
    for example in (*found, *card.examples):
        by_prompt.setdefault(example.prompt, example)
    return replace(card, examples=tuple(by_prompt.values())[:_MAX_EXAMPLES])


def licence(model: Json) -> str:
    """Civitai's licence switches in one line; uses come as a list or as a text in braces."""
    uses = model.get("allowCommercialUse")
    listed = (
        [name(use) for use in rows(uses)]
        if isinstance(uses, list)
        else text(uses).strip("{} ").replace('"', "").split(",")
    )
    commercial = ", ".join(
        use.strip() for use in listed if use.strip() and use.strip().casefold() != "none"
    )
    parts = [f"commercial use: {commercial or 'none'}"] if uses is not None else []
    for switch, yes, no in (
        ("allowNoCredit", "no credit needed", "credit needed"),
        ("allowDerivatives", "derivatives allowed", "no derivatives"),
        ("allowDifferentLicense", "any licence for derivatives", "same licence for derivatives"),
    ):
        if isinstance(model.get(switch), bool):
            parts.append(yes if model[switch] else no)
    return "; ".join(parts)


def _shown_pictures(pictures: Sequence[Json], *, nsfw: bool) -> list[Json]:
    """The pictures without videos, and without NSFW ones unless the card is NSFW itself."""
    return [
        picture
        for picture in pictures
        if (nsfw or not is_nsfw_picture(picture)) and not _is_video(picture)
    ]


def _is_video(picture: Json) -> bool:
    if name(picture.get("type")).casefold() not in ("", "image"):
        return True
    path = text(picture.get("url"), _MAX_URL).partition("?")[0]
    return path.casefold().endswith(_VIDEOS)

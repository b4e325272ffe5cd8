"""Which versions of a Civitai model can be used, which file of a version, and NSFW ratings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from stylus_ext.catalogue.sources.common import Json
from stylus_ext.net.values import NotJson, auto_v3, digest, name, number, parsed, rows, table

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

_LORA_TYPES = frozenset({"lora", "locon", "dora", "lycoris"})
_MODES = {"archived": ARCHIVED, "takendown": TAKEN_DOWN}
_MAX_DAYS = 3650


def exclusion_reason(model: Json) -> str | None:
    """Why a model is excluded, even for owners of its file."""
    if name(model.get("type")).casefold() not in _LORA_TYPES:
        return NOT_A_LORA
    if _is_true(model.get("poi")):
        return PERSON
    if _is_true(model.get("minor")):
        return MINOR
    return None


def unavailable_reason(model: Json, version: Json, now: datetime) -> str | None:
    """Why the version's file cannot be downloaded now."""
    mode = _MODES.get(name(model.get("mode")).casefold())
    hidden = any(_is_hidden(one.get("availability")) for one in (model, version))
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
        name(one.get("availability")).casefold() == "earlyaccess" for one in (version, model)
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


def choose_file(version: Json, sha256: str = "", short: str = "") -> OfferedFile | None:
    """The safetensors file with this hash or AutoV3, else the primary one, else the first."""
    files = [file for file in map(table, rows(version.get("files"))) if _is_usable(file)]
    if not files:
        return None
    best = min(
        files,
        key=lambda file: (
            not sha256 or _sha256(file) != sha256,
            not short or _auto_v3(file) != short,
            file.get("primary") is not True,
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
        _is_usable(file) and _auto_v3(file) == short
        for file in map(table, rows(version.get("files")))
    )


def bytes_of_kib(size: object) -> int:
    """A size in KiB as bytes, or 0."""
    found = number(size)
    return round(found * _KIB) if found is not None and 0 < found < _MAX_SIZE else 0


def _is_usable(file: Json) -> bool:
    """Whether it is a safetensors model by its name, or by its format if it has no name."""
    kind = name(file.get("type")).casefold()
    format_ = name(table(file.get("metadata")).get("format")).casefold()
    if kind not in _MODEL_FILE_TYPES or format_ not in ("", *SAFETENSORS):
        return False
    file_name = name(file.get("name")).casefold()
    return file_name.endswith(".safetensors") if file_name else bool(format_)


def _auto_v3(file: Json) -> str:
    short = auto_v3(table(file.get("hashes")).get("AutoV3"))
    return "" if short == EMPTY_HASH else short


def _sha256(file: Json) -> str:
    return digest(table(file.get("hashes")).get("SHA256"))


_SAFE_BITS = 1 | 2  # PG and PG13
_NSFW_BITS = 4 | 8 | 16 | 32  # R, X, XXX, blocked
_SAFE_WORDS = frozenset({"none", "soft", "false", "pg", "pg13", "pg-13", ""})


def is_nsfw(rating: object, *, of_many: bool = False) -> bool:
    """Whether a rating is NSFW: a flag, a word or a bit mask.

    `of_many` is for the mask of a model's pictures together, where one safe bit is enough.
    """
    if isinstance(rating, bool):
        return rating
    mask = number(rating)
    if isinstance(rating, str) and mask is None:
        return rating.strip().casefold() not in _SAFE_WORDS
    if mask is None or mask <= 0 or mask != int(mask):
        return False
    if of_many and int(mask) & _SAFE_BITS:
        return False
    return bool(int(mask) & _NSFW_BITS) or int(mask) > _NSFW_BITS | _SAFE_BITS


def is_nsfw_model(model: Json, version: Json) -> bool:
    """Whether its author or Civitai says so, or none of its pictures is safe."""
    return any(
        is_nsfw(one.get("nsfw")) or is_nsfw(one.get("nsfwLevel"), of_many=True)
        for one in (model, version)
    )


def is_nsfw_picture(picture: Json) -> bool:
    return any(is_nsfw(picture.get(field)) for field in ("nsfw", "nsfwLevel", "browsingLevel"))

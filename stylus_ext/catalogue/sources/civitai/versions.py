"""Who may have a version: models and versions as Civitai lists them go in, the reason why it is of
no use comes out, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from stylus_ext.net.values import NotJson, auto_v3, digest, name, number, parsed, rows, table

NOT_A_LORA = "not a LoRA"
PERSON = "of a real person"
MINOR = "of a minor"
NSFW = "not safe for work"
ARCHIVED = "archived"
TAKEN_DOWN = "taken down"
NOT_PUBLIC = "not published"
EARLY_ACCESS = "early access"
PAID = "to be paid for"
DISABLED = "downloads disabled"
NO_FILE = "no safetensors file"
DANGER = "found dangerous by a scan"
OTHER_BASE = "for another base model"
UNREADABLE = "unreadable"

_LORAS = frozenset({"lora", "locon", "dora", "lycoris"})
_MODES = {"archived": ARCHIVED, "takendown": TAKEN_DOWN}
_LONGEST_DAYS = 3650
Json = Mapping[str, object]


def never(model: Json) -> str | None:
    """What is left out whoever asks, the owner of the file too."""
    if name(model.get("type")).casefold() not in _LORAS:
        return NOT_A_LORA
    if _says(model.get("poi")):
        return PERSON
    if _says(model.get("minor")):
        return MINOR
    return None


def withheld(model: Json, version: Json, now: datetime) -> str | None:
    """Why the file cannot be had just now."""
    mode = _MODES.get(name(model.get("mode")).casefold())
    hidden = any(_public(one.get("availability")) is False for one in (model, version))
    reasons = (
        (mode is not None, mode),
        (hidden or name(version.get("status")).casefold() not in ("", "published"), NOT_PUBLIC),
        (_early(version, model, now), EARLY_ACCESS),
        (_paid(version.get("paidAccess"), now), PAID),
        (name(version.get("usageControl")).casefold() not in ("", "download"), DISABLED),
    )
    return next((reason for holds, reason in reasons if holds), None)


def early_until(version: Json, now: datetime) -> datetime | None:
    """When early access ends, if it has not."""
    ends = moment(version.get("earlyAccessEndsAt")) or moment(version.get("earlyAccessDeadline"))
    if ends is None:
        days, out = number(version.get("earlyAccessTimeFrame")), moment(version.get("publishedAt"))
        if days is None or out is None or not 0 < days <= _LONGEST_DAYS:
            return None
        ends = out + timedelta(days=days)
    return ends if ends > now else None


def moment(value: object) -> datetime | None:
    """A time as the API writes it; without a zone it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip()[:40].replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _early(version: Json, model: Json, now: datetime) -> bool:
    """Stated by its end; by its name alone where no end is stated."""
    if early_until(version, now) is not None:
        return True
    named = any(
        name(one.get("availability")).casefold() == "earlyaccess" for one in (version, model)
    )
    ended = moment(version.get("earlyAccessEndsAt")) or moment(version.get("earlyAccessDeadline"))
    return named and ended is None


def _paid(value: object, now: datetime) -> bool:
    """An object, or the same as JSON in a text."""
    try:
        said = table(parsed(value) if isinstance(value, str) and value else value)
    except NotJson:
        return False
    ends = moment(said.get("endsAt"))
    return _says(said.get("permanent")) or (ends is not None and ends > now)


def _public(value: object) -> bool | None:
    """None where nothing is said; early access is another reason."""
    said = name(value).casefold()
    return said in ("public", "earlyaccess") if said else None


def _says(value: object) -> bool:
    return (
        value is True
        or (isinstance(value, str) and value.strip().casefold() == "true")
        or (value == 1 and not isinstance(value, bool))
    )


_KIB = 1024
_LARGEST = 2**50
_MODELS = ("", "model", "pruned model")
SAFETENSORS = ("safetensor", "safetensors")
NOTHING_HASHED = "e3b0c44298fc"
"""The beginning of the SHA256 of nothing, which some uploads got as AutoV3."""


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """`scans` are what the service's scanners said, such as ("Success", "Success"); empty where
    they said nothing.
    """

    name: str
    size: int
    sha256: str
    auto_v3: str
    scans: tuple[str, ...]

    @property
    def dangerous(self) -> bool:
        return any(said.casefold() == "danger" for said in self.scans)


def chosen(version: Mapping[str, object], sha256: str = "", short: str = "") -> OfferedFile | None:
    """The safetensors file with this hash, of itself or of its tensors; else the primary one; else
    the first. None where there is none.
    """
    usable = [file for file in map(table, rows(version.get("files"))) if _usable(file)]
    ranked = sorted(
        usable,
        key=lambda file: (
            not sha256 or _sha256(file) != sha256,
            not short or _short(file) != short,
            file.get("primary") is not True,
        ),
    )
    return _offered(ranked[0]) if ranked else None


def _usable(file: Mapping[str, object]) -> bool:
    """By what it is called and what it is said to be; where one is missing, by the other."""
    kind, form = (
        name(file.get("type")).casefold(),
        name(table(file.get("metadata")).get("format")).casefold(),
    )
    called = name(file.get("name")).casefold()
    if kind not in _MODELS or form not in ("", *SAFETENSORS):
        return False
    return called.endswith(".safetensors") if called else bool(form)


def _offered(file: Mapping[str, object]) -> OfferedFile:
    return OfferedFile(
        name=name(file.get("name")),
        size=in_bytes(file.get("sizeKB")),
        sha256=_sha256(file),
        auto_v3=_short(file),
        scans=tuple(
            filter(None, (name(file.get("pickleScanResult")), name(file.get("virusScanResult"))))
        ),
    )


def in_bytes(size: object) -> int:
    """Of a size in KiB; 0 for what is none."""
    stated = number(size)
    return round(stated * _KIB) if stated is not None and 0 < stated < _LARGEST else 0


def has_tensors(version: Mapping[str, object], short: str) -> bool:
    """Whether any of its files has these tensors."""
    return bool(short) and any(
        _usable(file) and _short(file) == short for file in map(table, rows(version.get("files")))
    )


def _short(file: Mapping[str, object]) -> str:
    short = auto_v3(table(file.get("hashes")).get("AutoV3"))
    return "" if short == NOTHING_HASHED else short


def _sha256(file: Mapping[str, object]) -> str:
    return digest(table(file.get("hashes")).get("SHA256"))


_SAFE_BITS = 1 | 2  # PG and PG13
_UNSAFE_BITS = 4 | 8 | 16 | 32  # R, X, XXX, blocked
_SAFE_WORDS = frozenset({"none", "soft", "false", "pg", "pg13", "pg-13", ""})


def is_unsafe(value: object, *, mixed: bool = False) -> bool:
    """A mask that has a safe bit is safe where it may be `mixed` (a model's, of all its pictures),
    not where it is a picture's.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and number(value) is None:
        return value.strip().casefold() not in _SAFE_WORDS
    mask = number(value)
    if mask is None or mask <= 0 or mask != int(mask):
        return False  # nothing is said
    if mixed and int(mask) & _SAFE_BITS:
        return False
    return bool(int(mask) & _UNSAFE_BITS) or int(mask) > _UNSAFE_BITS | _SAFE_BITS


def unsafe_model(model: Mapping[str, object], version: Mapping[str, object]) -> bool:
    """What its author or Civitai says of it, and whether any of its pictures is safe."""
    return (
        is_unsafe(model.get("nsfw"))
        or is_unsafe(model.get("nsfwLevel"), mixed=True)
        or is_unsafe(version.get("nsfw"))
        or is_unsafe(version.get("nsfwLevel"), mixed=True)
    )


def unsafe_picture(picture: Mapping[str, object]) -> bool:
    return any(is_unsafe(picture.get(name)) for name in ("nsfw", "nsfwLevel", "browsingLevel"))

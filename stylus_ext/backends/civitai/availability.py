"""Who may have a version: models and versions as Civitai lists them go in, the reason why it is of
no use comes out, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from stylus_ext.backends.statements.bounded_json import NotJson, parsed
from stylus_ext.backends.statements.values import name, number, table

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

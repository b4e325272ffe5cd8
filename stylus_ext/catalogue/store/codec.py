"""JSON encoding of cards, descriptions and edits for SQLite.

Defaults are left out and unknown fields ignored, so that neighbouring versions can read each
other's data.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.entry import Description, Edits
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.probe import Probe

_MARK = "\ufdd0"
_UNSAFE = re.compile("[\ud800-\udfff\ufdd0]")
_MARKED = re.compile("\ufdd0([0-9a-f]{4})")
_parse = json.JSONDecoder().raw_decode
Converters = Mapping[str, Callable[[Any], Any]]


def to_column(text: str) -> str:
    """Escape lone surrogates in file names, which UTF-8 cannot store."""
    return (
        text if text.isascii() else _UNSAFE.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)
    )


def from_column(text: str) -> str:
    if text.isascii() or _MARK not in text:
        return text
    return _MARKED.sub(lambda found: chr(int(found[1], 16)), text)


def dump(value: Any) -> str:
    return to_column(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def load(text: str) -> Any:
    return json.loads(from_column(text))


def _plain(value: Any) -> Any:
    if isinstance(value, AdapterKey):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Example):
        parts = [value.prompt, value.weight, value.image]
        return parts if value.image else parts[: 1 + (value.weight is not None)]
    if isinstance(value, RemoteFile):
        return _changed_fields(value, _REMOTE_DEFAULTS)
    return value


def _defaults(kind: type) -> dict[str, Any]:
    return {item.name: item.default for item in fields(kind)}


_REMOTE_DEFAULTS = _defaults(RemoteFile)
_CARD_DEFAULTS = _defaults(AdapterCard)
_DESCRIPTION_DEFAULTS = _defaults(Description)
_EDITS_DEFAULTS = _defaults(Edits)
_PROBE_DEFAULTS = _defaults(Probe)


def _changed_fields(value: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    changed = {}
    for name, default in defaults.items():
        held = getattr(value, name)
        if default is MISSING or held != default:
            changed[name] = _plain(held)
    return changed


_CARD: Converters = {
    "key": AdapterKey.parse,
    "tags": tuple,
    "triggers": tuple,
    "examples": lambda values: tuple([Example(*value[:3]) for value in values]),
    "remote": lambda value: (
        None if value is None else RemoteFile(**_known(value, _REMOTE_DEFAULTS, {}))
    ),
    "equivalents": lambda values: tuple(map(AdapterKey.parse, values)),
}
_EDIT_TYPES = {
    "state": str,
    "text": str,
    "kind": str,
    "weight": float,
    "triggers": list,
    "favourite": bool,
    "note": str,
    "tags": list,
}
_EDITS: Converters = dict.fromkeys(
    ("triggers", "tags"), lambda value: None if value is None else tuple(value)
)


def _known(
    raw: dict[str, Any], defaults: Mapping[str, Any], converters: Converters
) -> dict[str, Any]:
    """Convert known fields of `raw`, which is consumed."""
    known = (
        raw
        if raw.keys() <= defaults.keys()
        else {name: raw[name] for name in raw if name in defaults}
    )
    for name, convert in converters.items():
        if name in known:
            known[name] = convert(known[name])
    return known


def card_text(card: AdapterCard) -> str:
    return dump(_changed_fields(card, _CARD_DEFAULTS))


def card_of(raw: dict[str, Any]) -> AdapterCard:
    return AdapterCard(**_known(raw, _CARD_DEFAULTS, _CARD))


def body_text(card: AdapterCard, description: Description) -> str:
    """Card and description in one JSON text, so that it is parsed once."""
    return dump(
        [_changed_fields(card, _CARD_DEFAULTS), _changed_fields(description, _DESCRIPTION_DEFAULTS)]
    )


def body_of(text: str) -> tuple[AdapterCard, Description]:
    card, description = _parse(from_column(text))[0]
    return card_of(card), Description(**_known(description, _DESCRIPTION_DEFAULTS, {}))


def probe_text(probe: Probe) -> str:
    return dump(_changed_fields(probe, _PROBE_DEFAULTS))


def probe_of(raw: dict[str, Any]) -> Probe:
    return Probe(**_known(raw, _PROBE_DEFAULTS, {}))


def edits_plain(edits: Edits) -> dict[str, Any]:
    return _changed_fields(edits, _EDITS_DEFAULTS)


def edits_of(raw: Any) -> Edits:
    """Read edits, checking each field, since users may edit user.jsonl."""
    if not isinstance(raw, dict):
        raise InvalidInput("Edits must be a JSON object.")
    known = {name: value for name, value in raw.items() if value is not None}
    for name, kind in _EDIT_TYPES.items():
        value = known.get(name, kind())
        texts = value if kind is list and isinstance(value, list) else ()
        if (
            not isinstance(value, (int, float) if kind is float else kind)
            or isinstance(value, bool) != (kind is bool)
            or not all(isinstance(text, str) for text in texts)
        ):
            raise InvalidInput(f"{value!r} cannot be the {name} of an edit.")
    return Edits(**_known(known, _EDITS_DEFAULTS, _EDITS))


# Scripts written without spaces: every character is a word, so that a part of a name is found as a
# phrase.
_UNSPACED = re.compile("([\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])")
_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 12


def indexed(text: str) -> str:
    if text.isascii():
        return text.replace("\0", " ")
    plain = (
        unicodedata.normalize("NFKC", text)
        .replace("\0", " ")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )
    return _UNSPACED.sub(r" \1 ", plain)


def query(text: str) -> str:
    """FTS5 query: every word as a prefix; empty if the text has no words."""
    found = (_WORD.findall(indexed(word)) for word in text.split())
    return " AND ".join(
        f'"{" ".join(words)}" *' for words in list(filter(None, found))[:_MOST_WORDS]
    )

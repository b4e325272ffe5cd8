"""The compact "Stylus ..." fields of an infotext: what was decided goes in, fields come out, and
the way back for a paste.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host.values import KINDS, PanelValues, read_values

VERSION, SETTINGS, PROMPT, NEGATIVE = (
    "Stylus",
    "Stylus settings",
    "Stylus prompt",
    "Stylus negative prompt",
)
MASK, NOTES, FAMILY = "Stylus mask", "Stylus notes", "Stylus family"
OURS = (VERSION, SETTINGS, PROMPT, NEGATIVE, FAMILY, MASK, NOTES)
HASHES = "Lora hashes"
_SETTING_NAMES = (
    "composer",
    "max_adapters",
    "per_task",
    "strength",
    "diversity",
    "vary_inside_batch",
    "seed",
)
_NOTE_CODES = frozenset(
    {
        "refused",
        "disabled",
        "nothing_fits",
        "mixed_batch",
        "late",
        "failed",
        "unresolved",
        "partial_index",
        "busy",
        "overwritten",
        "unknown_family",
        "unlisted",
        "no_downloads",
        "not_fetched",
        "no_spending",
        "chat_failed",
    }
)


@dataclass(frozen=True, slots=True)
class Picture:
    """What was decided for one picture: its prompts before Stylus, the stems that are on in its
    first pass, and those that its mask turned off.
    """

    prompt: str
    negative: str
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


def forget(params: MutableMapping[str, Any]) -> None:
    """What an earlier batch or another cell of a grid left behind (HOST.md d): the host itself
    never takes it away.
    """
    for name in (*OURS, HASHES):
        params.pop(name, None)


def left_behind(params: Mapping[str, Any]) -> bool:
    return VERSION in params


def settings_text(values: PanelValues) -> str:
    """What differs from Stylus' own defaults, without a comma or a colon: those would be quoted."""
    plain = PanelValues()
    changed = [name for name in _SETTING_NAMES if getattr(values, name) != getattr(plain, name)]
    return " ".join(f"{name}={_word(getattr(values, name))}" for name in changed)


_PATH = re.compile(r"""(?<![\w/:.])(?:[A-Za-z]:[\\/]|\\\\|~?/)[^\s,;]""")


def _without_paths(text: str) -> str:
    """Pictures are shown to strangers, and a path often has its owner's name; where it ends cannot
    be told, so the rest goes too.
    """
    found = _PATH.search(text)
    return text if found is None else f"{text[: found.start()].rstrip()} ..."


def of_generation(values: PanelValues, family: str, notes: Iterable[Note]) -> dict[str, str]:
    """The fields that all pictures of a generation share."""
    texts = " ".join(
        dict.fromkeys(_without_paths(note.text) for note in notes if note.code in _NOTE_CODES)
    )
    return _filled(
        {VERSION: __version__, SETTINGS: settings_text(values), FAMILY: family, NOTES: texts}
    )


def of_picture(picture: Picture, positive: str, negative: str) -> dict[str, str]:
    """This picture's own: its prompts before Stylus where it changed them, and which adapters its
    mask turned on and off.
    """
    mask = " ".join([*(f"+{stem}" for stem in picture.on), *(f"-{stem}" for stem in picture.off)])
    before = picture.prompt if picture.prompt != positive else ""
    before_negative = picture.negative if picture.negative != negative else ""
    return _filled({PROMPT: before, NEGATIVE: before_negative, MASK: mask})


def _filled(found: Mapping[str, str]) -> dict[str, str]:
    """An empty value cannot be read back by the host."""
    return {name: value for name, value in found.items() if value.strip()}


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


@dataclass(frozen=True, slots=True)
class Replay:
    """A set that was chosen before: the tags that the prompt has to carry exactly, and the fields
    to write again.
    """

    prompt: str
    tags: tuple[str, ...]
    fields: Mapping[str, str]

    def dump(self) -> str:
        return json.dumps(
            {"prompt": self.prompt, "tags": list(self.tags), "fields": dict(self.fields)},
            ensure_ascii=False,
        )

    def fits(self, prompts: Sequence[str]) -> bool:
        """Whether one of these texts (with styles, without them) still carries the tags; without
        tags, whether it is the text.
        """
        if not self.tags:
            return self.prompt in prompts
        return any(Counter(tags_of(prompt)) == Counter(self.tags) for prompt in prompts)

    @property
    def original(self) -> str:
        return self.fields.get(PROMPT, self.prompt)


def load_replay(text: str) -> Replay | None:
    """What `dump` wrote; anything else is as if nothing had been pasted."""
    try:
        data = json.loads(text) if text else None
        return (
            None
            if data is None
            else Replay(str(data["prompt"]), tuple(map(str, data["tags"])), _ours(data["fields"]))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def replay_of(params: Mapping[str, Any]) -> Replay | None:
    """From an infotext as the host has read it; None if Stylus had no part in the picture."""
    if VERSION not in params:
        return None
    prompt = str(params.get("Prompt", ""))
    return Replay(prompt, tags_of(prompt), _ours(params))


def tags_of(prompt: str) -> tuple[str, ...]:
    return tuple(
        prompt[tag.start : tag.end]
        for tag in parse_prompt(prompt).user_tags
        if tag.kind in ADAPTER_KINDS
    )


def _ours(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(params[name]) for name in OURS if name in params}


def pasted_values(params: Mapping[str, Any]) -> PanelValues:
    """The panel for an infotext; what is not said there has Stylus' own default, and without Stylus
    it is off.
    """
    if VERSION not in params:
        return PanelValues()
    given: dict[str, Any] = {"enabled": True}
    for part in str(params.get(SETTINGS, "")).split():
        name, _, value = part.partition("=")
        if name in _SETTING_NAMES:
            given[name] = _value(KINDS[name], value)
    try:
        return read_values(
            [{name: value for name, value in given.items() if value is not None}]
        ).values
    except InvalidInput:
        return PanelValues(enabled=True)


def pasted(name: str, params: Mapping[str, Any]) -> Any:
    """One component's value; the hidden one gets the set that can be replayed."""
    if name == "replay":
        replay = replay_of(params)
        return "" if replay is None else replay.dump()
    if name == "session_id":
        return None  # a page keeps its own
    return getattr(pasted_values(params), name)


def _value(kind: type, text: str) -> Any:
    if kind is bool:
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        return None


def whole_texts(infotext: str) -> tuple[str, str]:
    """The prompts of an infotext as they stand there: the host's own reader takes the text of
    styles out of them.
    """
    lines = infotext.strip().split("\n")[:-1]
    start = next(
        (number for number, line in enumerate(lines) if line.startswith("Negative prompt:")),
        len(lines),
    )
    negative = "\n".join(lines[start:]).removeprefix("Negative prompt:").strip()
    return "\n".join(lines[:start]), negative

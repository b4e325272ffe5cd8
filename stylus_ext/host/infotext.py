"""The compact "Stylus ..." fields of an infotext: what was decided goes in, fields come out, and
the way back for a paste.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host import compat
from stylus_ext.host.rewrite import Picture, Texts
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
_SAID = (
    "composer",
    "max_adapters",
    "per_task",
    "strength",
    "diversity",
    "vary_inside_batch",
    "seed",
)
_TOLD = frozenset(
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
    changed = [name for name in _SAID if getattr(values, name) != getattr(plain, name)]
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
    told = " ".join(
        dict.fromkeys(_without_paths(note.text) for note in notes if note.code in _TOLD)
    )
    return _filled(
        {VERSION: __version__, SETTINGS: settings_text(values), FAMILY: family, NOTES: told}
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
        said = json.loads(text) if text else None
        return (
            None
            if said is None
            else Replay(str(said["prompt"]), tuple(map(str, said["tags"])), _ours(said["fields"]))
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
        if name in _SAID:
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
    if name == "seat":
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


_HIRES = (
    ("Hires prompt", "all_hr_prompts", "all_prompts"),
    ("Hires negative prompt", "all_hr_negative_prompts", "all_negative_prompts"),
)


@dataclass
class AppliedGeneration:
    """`shared` are the fields of all pictures; `pictures` is empty where nothing was chosen, or
    chosen before; `named` has keys and names of what was chosen, by the stems in the tags.
    """

    texts: Texts
    pictures: tuple[Picture, ...]
    shared: dict[str, str]
    notes: list[Note] = field(default_factory=list)
    lost: bool = False
    first_hashes: str | None = None
    latest: int = 0
    boxes: tuple[Any, Any] | None = None
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def before_batch(self, p: Any, prompts: Sequence[str], number: int, size: int) -> Note | None:
        """The fields of the batch's first picture, and a look whether our tags are still there; a
        note if they are not.
        """
        first = number * size
        note = None
        if not self.lost and not self._still_there(prompts, first):
            self.lost = True
            note = Note(
                "overwritten",
                "Another script changed the prompts after Stylus, so its LoRAs are not in them.",
            )
            self.notes.append(note)
            self.shared[NOTES] = " ".join(filter(None, (self.shared.get(NOTES, ""), note.text)))
        forget(p.extra_generation_params)
        self.of_image(p, first)
        return note

    def of_image(self, p: Any, image: int) -> None:
        """What the host writes into this picture's infotext is what stands there now (HOST.md
        d).
        """
        params, fields = p.extra_generation_params, self.fields(image)
        for name in set(OURS) - set(fields):
            params.pop(name, None)
        params.update({name: fields[name] for name in OURS if name in fields})
        _say_hires(p, image)

    def of_made_image(self, p: Any, image: int) -> None:
        """The host's own field was written when this batch's set was loaded; the grid may want the
        first one's.
        """
        if image == 0:
            self.first_hashes = p.extra_generation_params.get(HASHES)
        self.latest = image
        self.of_image(p, image)
        self._into_boxes(p, image)

    def of_grid(self, p: Any) -> None:
        """A grid's infotext has one picture's prompt, so it gets that picture's fields too."""
        image = compat.told_by_grid(self.latest, int(p.batch_size))
        if image == 0:
            p.extra_generation_params.pop(HASHES, None)
            if self.first_hashes is not None:
                p.extra_generation_params[HASHES] = self.first_hashes
        self.of_image(p, image)
        self._into_boxes(p, image)

    def _into_boxes(self, p: Any, image: int) -> None:
        """Where the host's infotext has the boxes' texts, they say for that long what this
        picture's were.
        """
        if not compat.tells_boxes() or image >= len(self.texts.positive):
            return
        self.boxes = self.boxes or (p.prompt, p.negative_prompt)
        p.prompt, p.negative_prompt = self.texts.positive[image], self.texts.negative[image]

    def finish(self, p: Any) -> None:
        """The boxes as the user left them."""
        if self.boxes is not None:
            p.prompt, p.negative_prompt = self.boxes

    def fields(self, image: int) -> dict[str, str]:
        if image >= len(self.pictures):
            return self.shared
        own = of_picture(
            self.pictures[image], self.texts.positive[image], self.texts.negative[image]
        )
        return {**self.shared, **({} if self.lost else own)}

    def _still_there(self, prompts: Sequence[str], first: int) -> bool:
        """Others may add to a prompt; what counts is that each still carries its tags."""
        for offset, prompt in enumerate(prompts):
            if first + offset < len(self.texts.positive):
                said = tags_of(prompt)
                if any(tag not in said for tag in tags_of(self.texts.positive[first + offset])):
                    return False
        return True


def _say_hires(p: Any, image: int) -> None:
    """What the second pass of this picture has, where it is not the first one's.

    A1111 up to 1.9 writes the raw texts of the two boxes; from 1.10 on, and in reForge and Forge, a
    function looks into the lists, but with the picture's place in its own batch: all batches would
    tell of the first one's set.
    """
    if not getattr(p, "enable_hr", False):
        return
    for name, second, first in _HIRES:
        texts, before = getattr(p, second, None) or (), getattr(p, first, None) or ()
        if image >= min(len(texts), len(before)):
            continue
        p.extra_generation_params.pop(name, None)
        if texts[image] != before[image]:
            p.extra_generation_params[name] = texts[image]


def texts_of(p: Any) -> Texts:
    """The host's lists as they are when `process` is called: styles, wildcards and Dynamic Prompts
    are in them.
    """
    second = bool(getattr(p, "enable_hr", False)) and bool(getattr(p, "all_hr_prompts", None))
    return Texts(
        _read(p.all_prompts),
        _read(p.all_negative_prompts),
        _read(p.all_hr_prompts) if second else (),
        _read(p.all_hr_negative_prompts) if second else (),
    )


def _read(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(compat.without_comments, texts))


def write(p: Any, texts: Texts) -> None:
    """All lists in one go. `main_prompt` is what the grid's infotext says (HOST.md a)."""
    p.all_prompts, p.all_negative_prompts = list(texts.positive), list(texts.negative)
    if texts.hr_positive:
        p.all_hr_prompts, p.all_hr_negative_prompts = (
            list(texts.hr_positive),
            list(texts.hr_negative),
        )
    p.main_prompt, p.main_negative_prompt = texts.positive[0], texts.negative[0]

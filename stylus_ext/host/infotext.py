"""The "Stylus ..." fields of an infotext: written with a generation's texts, read by a paste.

The host is imported inside functions; the fields themselves need none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.generation import ImageSchedules, Texts
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.schedules import schedule_text
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.host.picture_facts import (
    HIRES_SCHEDULES,
    SCHEDULES,
    facts_of,
    not_loaded,
    only_facts,
)
from stylus_ext.host.values import KINDS, PanelValues, read_values

VERSION, SETTINGS = "Stylus", "Stylus settings"
PROMPT, NEGATIVE = "Stylus prompt", "Stylus negative prompt"
MASK, NOTES, FAMILY, KEPT = "Stylus mask", "Stylus notes", "Stylus family", "Stylus kept"
OURS = (VERSION, SETTINGS, PROMPT, NEGATIVE, FAMILY, MASK, KEPT, NOTES, SCHEDULES, HIRES_SCHEDULES)
HASHES = "Lora hashes"
_SETTING_NAMES = (
    "composer",
    "max_adapters",
    "per_task",
    "strength",
    "diversity",
    "vary_inside_batch",
    "seed",
    "combination",
)
_CONFIRMING = frozenset({"corrected", "locked"})
_HIRES = (
    ("Hires prompt", "all_hr_prompts", "all_prompts"),
    ("Hires negative prompt", "all_hr_negative_prompts", "all_negative_prompts"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its prompts before Stylus, stems on in its first pass, stems off by its mask."""

    prompt: str
    negative: str
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


def forget(params: MutableMapping[str, Any]) -> None:
    """Remove the fields of an earlier batch or grid cell, which the host keeps."""
    for name in (*OURS, HASHES):
        params.pop(name, None)


def settings_text(values: PanelValues) -> str:
    """Settings that differ from the defaults, without comma or colon: those would be quoted."""
    plain = PanelValues()
    changed = [name for name in _SETTING_NAMES if getattr(values, name) != getattr(plain, name)]
    return " ".join(f"{name}={_word(getattr(values, name))}" for name in changed)


def of_generation(values: PanelValues, family: str, notes: Iterable[Note]) -> dict[str, str]:
    """Fields that all pictures of a generation share; `KEPT` if the user confirmed the set."""
    notes = list(notes)
    kept = " ".join(note.code for note in notes if note.code in _CONFIRMING)
    return _filled(
        {
            VERSION: __version__,
            SETTINGS: settings_text(values),
            FAMILY: family,
            KEPT: kept,
            NOTES: facts_of(notes),
        }
    )


def of_picture(picture: Picture, positive: str, negative: str) -> dict[str, str]:
    """A picture's own fields: its prompts before Stylus where they changed, and its mask."""
    mask = " ".join([*(f"+{stem}" for stem in picture.on), *(f"-{stem}" for stem in picture.off)])
    before = picture.prompt if picture.prompt != positive else ""
    before_negative = picture.negative if picture.negative != negative else ""
    return _filled({PROMPT: before, NEGATIVE: before_negative, MASK: mask})


def of_schedules(schedules: ImageSchedules) -> dict[str, str]:
    first, second = schedule_text(schedules.first), schedule_text(schedules.second)
    return _filled({SCHEDULES: first, HIRES_SCHEDULES: second if second != first else ""})


def _filled(found: Mapping[str, str]) -> dict[str, str]:
    """Drop empty values, which the host cannot read back."""
    return {name: value for name, value in found.items() if value.strip()}


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def tags_of(prompt: str) -> tuple[str, ...]:
    return tuple(
        prompt[tag.start : tag.end]
        for tag in parse_prompt(prompt).user_tags
        if tag.kind in ADAPTER_KINDS
    )


@dataclass(frozen=True, slots=True)
class Replay:
    """An earlier selection: the tags that the prompt must contain, and the fields to write."""

    prompt: str
    tags: tuple[str, ...]
    fields: Mapping[str, str]

    def dump(self) -> str:
        return json.dumps(
            {"prompt": self.prompt, "tags": list(self.tags), "fields": dict(self.fields)},
            ensure_ascii=False,
        )

    def fits(self, prompts: Sequence[str]) -> bool:
        """True if a text still has exactly the tags; without tags, if it is the same text."""
        if not self.tags:
            return self.prompt in prompts
        return any(Counter(tags_of(prompt)) == Counter(self.tags) for prompt in prompts)

    @property
    def original(self) -> str:
        return self.fields.get(PROMPT, self.prompt)


def load_replay(text: str) -> Replay | None:
    """Read what `dump` wrote; None for anything else."""
    try:
        data = json.loads(text) if text else None
        if data is None:
            return None
        return Replay(str(data["prompt"]), tuple(map(str, data["tags"])), _ours(data["fields"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def replay_of(params: Mapping[str, Any]) -> Replay | None:
    """The selection in a parsed infotext; None without Stylus."""
    if VERSION not in params:
        return None
    prompt = str(params.get("Prompt", ""))
    return Replay(prompt, tags_of(prompt), _ours(params))


def _ours(params: Mapping[str, Any]) -> dict[str, str]:
    fields = {name: str(params[name]) for name in OURS if name in params}
    notes = only_facts(fields.pop(NOTES, ""))
    return fields | ({NOTES: notes} if notes else {})


def pasted_values(params: Mapping[str, Any]) -> PanelValues:
    """The panel's values for an infotext, with defaults for missing ones; off without Stylus."""
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
    """The pasted value of one component; `replay` gets the selection."""
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
    """The prompts of an infotext; the host's reader would remove the text of styles."""
    lines = infotext.strip().split("\n")[:-1]
    start = next(
        (number for number, line in enumerate(lines) if line.startswith("Negative prompt:")),
        len(lines),
    )
    negative = "\n".join(lines[start:]).removeprefix("Negative prompt:").strip()
    return "\n".join(lines[:start]), negative


@dataclass
class AppliedGeneration:
    """The written texts and fields of a generation.

    `pictures` is empty if nothing was chosen; `named` has key and name by the stem in a tag,
    `commented` the user's texts with comments by those without.
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
    commented: Mapping[str, str] = field(default_factory=dict)
    not_loaded: dict[int, frozenset[str]] = field(default_factory=dict)
    schedules: tuple[ImageSchedules, ...] = ()

    def before_batch(self, p: Any, prompts: Sequence[str], number: int, size: int) -> Note | None:
        """Write the fields of the batch's first picture; a note if our tags are gone."""
        first = number * size
        note = None
        if not self.lost and not self._still_there(prompts, first):
            self.lost = True
            note = Note(
                "overwritten",
                "Another script changed the prompts after Stylus, so its LoRAs are not in them.",
            )
            self.notes.append(note)
            facts = self.shared.get(NOTES, ""), facts_of([note])
            self.shared[NOTES] = " ".join(filter(None, facts))
        if not self.lost:
            self._into_saved(p, range(first, first + len(prompts)))
        forget(p.extra_generation_params)
        self.of_image(p, first)
        self._prepare(first)
        return note

    def begin_pass(self, p: Any, number: int, *, second: bool = False) -> None:
        """Carry out the schedules of this batch, whose LoRAs are loaded."""
        from stylus_ext.host.schedules import begin_pass

        if self.schedules:
            begin_pass(p, self.schedules, number * int(p.batch_size), second)

    def _prepare(self, first: int) -> None:
        from stylus_ext.host.schedules import prepare_batch

        if self.schedules:
            prepare_batch(() if self.lost else self.schedules, first)

    def after_loading(self, p: Any, number: int, size: int) -> Note | None:
        """Take what the host did not load out of the batch's masks; a note on it."""
        first = number * size
        if self.lost or first >= len(self.texts.positive):
            return None
        tags = parse_prompt(self.texts.positive[first]).user_tags
        names_in_prompt = {tag.name for tag in tags if tag.kind == "lora"}
        missing = not_loaded(names_in_prompt, p.extra_generation_params.get(HASHES))
        words = self.fields(first).get(MASK, "").split()
        self.not_loaded |= dict.fromkeys(range(first, first + size), missing)
        claimed = sorted(stem for stem in missing if f"+{stem}" in words)
        if not claimed:
            return None
        self.of_image(p, first)
        note = Note("not_loaded", f"The WebUI did not load {', '.join(claimed)}. Its log says why.")
        self.notes.append(note)
        return note

    def _into_saved(self, p: Any, images: range) -> None:
        """Write the batch's texts into the host's own copies, if those were made before."""
        from stylus_ext.host import compat

        saved = compat.saved_prompts(p)
        if saved is None:
            return
        for image in images[: max(0, len(self.texts.positive) - images.start)]:
            texts = self.texts.positive[image], self.texts.negative[image]
            copy = saved[0][image] if image < len(saved[0]) else None
            if copy is None or copy == texts[0] or not set(tags_of(texts[0])) <= set(tags_of(copy)):
                for copies, text in zip(saved, self._commented(image), strict=True):
                    copies[image : image + 1] = [text]

    def _commented(self, image: int) -> tuple[str, ...]:
        """The picture's texts with the comments that the user's had."""
        from stylus_ext.host import compat
        from stylus_ext.host.prompt_comments import with_comments

        texts = self.texts.positive[image], self.texts.negative[image]
        if not self.commented or image >= len(self.pictures):
            return texts
        before = self.pictures[image].prompt, self.pictures[image].negative
        raws = [self.commented.get(compat.strip_comments(text), "") for text in before]
        return tuple(
            with_comments(raw, text, compat.strip_comments)
            for raw, text in zip(raws, texts, strict=True)
        )

    def of_image(self, p: Any, image: int) -> None:
        """Write this picture's fields, which the host copies into its infotext."""
        params, fields = p.extra_generation_params, self.fields(image)
        for name in set(OURS) - set(fields):
            params.pop(name, None)
        params.update({name: fields[name] for name in OURS if name in fields})
        _say_hires(p, image)

    def of_made_image(self, p: Any, image: int) -> None:
        """Write the fields of a picture that was made; the grid may need the first hashes."""
        if image == 0:
            self.first_hashes = p.extra_generation_params.get(HASHES)
        self.latest = image
        self.of_image(p, image)
        self._into_boxes(p, image)

    def of_grid(self, p: Any) -> None:
        """Write the fields of the picture whose prompt is in the grid's infotext."""
        from stylus_ext.host import compat

        image = compat.picture_of_grid_infotext(p, self.latest)
        if image == 0:
            p.extra_generation_params.pop(HASHES, None)
            if self.first_hashes is not None:
                p.extra_generation_params[HASHES] = self.first_hashes
        self.of_image(p, image)
        self._into_boxes(p, image)

    def _into_boxes(self, p: Any, image: int) -> None:
        """Put this picture's texts into the boxes while the host writes them to the infotext."""
        from stylus_ext.host import compat

        if not compat.tells_boxes() or image >= len(self.texts.positive):
            return
        self.boxes = self.boxes or (p.prompt, p.negative_prompt)
        p.prompt, p.negative_prompt = self.texts.positive[image], self.texts.negative[image]

    def finish(self, p: Any) -> None:
        """Restore the user's boxes."""
        if self.boxes is not None:
            p.prompt, p.negative_prompt = self.boxes

    def fields(self, image: int) -> dict[str, str]:
        fields = dict(self.shared)
        if image < len(self.pictures) and not self.lost:
            texts = self.texts.positive[image], self.texts.negative[image]
            fields |= of_picture(self.pictures[image], *texts)
        if image < len(self.schedules) and not self.lost:
            fields |= of_schedules(self.schedules[image])
        missing = {f"+{stem}" for stem in self.not_loaded.get(image, ())}
        words = fields.get(MASK, "").split()
        if missing.intersection(words):
            fields[MASK] = " ".join(word for word in words if word not in missing)
            facts = fields.get(NOTES, ""), facts_of([Note("not_loaded", "")])
            fields[NOTES] = " ".join(filter(None, facts))
        return _filled(fields)

    def _still_there(self, prompts: Sequence[str], first: int) -> bool:
        """True if each prompt has its tags; other scripts may add text."""
        for offset, prompt in enumerate(prompts):
            if first + offset >= len(self.texts.positive):
                continue
            written = self.texts.positive[first + offset]
            if prompt != written and not set(tags_of(written)) <= set(tags_of(prompt)):
                return False
        return True


def _say_hires(p: Any, image: int) -> None:
    """Write the second pass's prompts where they differ from the first's.

    A1111 up to 1.9 writes the raw boxes; A1111 1.10, reForge and Forge always the first batch's.
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

"""Applies a generation's texts to the host's lists and its fields to the infotext."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.core.generation import Texts
from stylus_ext.host import compat
from stylus_ext.host.infotext import HASHES, NOTES, OURS, Picture, forget, of_picture, tags_of

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
        image = compat.picture_of_grid_infotext(self.latest, int(p.batch_size))
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
            if first + offset >= len(self.texts.positive):
                continue
            written = self.texts.positive[first + offset]
            if prompt != written and not set(tags_of(written)) <= set(tags_of(prompt)):
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

"""Continues earlier pictures: a pasted selection, the upscale button, "send to img2img"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.core.embedding_words import embedding_word, mentions, weight_in
from stylus_ext.core.errors import Note
from stylus_ext.core.generation import Texts
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.host import compat, infotext
from stylus_ext.host.infotext import AppliedGeneration, tags_of
from stylus_ext.host.picture_facts import HIRES_SCHEDULES, SCHEDULES
from stylus_ext.host.planner import MadePicture, Planner
from stylus_ext.host.schedules import replayed
from stylus_ext.host.values import PanelValues
from stylus_ext.host.written_texts import texts_of, write

_AGAIN = Note("replayed", "Stylus used the LoRAs of the earlier picture again.")


def continued(p: Any, values: PanelValues, planner: Planner) -> AppliedGeneration | None:
    """The applied texts of an earlier picture; None if this is a new one."""
    before = texts_of(p)
    pasted = infotext.load_replay(values.replay)
    own = p.prompt if isinstance(p.prompt, str) else ""
    if pasted is not None and pasted.fits([own, *dict.fromkeys(before.positive)]):
        return _repeated(before, pasted.fields)
    if getattr(p, "txt2img_upscale", False):
        return _upscaled(p, planner, before)
    if getattr(p, "init_images", None):
        return _sent(p, values, planner, before)
    return None


@dataclass(frozen=True, slots=True)
class _Earlier:
    """An earlier picture's prompts before and after Stylus."""

    made: MadePicture

    @property
    def original(self) -> str:
        return self.made.fields.get(infotext.PROMPT, self.made.prompt)

    @property
    def original_negative(self) -> str:
        return self.made.fields.get(infotext.NEGATIVE, self.made.negative)

    def positive(self, text: str) -> str:
        """The earlier text if the user changed nothing, else the new text with the added tags and
        embeddings.
        """
        if text == self.original:
            return self.made.prompt
        added = Counter(tags_of(self.made.prompt)) - Counter(tags_of(self.original))
        text = self._with_embeddings(text, self.original, self.made.prompt)
        return " ".join([text, *added.elements()]) if text else " ".join(added.elements())

    def negative(self, text: str) -> str:
        if text == self.original_negative:
            return self.made.negative
        return self._with_embeddings(text, self.original_negative, self.made.negative)

    def _with_embeddings(self, text: str, original: str, written: str) -> str:
        """Add the words in the mask that Stylus wrote and the text does not have."""
        stems = {tag.name for tag in parse_prompt(self.made.prompt).user_tags}
        mask = self.made.fields.get(infotext.MASK, "").split()
        words = (
            embedding_word(stem, weight_in(written, stem))
            for stem in (item.removeprefix("+") for item in mask if item.startswith("+"))
            if stem not in stems and mentions(written, stem) and not mentions(original, stem)
            if not mentions(text, stem)
        )
        return ", ".join(filter(None, [text, *words]))

    def all_of(self, texts: Texts) -> Texts:
        return Texts(
            tuple(map(self.positive, texts.positive)),
            tuple(map(self.negative, texts.negative)),
            tuple(map(self.positive, texts.hr_positive)),
            tuple(map(self.negative, texts.hr_negative)),
        )


def _upscaled(p: Any, planner: Planner, before: Texts) -> AppliedGeneration | None:
    earlier = _of_image(getattr(p, "firstpass_image", None)) or _of_memory(p, planner, before)
    return None if earlier is None else _again(p, earlier, before)


def _sent(p: Any, values: PanelValues, planner: Planner, before: Texts) -> AppliedGeneration | None:
    """The earlier picture, if prompt and settings are unchanged."""
    for earlier in (_of_image(p.init_images[0]), _of_memory(p, planner, before)):
        if earlier is None or any(text != earlier.original for text in before.positive):
            continue
        if earlier.made.fields.get(infotext.SETTINGS, "") == infotext.settings_text(values):
            return _again(p, earlier, before)
    return None


def _again(p: Any, earlier: _Earlier, before: Texts) -> AppliedGeneration:
    texts = earlier.all_of(before)
    write(p, texts)
    fields = {**earlier.made.fields}
    if before.positive[0] != texts.positive[0]:
        fields[infotext.PROMPT] = before.positive[0]
    return _repeated(texts, fields)


def _repeated(texts: Texts, fields: Mapping[str, str]) -> AppliedGeneration:
    """The earlier fields, without schedules that this host cannot carry out."""
    schedules = replayed(fields, len(texts.positive))
    own = (SCHEDULES, HIRES_SCHEDULES)
    shared = {name: text for name, text in fields.items() if name not in own}
    return AppliedGeneration(texts, (), shared, [_AGAIN], schedules=schedules)


def _of_image(image: Any) -> _Earlier | None:
    """The earlier picture stated in an image's own infotext."""
    info = getattr(image, "info", None)
    parameters = info.get("parameters") if isinstance(info, Mapping) else None
    if not isinstance(parameters, str) or f"{infotext.VERSION}: " not in parameters:
        return None
    replay = infotext.replay_of(compat.read_infotext(parameters))
    if replay is None:
        return None
    prompt, negative = infotext.whole_texts(parameters)
    return _Earlier(MadePicture(prompt, negative, replay.fields))


def _of_memory(p: Any, planner: Planner, before: Texts) -> _Earlier | None:
    """A remembered picture of the page; an API caller may reuse seed and prompt by chance."""
    if getattr(p, "is_api", False) or not p.all_seeds:
        return None
    made = planner.made.get((int(p.all_seeds[0]), before.positive[0]))
    return None if made is None else _Earlier(made)

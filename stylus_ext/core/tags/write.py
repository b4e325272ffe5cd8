"""In: the user's prompts, a composition and a mask. Out: the prompts of one batch, the user's own
text unchanged in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Pick
from stylus_ext.core.errors import Note
from stylus_ext.core.masks import Mask
from stylus_ext.core.prompt.insert import insert
from stylus_ext.core.prompt.parse import Prompt, parse_prompt
from stylus_ext.core.prompt.tokens import COMMENT, TEXT
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags.tag import Tag
from stylus_ext.core.tags.weights import own_weight, weigh, written


@dataclass(frozen=True, slots=True)
class Written:
    """The prompts of one batch and what could not be written into them."""

    prompt: str
    negative_prompt: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that does not change from batch to batch."""

    prompt: Prompt
    negative: Prompt
    composition: Composition
    tags: Mapping[AdapterKey, Tag]
    settings: Settings


def write_tags(sheet: Sheet, mask: Mask) -> Written:
    weights = weigh(
        sheet.composition, mask, sheet.settings.weights, own_weight(sheet.prompt.user_tags)
    )
    on = [pick for pick in sheet.composition.picks if weights.get(pick.key)]
    squeezed = [pick for pick in sheet.composition.picks if weights.get(pick.key) == 0]
    notes = [
        Note(
            "no_room",
            f"{pick.name} was left out: the adapters in your prompt take up the whole cap.",
        )
        for pick in squeezed
    ]
    prompt = _emphasised(sheet)
    inserted = insert(prompt, _additions(sheet, prompt, on))
    notes += [Note("no_trigger", refusal.why) for refusal in inserted.refused]
    tags = " ".join(
        f"<lora:{sheet.tags[pick.key].stem}:{written(weights[pick.key])}>" for pick in on
    )
    return Written(_appended(inserted.text, tags), _negative(sheet, on), tuple(notes))


def _emphasised(sheet: Sheet) -> Prompt:
    """PAPER.md 1.5: tasks that nothing serves can be given more attention. The user's words stay;
    brackets go around them.
    """
    weight = sheet.settings.text.emphasis
    served = {pick.task for pick in sheet.composition.picks}
    if weight <= 1.0 or not served:
        return sheet.prompt
    text, done, parts = sheet.prompt.text, 0, []
    for task in sorted(sheet.composition.tasks, key=lambda task: task.start):
        plain = all(
            token.kind == TEXT for token in parse_prompt(text[task.start : task.end]).tokens
        )
        if task.start >= done and task.start not in served and not task.taken_by and plain:
            parts += [text[done : task.start], f"({text[task.start : task.end]}:{written(weight)})"]
            done = task.end
    return parse_prompt("".join([*parts, text[done:]]))


def _additions(sheet: Sheet, prompt: Prompt, on: Sequence[Pick]) -> dict[int, str]:
    """Trigger words by the segment that owns the task; the debias text in the last segment,
    whatever the mask says, so that pictures with and without adapters differ by the adapters alone.
    """
    segments = {task.start: task.segment for task in sheet.composition.tasks}
    words: dict[int, list[str]] = {}
    for pick in on:
        words.setdefault(segments[pick.task], []).extend(sheet.tags[pick.key].triggers)
    if sheet.settings.text.debias and sheet.composition.picks:
        words.setdefault(prompt.segments[-1].index, []).append(sheet.settings.text.debias)
    return {segment: ", ".join(dict.fromkeys(texts)) for segment, texts in words.items() if texts}


def _appended(text: str, tags: str) -> str:
    if not tags:
        return text
    tokens = parse_prompt(text).tokens
    if tokens and tokens[-1].kind == COMMENT:  # the host drops all that follows on a comment's line
        return f"{text}\n{tags}"
    return f"{text}{'' if not text or text[-1].isspace() else ' '}{tags}"


def _negative(sheet: Sheet, on: Sequence[Pick]) -> str:
    text = sheet.negative.text
    wanted = dict.fromkeys(sheet.tags[pick.key].negative_text.strip() for pick in on)
    missing = [extra for extra in wanted if extra and extra.lower() not in text.lower()]
    if not missing or not sheet.settings.text.negative_text:
        return text
    return insert(sheet.negative, {sheet.negative.segments[-1].index: ", ".join(missing)}).text

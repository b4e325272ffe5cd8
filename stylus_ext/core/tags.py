"""Writes the prompts of one batch: tags, trigger words, weights; the user's text is unchanged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Tag
from stylus_ext.core.errors import Note
from stylus_ext.core.prompt.insert import insert
from stylus_ext.core.prompt.parse import COMMENT, TEXT, Prompt, UserTag, parse_prompt
from stylus_ext.core.settings import Settings, WeightSettings

PAPER_FACTOR = 0.8
ADAPTER_KINDS = frozenset({"lora", "lyco"})


def weigh(
    composition: Composition, mask: Mask, settings: WeightSettings, own: float = 0.0
) -> dict[AdapterKey, float]:
    """Weights of the active picks: divided by the active picks of their task, then capped.

    Weights set by the user are neither divided nor scaled while they alone respect the cap. `own`
    is the total of the user's own tags: it counts towards the cap and is never changed.
    """
    on = [pick for pick in composition.picks if pick.key in mask.on]
    sharing = Counter(pick.task for pick in on)
    factor = settings.strength * (PAPER_FACTOR if settings.paper_factor else 1.0)
    weights = {
        pick.key: (
            (settings.default_weight if pick.weight is None else pick.weight)
            * (1.0 if pick.user_weight else factor / sharing[pick.task])
        )
        for pick in on
    }
    if settings.total_cap:
        weights = _capped(
            weights,
            {pick.key for pick in on if pick.user_weight},
            max(0.0, settings.total_cap - own),
        )
    return {key: _cut(weight) for key, weight in weights.items()}


def _capped(
    weights: dict[AdapterKey, float], fixed_keys: Collection[AdapterKey], cap: float
) -> dict[AdapterKey, float]:
    """Scale the other weights first; the user's only if they alone exceed the cap."""
    total = sum(map(abs, weights.values()))
    if total <= cap:
        return weights
    fixed = sum(abs(weights[key]) for key in fixed_keys)
    if fixed >= cap:
        return {key: weight * cap / total for key, weight in weights.items()}
    share = (cap - fixed) / (total - fixed)
    return {key: weight if key in fixed_keys else weight * share for key, weight in weights.items()}


def own_weight(tags: Iterable[UserTag]) -> float:
    """Total weight of the user's own adapters; an absent weight is 1."""
    return sum(
        1.0 if tag.weight is None else abs(tag.weight) for tag in tags if tag.kind in ADAPTER_KINDS
    )


def written(weight: float) -> str:
    """Format a weight with as few digits as needed: 0.8, 1, 0.27."""
    return f"{weight:.2f}".rstrip("0").rstrip(".")


def _cut(weight: float) -> float:
    """Round towards zero to two decimals, so that the cap always holds."""
    return math.trunc(weight * 100 + math.copysign(1e-6, weight)) / 100


@dataclass(frozen=True, slots=True)
class Written:
    """The prompts of one batch, and notes on text that could not be inserted."""

    prompt: str
    negative_prompt: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class TagInputs:
    """The inputs that all batches share."""

    prompt: Prompt
    negative: Prompt
    composition: Composition
    tags: Mapping[AdapterKey, Tag]
    settings: Settings


def write_tags(inputs: TagInputs, mask: Mask) -> Written:
    weights = weigh(
        inputs.composition, mask, inputs.settings.weights, own_weight(inputs.prompt.user_tags)
    )
    on = [pick for pick in inputs.composition.picks if weights.get(pick.key)]
    full = "was left out: the adapters in your prompt take up the whole cap."
    notes = [
        Note("no_room", f"{pick.name} {full}")
        for pick in inputs.composition.picks
        if weights.get(pick.key) == 0
    ]
    prompt = _emphasised(inputs)
    inserted = insert(prompt, _additions(inputs, prompt, on))
    notes += [Note("no_trigger", refusal.why) for refusal in inserted.refused]
    tags = " ".join(
        f"<lora:{inputs.tags[pick.key].stem}:{written(weights[pick.key])}>" for pick in on
    )
    return Written(_appended(inserted.text, tags), _negative(inputs, on), tuple(notes))


def _emphasised(inputs: TagInputs) -> Prompt:
    """Emphasise tasks without adapters by brackets around the user's words (option)."""
    weight = inputs.settings.text.emphasis
    served = {pick.task for pick in inputs.composition.picks}
    if weight <= 1.0 or not served:
        return inputs.prompt
    text, done, parts = inputs.prompt.text, 0, []
    for task in sorted(inputs.composition.tasks, key=lambda task: task.start):
        words = text[task.start : task.end]
        is_plain = all(token.kind == TEXT for token in parse_prompt(words).tokens)
        if task.start >= done and task.start not in served and not task.taken_by and is_plain:
            parts += [text[done : task.start], f"({words}:{written(weight)})"]
            done = task.end
    return parse_prompt("".join([*parts, text[done:]]))


def _additions(inputs: TagInputs, prompt: Prompt, on: Sequence[Pick]) -> dict[int, str]:
    """Trigger words by segment; the last segment also gets the debias text, under every mask."""
    segments = {task.start: task.segment for task in inputs.composition.tasks}
    words: dict[int, list[str]] = {}
    for pick in on:
        words.setdefault(segments[pick.task], []).extend(inputs.tags[pick.key].triggers)
    if inputs.settings.text.debias and inputs.composition.picks:
        words.setdefault(prompt.segments[-1].index, []).append(inputs.settings.text.debias)
    return {segment: ", ".join(dict.fromkeys(texts)) for segment, texts in words.items() if texts}


def _appended(text: str, tags: str) -> str:
    if not tags:
        return text
    tokens = parse_prompt(text).tokens
    if tokens and tokens[-1].kind == COMMENT:  # the host drops all that follows on a comment's line
        return f"{text}\n{tags}"
    return f"{text}{'' if not text or text[-1].isspace() else ' '}{tags}"


def _negative(inputs: TagInputs, on: Sequence[Pick]) -> str:
    text = inputs.negative.text
    wanted = dict.fromkeys(inputs.tags[pick.key].negative_text.strip() for pick in on)
    missing = [extra for extra in wanted if extra and extra.lower() not in text.lower()]
    if not missing or not inputs.settings.text.negative_text:
        return text
    return insert(inputs.negative, {inputs.negative.segments[-1].index: ", ".join(missing)}).text

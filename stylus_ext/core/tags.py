"""Writes the prompts of one batch: tags, trigger words, weights; the user's text is unchanged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK, LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, NearMiss, Pick, Tag
from stylus_ext.core.embedding_words import embedding_word, mentions
from stylus_ext.core.errors import Note
from stylus_ext.core.prompt.insert import insert
from stylus_ext.core.prompt.parse import COMMENT, TEXT, Prompt, UserTag, parse_prompt, weight_of
from stylus_ext.core.settings import Settings, WeightSettings
from stylus_ext.core.weight_formats import STYLEINJECT

PAPER_FACTOR = 0.8
LORA_KINDS = frozenset({"lora", "lyco"})
ADAPTER_KINDS = LORA_KINDS | {STYLEINJECT}
_TAG_KINDS = {LORA: "lora", HYPERNETWORK: "hypernet", STYLEINJECT: STYLEINJECT}
_LIKE_LORA = frozenset({LORA, STYLEINJECT})
_EMBEDDING_WEIGHT = 1.0


def default_weight(pick: Pick, settings: WeightSettings) -> float:
    """The weight of a pick whose weight is unknown."""
    return settings.default_weight if pick.type in _LIKE_LORA else _EMBEDDING_WEIGHT


def weigh(
    composition: Composition, mask: Mask, settings: WeightSettings, own: float = 0.0
) -> dict[AdapterKey, float]:
    """Weights of the active picks: divided by the active picks of their task, then capped.

    Weights set by the user are neither divided nor scaled while they alone respect the cap. `own`
    is the total of the user's own tags: it counts towards the cap and is never changed. Where the
    cap would lower a pick below its author's minimum, the weakest pick gets 0 instead. The mask's
    factor applies to all picks, or to every second one where the cap would undo it. Embeddings
    change no weights of the model: the cap is not for them.
    """
    on = [pick for pick in composition.all_picks if pick.key in mask.on]
    zeros = {pick.key: 0.0 for pick in on}
    room = max(0.0, settings.total_cap - own)
    while True:
        capped = {pick.key for pick in on if pick.type != EMBEDDING}
        plain, minimums = _before_the_cap(on, [1.0], settings)
        total = sum(abs(weight) for key, weight in plain.items() if key in capped)
        is_full = settings.total_cap and total > room
        factors = [mask.weight_factor, 1.0] if is_full else [mask.weight_factor]
        weights, _ = _before_the_cap(on, factors, settings)
        if settings.total_cap:
            fixed_keys = {pick.key for pick in on if pick.user_weight} & capped
            merged = {key: weight for key, weight in weights.items() if key in capped}
            weights |= _capped(merged, fixed_keys, room)
            if any(_cut(weights[key]) < _cut(minimums[key]) for key in minimums.keys() & capped):
                on.remove(_weakest([pick for pick in on if pick.key in capped]))
                continue
        return zeros | {key: _cut(weight) for key, weight in weights.items()}


def _before_the_cap(
    on: Sequence[Pick], factors: Sequence[float], settings: WeightSettings
) -> tuple[dict[AdapterKey, float], dict[AdapterKey, float]]:
    """The weights, and the least ones that the authors state, where known.

    The picks take the factors in turn.
    """
    sharing = Counter(pick.task for pick in on if not pick.negative)
    strength = settings.strength * (PAPER_FACTOR if settings.paper_factor else 1.0)
    weights, minimums = {}, {}
    for pick, factor in zip(on, cycle(factors)):
        weight = default_weight(pick, settings) if pick.weight is None else pick.weight
        if not pick.user_weight:
            scale = strength / (1 if pick.negative else sharing[pick.task])
            if pick.min_weight is not None:
                minimums[pick.key] = min(pick.min_weight, weight) * scale
            weight = _varied(pick, weight, factor) * scale
        weights[pick.key] = weight
    return weights, minimums


def _varied(pick: Pick, weight: float, factor: float) -> float:
    """The weight times the factor, within the author's range."""
    if factor == 1.0:
        return weight
    least = -math.inf if pick.min_weight is None else min(pick.min_weight, weight)
    most = math.inf if pick.max_weight is None else max(pick.max_weight, weight)
    return min(most, max(least, weight * factor))


def _weakest(on: Sequence[Pick]) -> Pick:
    """Return the least certain pick that the prompt does not name; of equals the last."""
    free = [pick for pick in reversed(on) if not pick.user_weight]
    return min(free, key=lambda pick: (pick.pinned, pick.asked_for, pick.score))


def without_excess(
    composition: Composition, settings: WeightSettings, own: float = 0.0
) -> tuple[Composition, tuple[Note, ...]]:
    """Turn the picks for which the cap leaves no room beside the others into near misses."""

    def weights(picks: Sequence[Pick]) -> dict[AdapterKey, float]:
        return weigh(composition, Mask(frozenset(pick.key for pick in picks)), settings, own)

    together = weights(composition.picks)
    excess = [
        pick for pick in composition.picks if not together[pick.key] and weights([pick])[pick.key]
    ]
    if not excess:
        return composition, ()
    misses = [NearMiss(pick.key, pick.name, _OVER_THE_CAP, pick.score) for pick in excess]
    return (
        replace(
            composition,
            picks=tuple(pick for pick in composition.picks if pick not in excess),
            near_misses=(*misses, *composition.near_misses),
        ),
        tuple(_no_room(pick) for pick in excess),
    )


_OVER_THE_CAP = "the limit on the sum of all weights leaves no room for it"


def _no_room(pick: Pick) -> Note:
    return Note("no_room", f"{pick.name} was left out: {_OVER_THE_CAP}.")


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
    """Total weight of the user's own adapters; an absent weight is 1, an unreadable one 0."""
    return sum(
        1.0 if tag.weight is None else abs(tag.weight)
        for tag in tags
        if tag.kind in ADAPTER_KINDS and is_readable(tag)
    )


def is_readable(tag: UserTag) -> bool:
    """Whether the host can read the weights; else it loads none of the picture's adapters.

    Schedules are for extensions of the host, and are believed.
    """
    items = [item for item in tag.arguments if item.count("=") != 1][:2]
    named = dict(item.split("=") for item in tag.arguments if item.count("=") == 1)
    items += [named[name] for name in ("te", "unet") if name in named]
    return all(_is_number(item) or weight_of(item) is not None for item in items)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
    every = inputs.composition.all_picks
    on = [pick for pick in every if weights.get(pick.key)]
    notes = _notes_on_zeros([pick for pick in every if weights.get(pick.key) == 0], inputs)
    prompt = _emphasised(inputs)
    inserted = insert(prompt, _additions(inputs, prompt, on, weights))
    notes += [Note("no_trigger", refusal.why) for refusal in inserted.refused]
    notes += _notes_on_unreadable(inputs.prompt)
    tags = network_tags(on, inputs.tags, weights)
    return Written(_appended(inserted.text, tags), _negative(inputs, on, weights), tuple(notes))


def network_tags(
    picks: Iterable[Pick], tags: Mapping[AdapterKey, Tag], weights: Mapping[AdapterKey, float]
) -> str:
    """The tags of the picks that are no embeddings."""
    return " ".join(
        f"<{_TAG_KINDS[pick.type]}:{tags[pick.key].stem}:{written(weights[pick.key])}>"
        for pick in picks
        if pick.type != EMBEDDING and weights.get(pick.key)
    )


def embedding_words(
    text: str,
    picks: Iterable[Pick],
    tags: Mapping[AdapterKey, Tag],
    weights: Mapping[AdapterKey, float],
) -> list[str]:
    """The words of the embeddings among the picks that are not in the text yet."""
    words = (
        embedding_word(tags[pick.key].stem, weights[pick.key])
        for pick in picks
        if pick.type == EMBEDDING and not mentions(text, tags[pick.key].stem)
    )
    return [word for word in words if word]


def _notes_on_zeros(off: Sequence[Pick], inputs: TagInputs) -> list[Note]:
    """A note for each pick that the cap left without a weight, or one if the strength did."""
    strength = inputs.settings.weights.strength
    scaled = [pick for pick in off if not pick.user_weight]
    if scaled and not strength:
        return [Note("no_strength", "No LoRA is used, since the strength is 0.")]
    return [_no_room(pick) for pick in off if pick.weight != 0]


def _notes_on_unreadable(prompt: Prompt) -> list[Note]:
    tags = [tag for tag in prompt.user_tags if tag.kind in LORA_KINDS and not is_readable(tag)]
    written_tags = ", ".join(dict.fromkeys(prompt.text[tag.start : tag.end] for tag in tags))
    return [Note("unreadable_tag", f"{written_tags}: {_UNREADABLE}")] if tags else []


_UNREADABLE = (
    "the weight is no number, so the WebUI will load no LoRA at all. Correct or remove the tag."
)


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


def _additions(
    inputs: TagInputs, prompt: Prompt, on: Sequence[Pick], weights: Mapping[AdapterKey, float]
) -> dict[int, str]:
    """Embeddings and trigger words by segment; the last segment also gets the debias text, under
    every mask.
    """
    segments = {task.start: task.segment for task in inputs.composition.tasks}
    words: dict[int, list[str]] = {}
    for pick in on:
        if pick.negative:
            continue
        words.setdefault(segments[pick.task], []).extend(
            embedding_words(prompt.text, [pick], inputs.tags, weights)
        )
        words.setdefault(segments[pick.task], []).extend(inputs.tags[pick.key].triggers)
    if inputs.settings.text.debias and any(not pick.negative for pick in inputs.composition.picks):
        words.setdefault(prompt.segments[-1].index, []).append(inputs.settings.text.debias)
    return {segment: ", ".join(dict.fromkeys(texts)) for segment, texts in words.items() if texts}


def _appended(text: str, tags: str) -> str:
    if not tags:
        return text
    tokens = parse_prompt(text).tokens
    if tokens and tokens[-1].kind == COMMENT:  # the host drops all that follows on a comment's line
        return f"{text}\n{tags}"
    return f"{text}{'' if not text or text[-1].isspace() else ' '}{tags}"


def _negative(inputs: TagInputs, on: Sequence[Pick], weights: Mapping[AdapterKey, float]) -> str:
    text = inputs.negative.text
    embeddings = [pick for pick in on if pick.negative]
    missing = embedding_words(text, embeddings, inputs.tags, weights)
    if inputs.settings.text.negative_text:
        wanted = dict.fromkeys(inputs.tags[pick.key].negative_text.strip() for pick in on)
        missing += [extra for extra in wanted if extra and extra.lower() not in text.lower()]
    if not missing:
        return text
    return insert(inputs.negative, {inputs.negative.segments[-1].index: ", ".join(missing)}).text

"""Writes the texts of one generation: one LoRA set per batch, from one plan per distinct prompt.

The WebUI loads the tags of a batch's first prompt for the whole batch, and loads again for the
second pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Mask, Pick
from stylus_ext.core.errors import Note
from stylus_ext.core.generation import ImageMask, ImageSchedules, Texts, UsedAdapter, joined
from stylus_ext.core.plan import MissingFile, Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.schedules import HostSteps, Schedule, pick_schedules
from stylus_ext.core.settings import VARIED, Settings
from stylus_ext.core.tags import (
    TagInputs,
    embedding_words,
    network_tags,
    own_weight,
    weigh,
    write_tags,
)

Pair = tuple[str, str]
Planning = Callable[[Pair, Sequence[int]], Plan]
"""Plans a prompt and its negative prompt for batches with these first seeds."""

_COMPARED = "The last {} of the first and none of the chosen LoRAs, to compare with."


@dataclass(frozen=True, slots=True)
class Batches:
    """The images of a generation, cut into batches; `seeds` has one for each image.

    `allowed_kinds` None allows picks of all kinds. `description` is planned in place of the
    prompts; then their texts get the tags alone. `host_steps` None allows no schedules.
    """

    texts: Texts
    batch_size: int
    seeds: tuple[int, ...]
    settings: Settings
    allowed_kinds: frozenset[str] | None = None
    description: str = ""
    host_steps: HostSteps | None = None

    def ranges(self) -> list[range]:
        count = len(self.texts.positive)
        return [
            range(start, min(start + self.batch_size, count))
            for start in range(0, count, self.batch_size)
        ]

    def first_pass(self, image: int) -> Pair:
        return self.texts.positive[image], self.texts.negative[image]

    def second_pass(self, image: int) -> Pair:
        """The same prompt gets the same set, whatever its negative prompt is."""
        positive = self.texts.hr_positive[image]
        if positive == self.texts.positive[image]:
            return self.first_pass(image)
        return positive, self.texts.hr_negative[image]

    def distinct(self) -> dict[Pair, tuple[int, ...]]:
        """Each distinct prompt, with the numbers of its batches."""
        where: dict[Pair, list[int]] = {}
        for number, batch in enumerate(self.ranges()):
            pairs = [*map(self.first_pass, batch)]
            if self.texts.hr_positive:
                pairs += map(self.second_pass, batch)
            for pair in dict.fromkeys(pairs):
                where.setdefault(pair, []).append(number)
        return {pair: tuple(numbers) for pair, numbers in where.items()}

    def planned(self, planning: Planning) -> dict[Pair, _PlannedPrompt]:
        starts = [batch.start for batch in self.ranges()]
        found = {}
        for pair, numbers in self.distinct().items():
            seeds = [self.seeds[starts[number]] for number in numbers]
            if self.description:
                plan = planning((self.description, pair[1]), seeds)
                plan = tags_only(plan, pair, self.settings)
            else:
                plan = planning(pair, seeds)
            found[pair] = _PlannedPrompt(plan, numbers)
        return found

    def allows(self, pick: Pick) -> bool:
        return self.allowed_kinds is None or pick.kind in self.allowed_kinds

    def first_batch_alone(self) -> Batches:
        """The first batch without adapters."""
        return replace(
            self,
            texts=self.texts.part(0, self.batch_size),
            seeds=self.seeds[: self.batch_size],
            allowed_kinds=frozenset(),
        )


@dataclass(frozen=True, slots=True)
class WrittenGeneration:
    """Texts, masks and schedules per image; with `compared`, those of one more batch follow."""

    texts: Texts
    masks: tuple[ImageMask, ...]
    schedules: tuple[ImageSchedules, ...]
    plans: tuple[Plan, ...]
    notes: tuple[Note, ...] = ()
    compared: bool = False

    def adapters(self) -> tuple[UsedAdapter, ...]:
        """One for each stem."""
        found: dict[str, UsedAdapter] = {}
        for plan in self.plans:
            names = {pick.key: pick.name for pick in plan.composition.all_picks}
            for tag in plan.tags:
                if tag.key in names:
                    key, name = str(tag.key), names[tag.key]
                    found[tag.stem] = UsedAdapter(tag.stem, key, name, tag.on_disk)
        return tuple(found.values())

    def missing(self) -> tuple[MissingFile, ...]:
        return tuple({file.key: file for plan in self.plans for file in plan.missing}.values())


def write_generation(
    batches: Batches, planning: Planning, compare: bool = False
) -> WrittenGeneration:
    """`compare` adds the first batch once more without adapters, where any image has some."""
    plans = batches.planned(planning)
    texts, masks, schedules, left_out = _write(batches, plans)
    notes = [note for planned in plans.values() for note in planned.plan.notes]
    made = WrittenGeneration(
        texts,
        masks,
        schedules,
        tuple(planned.plan for planned in plans.values()),
        tuple(dict.fromkeys([*notes, *_mixed_batch(left_out)])),
    )
    if not compare or not any(mask.on for mask in masks):
        return made
    added = "picture has the seed" if batches.batch_size == 1 else "batch has the seeds"
    base_texts, base_masks, base_schedules, _ = _write(batches.first_batch_alone(), plans)
    return replace(
        made,
        texts=texts + base_texts,
        masks=masks + base_masks,
        schedules=schedules + base_schedules,
        notes=(*made.notes, Note("compared", _COMPARED.format(added))),
        compared=True,
    )


@dataclass(frozen=True, slots=True)
class _PlannedPrompt:
    """A plan, and the numbers of the batches that its masks are for."""

    plan: Plan
    numbers: tuple[int, ...]

    def mask(self, number: int) -> Mask:
        return self.plan.masks[self.numbers.index(number)]


@dataclass(frozen=True, slots=True)
class _BatchSet:
    """The set of one batch: `keys` are on for all of its prompts; `whole` is all of its plan."""

    plans: Mapping[Pair, Plan]
    masks: Mapping[Pair, Mask]
    keys: frozenset[AdapterKey]
    whole: bool

    def mask(self, pair: Pair) -> Mask:
        return replace(self.masks[pair], on=self.keys)


def _write(
    batches: Batches, plans: Mapping[Pair, _PlannedPrompt]
) -> tuple[Texts, tuple[ImageMask, ...], tuple[ImageSchedules, ...], set[str]]:
    """Texts, masks, schedules, and the names of what was left out as prompts of a batch differ."""
    first: list[Pair] = []
    second: list[Pair] = []
    masks: list[ImageMask] = []
    schedules: list[ImageSchedules] = []
    left_out: set[str] = set()
    own = batches.texts
    for number, batch in enumerate(batches.ranges()):
        chosen = _common_set(batches, plans, map(batches.first_pass, batch), number)
        left_out |= _left_out(batches, chosen)
        in_passes = [_schedules(batches, chosen)]
        for image in batch:
            pair = batches.first_pass(image)
            first.append(_text(batches, chosen, pair, pair))
            masks.append(_image_mask(chosen, pair))
        if own.hr_positive:
            chosen = _common_set(batches, plans, map(batches.second_pass, batch), number)
            in_passes.append(_schedules(batches, chosen))
            for image in batch:
                texts = own.hr_positive[image], own.hr_negative[image]
                second.append(_text(batches, chosen, batches.second_pass(image), texts))
        schedules += [ImageSchedules(*in_passes)] * len(batch)
    lists = [tuple(pair[place] for pair in pairs) for pairs in (first, second) for place in (0, 1)]
    return Texts(*lists), tuple(masks), tuple(schedules), left_out


def _schedules(batches: Batches, chosen: _BatchSet) -> dict[str, Schedule]:
    """The schedules of one pass of a batch, by stem."""
    if batches.host_steps is None:
        return {}
    inputs = [_inputs(batches, plan, pair) for pair, plan in chosen.plans.items()]
    found = pick_schedules(inputs, chosen.mask(next(iter(chosen.plans))), batches.host_steps)
    return {inputs[0].tags[key].stem: schedule for key, schedule in found.items()}


def _common_set(
    batches: Batches, plans: Mapping[Pair, _PlannedPrompt], pairs: Iterable[Pair], number: int
) -> _BatchSet:
    """Where the prompts of a batch differ, only what serves all of them."""
    found = {pair: plans[pair].plan for pair in pairs}
    masks = {pair: plans[pair].mask(number) for pair in found}
    keys = _common_keys(batches, found, masks)
    negative = {
        pick.key for plan in found.values() for pick in plan.composition.picks if pick.negative
    }
    if (
        not keys - negative and batches.settings.diversity.scheme == VARIED
    ):  # which leaves no batch empty
        everything = {pair: _everything(plan) for pair, plan in found.items()}
        keys = _common_keys(batches, found, everything)
    while True:
        weights = [
            _weights(batches, plan, pair, replace(masks[pair], on=keys))
            for pair, plan in found.items()
        ]
        kept = frozenset(key for key in keys if all(weight.get(key) for weight in weights))
        if kept == keys:
            break
        keys = kept
    whole = len(found) == 1 and all(mask.on == keys for mask in masks.values())
    return _BatchSet(found, masks, keys, whole)


def _common_keys(
    batches: Batches, plans: Mapping[Pair, Plan], masks: Mapping[Pair, Mask]
) -> frozenset[AdapterKey]:
    return frozenset.intersection(
        *(_allowed(batches, plan, masks[pair]) for pair, plan in plans.items())
    )


def _everything(plan: Plan) -> Mask:
    return Mask(frozenset(pick.key for pick in plan.composition.picks))


def _allowed(batches: Batches, plan: Plan, mask: Mask) -> frozenset[AdapterKey]:
    every = plan.composition.all_picks
    return frozenset(pick.key for pick in every if pick.key in mask.on and batches.allows(pick))


def _weights(batches: Batches, plan: Plan, pair: Pair, mask: Mask) -> dict[AdapterKey, float]:
    own = own_weight(parse_prompt(pair[0]).user_tags)
    return weigh(plan.composition, mask, batches.settings.weights, own)


def _text(batches: Batches, chosen: _BatchSet, pair: Pair, texts: Pair) -> Pair:
    """The texts of one image: the plan's own, unless the batch has less than its plan."""
    plan = chosen.plans[pair]
    if chosen.whole and texts == pair:
        number = plan.masks.index(chosen.masks[pair])
        return plan.prompts[number], plan.negative_prompts[number]
    outcome = write_tags(_inputs(batches, plan, texts), chosen.mask(pair))
    own = _tags(plan, _weights(batches, plan, pair, chosen.mask(pair)))
    if not own:
        return outcome.prompt, outcome.negative_prompt
    leading = next(iter(chosen.plans.values()))
    same = _tags(leading, _smallest_weights(batches, chosen))
    return outcome.prompt.removesuffix(own) + same, outcome.negative_prompt


def _inputs(batches: Batches, plan: Plan, texts: Pair) -> TagInputs:
    prompt, negative = map(parse_prompt, texts)
    tags = {tag.key: tag for tag in plan.tags}
    return TagInputs(prompt, negative, plan.composition, tags, batches.settings)


def _smallest_weights(batches: Batches, chosen: _BatchSet) -> dict[AdapterKey, float]:
    """One weight for all prompts of a batch: the smallest, so that the cap holds in each."""
    weights = [
        _weights(batches, plan, pair, chosen.mask(pair)) for pair, plan in chosen.plans.items()
    ]
    return {key: min((weight[key] for weight in weights), key=abs) for key in chosen.keys}


def _tags(plan: Plan, weights: Mapping[AdapterKey, float]) -> str:
    tags = {tag.key: tag for tag in plan.tags}
    return network_tags(plan.composition.all_picks, tags, weights)


def _image_mask(chosen: _BatchSet, pair: Pair) -> ImageMask:
    plan = chosen.plans[pair]
    stems = {tag.key: tag.stem for tag in plan.tags}
    composition = plan.composition
    return ImageMask(
        tuple(stems[pick.key] for pick in composition.all_picks if pick.key in chosen.keys),
        tuple(stems[pick.key] for pick in composition.picks if pick.key not in chosen.keys),
    )


def _left_out(batches: Batches, chosen: _BatchSet) -> set[str]:
    """Names of adapters that one prompt of a batch would have had, and another does not want."""
    if len(chosen.plans) == 1:
        return set()
    wanted: dict[AdapterKey, str] = {}
    for pair, plan in chosen.plans.items():
        allowed = _allowed(batches, plan, chosen.masks[pair])
        every = plan.composition.all_picks
        wanted |= {pick.key: pick.name for pick in every if pick.key in allowed}
    return {name for key, name in wanted.items() if key not in chosen.keys}


def _mixed_batch(left_out: set[str]) -> list[Note]:
    if not left_out:
        return []
    names = sorted(left_out)
    return [
        Note(
            "mixed_batch",
            "The prompts of one batch differ, and the WebUI loads one set of LoRAs for all of"
            f" them, so {joined(names)} {'was' if len(names) == 1 else 'were'} left out."
            ' Tick "Different LoRAs for each image" to give every picture its own.',
        )
    ]


def tags_only(plan: Plan, own: Pair, settings: Settings) -> Plan:
    """The plan of a picture's description for the user's own texts, which get its tags, and the
    words of embeddings, alone.
    """
    tags = {tag.key: replace(tag, triggers=(), negative_text="") for tag in plan.tags}
    tasks = tuple(replace(task, segment=0) for task in plan.composition.tasks)
    composition = replace(plan.composition, tasks=tasks)
    parsed = parse_prompt(own[0]), parse_prompt(own[1])
    inputs = TagInputs(*parsed, composition, tags, settings)
    described = own_weight(parse_prompt(plan.prompt).user_tags)
    positive = [pick for pick in composition.all_picks if not pick.negative]
    prompts = []
    for mask, prompt in zip(plan.masks, plan.prompts, strict=True):
        weights = weigh(composition, mask, settings.weights, described)
        on = [pick for pick in positive if weights.get(pick.key)]
        prompts.append(_with_tags([own[0], *embedding_words(own[0], on, tags, weights)], prompt))
    return replace(
        plan,
        prompt=own[0],
        negative_prompt=own[1],
        prompts=tuple(prompts),
        negative_prompts=tuple(write_tags(inputs, mask).negative_prompt for mask in plan.masks),
        composition=composition,
        tags=tuple(tags.values()),
    )


def _with_tags(words: Sequence[str], prompt: str) -> str:
    tags = [prompt[tag.start : tag.end] for tag in parse_prompt(prompt).user_tags]
    return " ".join(part for part in (", ".join(filter(None, words)), *tags) if part)

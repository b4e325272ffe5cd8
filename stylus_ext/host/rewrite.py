"""The prompts of one generation and plans go in; the same prompts with their tags come out, one
LoRA set for each batch.

The host loads what the first prompt of a batch says, for all of them (HOST.md b), and loads anew
for the hires pass (c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import Note
from stylus_ext.core.masks import Mask
from stylus_ext.core.plan import Plan
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings
from stylus_ext.core.tags import TagInputs, own_weight, weigh, write_tags, written
from stylus_ext.host.fetching import listed

Pair = tuple[str, str]
Ask = Callable[[Pair, Sequence[int]], Plan]
Allowed = Callable[[Pick], bool]


@dataclass(frozen=True, slots=True)
class Texts:
    """The host's lists, one text a picture; the hires ones are empty where there is no second
    pass.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    hr_positive: tuple[str, ...] = ()
    hr_negative: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """What was decided for one picture: stems of its first pass that are on, and those that its
    mask turned off.
    """

    prompt: str
    negative: str
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewritten:
    texts: Texts
    pictures: tuple[Picture, ...]
    notes: tuple[Note, ...] = ()
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """How a generation is cut into batches; `seeds` has one for each picture."""

    texts: Texts
    batch_size: int
    seeds: tuple[int, ...]
    settings: Settings
    allowed: Allowed

    def batches(self) -> list[range]:
        count = len(self.texts.positive)
        return [
            range(start, min(start + self.batch_size, count))
            for start in range(0, count, self.batch_size)
        ]

    def first(self, image: int) -> Pair:
        return self.texts.positive[image], self.texts.negative[image]

    def second(self, image: int) -> Pair:
        """The same prompt gets the same set, whatever its negative prompt: else the passes would
        differ without being asked.
        """
        positive = self.texts.hr_positive[image]
        return (
            self.first(image)
            if positive == self.texts.positive[image]
            else (positive, self.texts.hr_negative[image])
        )

    def questions(self) -> dict[Pair, tuple[int, ...]]:
        """Each different prompt, with the batches in which it stands."""
        where: dict[Pair, list[int]] = {}
        for number, batch in enumerate(self.batches()):
            pairs = [
                *map(self.first, batch),
                *(map(self.second, batch) if self.texts.hr_positive else ()),
            ]
            for pair in dict.fromkeys(pairs):
                where.setdefault(pair, []).append(number)
        return {pair: tuple(numbers) for pair, numbers in where.items()}

    def starts(self, numbers: Sequence[int]) -> list[int]:
        """The first seeds of these batches."""
        batches = self.batches()
        return [self.seeds[batches[number].start] for number in numbers]


@dataclass(frozen=True, slots=True)
class _Set:
    """What is on in one batch, by pair the plan that it came from."""

    plans: Mapping[Pair, Plan]
    masks: Mapping[Pair, Mask]
    common: frozenset[AdapterKey]
    whole: bool


def rewrite(job: BatchJob, ask: Ask) -> Rewritten:
    plans = _plans(job, ask)
    positive, negative = list(job.texts.positive), list(job.texts.negative)
    hr_positive, hr_negative = list(job.texts.hr_positive), list(job.texts.hr_negative)
    pictures: list[Picture] = []
    left_out: set[str] = set()
    for number, batch in enumerate(job.batches()):
        chosen = _common(job, {pair: plans[pair] for pair in map(job.first, batch)}, number)
        left_out |= _dropped(job, chosen)
        for image in batch:
            pair = job.first(image)
            positive[image], negative[image] = _text(job, chosen, pair, pair)
            pictures.append(_picture(chosen, pair))
        if hr_positive:
            again = _common(job, {pair: plans[pair] for pair in map(job.second, batch)}, number)
            for image in batch:
                own = (job.texts.hr_positive[image], job.texts.hr_negative[image])
                hr_positive[image], hr_negative[image] = _text(job, again, job.second(image), own)
    texts = Texts(tuple(positive), tuple(negative), tuple(hr_positive), tuple(hr_negative))
    notes = [note for plan, _ in plans.values() for note in plan.notes]
    return Rewritten(
        texts,
        tuple(pictures),
        tuple(dict.fromkeys([*notes, *_mixed(left_out)])),
        _named(plan for plan, _ in plans.values()),
    )


def _named(plans: Iterable[Plan]) -> dict[str, tuple[str, str]]:
    """By stem key and name of what was chosen."""
    found: dict[str, tuple[str, str]] = {}
    for plan in plans:
        names = {pick.key: pick.name for pick in plan.composition.picks}
        found.update(
            (tag.stem, (str(tag.key), names[tag.key])) for tag in plan.tags if tag.key in names
        )
    return found


def _plans(job: BatchJob, ask: Ask) -> dict[Pair, tuple[Plan, tuple[int, ...]]]:
    """One plan for each different prompt, for the batches in which it stands."""
    return {
        pair: (ask(pair, job.starts(numbers)), numbers) for pair, numbers in job.questions().items()
    }


def _common(job: BatchJob, plans: Mapping[Pair, tuple[Plan, tuple[int, ...]]], number: int) -> _Set:
    """Where the prompts of a batch differ, only what serves all of them."""
    masks = {pair: plan.masks[numbers.index(number)] for pair, (plan, numbers) in plans.items()}
    found = {pair: plan for pair, (plan, _) in plans.items()}
    common = frozenset.intersection(
        *(_allowed(job, found[pair], mask) for pair, mask in masks.items())
    )
    while True:
        weights = [_weights(job, found[pair], pair, common) for pair in found]
        said = frozenset(key for key in common if all(weight.get(key) for weight in weights))
        if said == common:
            break
        common = said
    whole = len(found) == 1 and all(masks[pair].on == common for pair in found)
    return _Set(found, masks, common, whole)


def _allowed(job: BatchJob, plan: Plan, mask: Mask) -> frozenset[AdapterKey]:
    return frozenset(
        pick.key for pick in plan.composition.picks if pick.key in mask.on and job.allowed(pick)
    )


def _weights(
    job: BatchJob, plan: Plan, pair: Pair, keys: frozenset[AdapterKey]
) -> dict[AdapterKey, float]:
    return weigh(
        plan.composition,
        Mask(keys),
        job.settings.weights,
        own_weight(parse_prompt(pair[0]).user_tags),
    )


def _text(job: BatchJob, chosen: _Set, pair: Pair, texts: Pair) -> Pair:
    """The prompts of one picture. As the engine wrote them, unless the batch has less than its plan
    says.
    """
    plan = chosen.plans[pair]
    if chosen.whole and texts == pair:
        number = plan.masks.index(chosen.masks[pair])
        return plan.prompts[number], plan.negative_prompts[number]
    tags = {tag.key: tag for tag in plan.tags}
    sheet = TagInputs(
        parse_prompt(texts[0]), parse_prompt(texts[1]), plan.composition, tags, job.settings
    )
    outcome = write_tags(sheet, Mask(chosen.common))
    own = _tags(plan, chosen.common, _weights(job, plan, pair, chosen.common))
    if not own:
        return outcome.prompt, outcome.negative_prompt
    leading = next(iter(chosen.plans))
    least = _least(job, chosen)
    same = _tags(chosen.plans[leading], chosen.common, least)
    return outcome.prompt.removesuffix(own) + same, outcome.negative_prompt


def _least(job: BatchJob, chosen: _Set) -> dict[AdapterKey, float]:
    """One weight for all prompts of a batch: the smallest, so that the cap holds in each."""
    weights = [_weights(job, plan, pair, chosen.common) for pair, plan in chosen.plans.items()]
    return {key: min((weight[key] for weight in weights), key=abs) for key in chosen.common}


def _tags(plan: Plan, keys: frozenset[AdapterKey], weights: Mapping[AdapterKey, float]) -> str:
    stems = {tag.key: tag.stem for tag in plan.tags}
    on = [pick.key for pick in plan.composition.picks if pick.key in keys and weights.get(pick.key)]
    return " ".join(f"<lora:{stems[key]}:{written(weights[key])}>" for key in on)


def _picture(chosen: _Set, pair: Pair) -> Picture:
    plan = chosen.plans[pair]
    stems = {tag.key: tag.stem for tag in plan.tags}
    on = tuple(stems[pick.key] for pick in plan.composition.picks if pick.key in chosen.common)
    off = tuple(stems[pick.key] for pick in plan.composition.picks if pick.key not in chosen.common)
    return Picture(*pair, on, off)


def _dropped(job: BatchJob, chosen: _Set) -> set[str]:
    """Names of what one prompt of a batch would have had, and another does not want."""
    if len(chosen.plans) == 1:
        return set()
    wanted = {
        pick.key: pick.name
        for pair, plan in chosen.plans.items()
        for pick in plan.composition.picks
        if pick.key in _allowed(job, plan, chosen.masks[pair])
    }
    return {name for key, name in wanted.items() if key not in chosen.common}


def _mixed(left_out: set[str]) -> list[Note]:
    if not left_out:
        return []
    names = sorted(left_out)
    said = f"{listed(names)} {'was' if len(names) == 1 else 'were'}"
    return [
        Note(
            "mixed_batch",
            "The prompts of one batch differ, and the WebUI loads one set of LoRAs for all of"
            f' them, so {said} left out. Tick "Vary inside a batch" to give every picture its own.',
        )
    ]


def describing(plan: Plan, texts: Pair) -> Plan:
    """A plan made for a description of the picture, said of the user's own texts: their tags alone
    are added.
    """
    prompts = tuple(_with(texts[0], prompt) for prompt in plan.prompts)
    tags = tuple(replace(tag, triggers=(), negative_text="") for tag in plan.tags)
    negative = (texts[1],) * len(prompts)
    return replace(
        plan,
        prompt=texts[0],
        negative_prompt=texts[1],
        prompts=prompts,
        negative_prompts=negative,
        tags=tags,
    )


def _with(own: str, prompt: str) -> str:
    tags = [prompt[tag.start : tag.end] for tag in parse_prompt(prompt).user_tags]
    return " ".join(part for part in (own, *tags) if part)

"""Train the ranker: small networks for the order, and a line for the confidence.

The networks learn to rank the right candidate of a prompt first. The line learns to separate right
candidates from the best ones of prompts for which nothing fits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.selection import id_of, kind_of
from stylus_ext.selection.ranker import CLIP, Calibration, Net, Ranker, RankerWeights

FOLDS = 5


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One prompt: a row of features per candidate, the right ones, and their folds."""

    kind: str
    is_tags: bool
    fold: int
    folds: frozenset[int]
    features: NDArray[np.float32]
    right: NDArray[np.bool_]
    owners: NDArray[np.int64]
    answerable: bool


def fold_of(text: str) -> int:
    return part_of(text, FOLDS)


def part_of(text: str, parts: int) -> int:
    """Return the part, of so many, that a text belongs to; the same everywhere."""
    return (
        int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
        % parts
    )


def folds_of(query: Mapping[str, Any], creators: Mapping[str, str]) -> tuple[int, frozenset[int]]:
    """Return the fold of a prompt and all folds that must not learn from it."""
    golds = [fold_of(creators.get(item["id"]) or item["id"]) for item in query["gold"]]
    return (
        (golds[0], frozenset(golds))
        if golds
        else (fold_of(query["prompt"]), frozenset((fold_of(query["prompt"]),)))
    )


def training_example(
    query: Mapping[str, Any], is_tags: bool, found: Candidates, creators: Mapping[str, str]
) -> TrainingExample:
    golds = {item["id"] for item in query["gold"]}
    ids = [id_of(candidate.key) for candidate in found.found]
    fold, folds = folds_of(query, creators)
    return TrainingExample(
        kind_of(query),
        is_tags,
        fold,
        folds,
        np.array([candidate.features for candidate in found.found], dtype=np.float32),
        np.array([found_id in golds for found_id in ids], dtype=bool),
        np.array([fold_of(creators.get(found_id) or found_id) for found_id in ids], dtype=np.int64),
        bool(golds),
    )


def examples_without(
    examples: Iterable[TrainingExample], fold: int | None
) -> Iterator[TrainingExample]:
    """Return the examples that this fold may learn from; None excludes nothing."""
    for each in examples:
        if fold is None:
            yield each
        elif fold not in each.folds:
            mine = each.owners != fold
            yield TrainingExample(
                each.kind,
                each.is_tags,
                each.fold,
                each.folds,
                each.features[mine],
                each.right[mine],
                each.owners[mine],
                each.answerable,
            )


def feature_spread(
    examples: Sequence[TrainingExample],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of every feature."""
    every = np.concatenate([each.features for each in examples])
    return every.mean(axis=0), every.std(axis=0) + np.float32(1e-3)


MOST = 120
"""How many candidates of a prompt, best by the fixed weights, the networks learn from."""

TOO_LITTLE = (
    "There is too little to learn from: captions and tag prompts with known adapters are needed,"
    " and some for which nothing fits."
)

BATCH, NOTHING = 64, -1e9
COMPARED, SHARPNESS = 60, 2.0
STEEPNESS = 2.5
"""The sum of a line's weights, and how steep it is around one half."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Training options of one regime.

    `base` weighs the fixed score, `line` names the features of the line, `nothing` and `meant`
    the kinds of prompts without and with a fitting adapter.
    """

    hidden: int
    dropout: float
    rate: float
    epochs: int
    members: int
    base: float
    line: tuple[str, ...]
    nothing: tuple[str, ...]
    meant: tuple[str, ...]
    decay: float = 1e-2


TAGS = TrainingOptions(
    32,
    0.2,
    2e-3,
    14,
    3,
    0.0,
    ("score", "name", "trigger", "exact", "name_rarity", "trigger_rarity", "best_example"),
    ("none:human-no-lora",),
    ("named", "human-lora-use:lora-page-multi"),
)
CAPTIONS = TrainingOptions(
    16,
    0.3,
    3e-3,
    12,
    3,
    0.6,
    ("score", "lead", "card", "text", "meaning", "text_lead"),
    ("none:lexical", "none:composer-none", "none:x-out", "none:x-composer-none"),
    ("stylus-choice",),
)


def train(examples: Sequence[TrainingExample], features: Sequence[str]) -> Ranker:
    regimes = []
    for is_tags, options in ((True, TAGS), (False, CAPTIONS)):
        mine = [each for each in examples if each.is_tags is is_tags and len(each.features)]
        mean, scale = feature_spread(mine)
        regimes.append(
            RankerWeights(
                _net(mine, features, options, mean, scale),
                _line(mine, features, options, mean, scale),
            )
        )
    return Ranker(tuple(features), *regimes)


def _near(
    features: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.clip((features - mean) / scale, -CLIP, CLIP).astype(np.float32)


def _best(each: TrainingExample, score: int, most: int) -> NDArray[np.int64]:
    """Return the best candidates by the fixed weights, and all right ones."""
    order = np.argsort(-each.features[:, score], kind="stable")[:most]
    return np.union1d(order, np.flatnonzero(each.right))


def _net(
    examples: Sequence[TrainingExample],
    features: Sequence[str],
    options: TrainingOptions,
    mean: Any,
    scale: Any,
) -> Net:
    import torch

    asked = [each for each in examples if each.right.any()]
    if not asked:
        raise InvalidInput(TOO_LITTLE)
    score, width = list(features).index("score"), len(features)
    chosen = [_best(each, score, MOST) for each in asked]
    longest = max(map(len, chosen))
    values = np.zeros((len(asked), longest, width), dtype=np.float32)
    right, there = np.zeros((2, len(asked), longest), dtype=np.float32)
    for number, (each, places) in enumerate(zip(asked, chosen, strict=True)):
        values[number, : len(places)] = _near(each.features[places], mean, scale)
        right[number, : len(places)], there[number, : len(places)] = each.right[places], 1
    counts = Counter(each.kind for each in asked)
    weights = np.array([counts[each.kind] ** -0.5 for each in asked], dtype=np.float32)
    tensors = [
        torch.from_numpy(array) for array in (values, right, there, weights / weights.mean())
    ]
    members = [_member(tensors, options, seed) for seed in range(options.members)]
    linear, hidden, bias, out = (np.stack(parts) for parts in zip(*members, strict=True))
    return Net(mean, scale, linear, hidden, bias, out, options.base)


def _member(
    tensors: Sequence[Any], options: TrainingOptions, seed: int
) -> tuple[NDArray[np.float32], ...]:
    import torch

    values, right, there, weights = tensors
    order, width = np.random.default_rng(seed), values.shape[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        straight, first, last = (
            torch.nn.Linear(width, 1, bias=False),
            torch.nn.Linear(width, options.hidden),
            torch.nn.Linear(options.hidden, 1, bias=False),
        )
        torch.nn.init.zeros_(straight.weight)
        drop = torch.nn.Dropout(options.dropout)
        learnt = [*straight.parameters(), *first.parameters(), *last.parameters()]
        steps = -(-len(values) // BATCH)
        optimizer = torch.optim.AdamW(learnt, lr=options.rate, weight_decay=options.decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * steps)
        for _ in range(options.epochs):
            for batch in np.array_split(order.permutation(len(values)), steps):
                part = values[batch]
                found = (straight(part) + last(drop(torch.relu(first(drop(part)))))).squeeze(-1)
                chances = torch.log_softmax(found + (1 - there[batch]) * NOTHING, dim=1)
                wanted = right[batch]
                loss = -((chances * wanted).sum(1) / wanted.sum(1) * weights[batch]).mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(learnt, 1.0)
                optimizer.step()
                schedule.step()
    return tuple(
        part.detach().numpy().copy()
        for part in (straight.weight[0], first.weight.T, first.bias, last.weight[0])
    )


def _line(
    examples: Sequence[TrainingExample],
    features: Sequence[str],
    options: TrainingOptions,
    mean: Any,
    scale: Any,
) -> Calibration:
    import torch

    score, columns = (
        list(features).index("score"),
        [list(features).index(name) for name in options.line],
    )

    def table(each: TrainingExample, places: NDArray[np.int64]) -> NDArray[np.float32]:
        return _near(each.features[places], mean, scale)[:, columns]

    meant, others, weights = [], [], []
    counts = Counter(each.kind for each in examples)
    for each in examples:
        if each.kind in options.meant and each.right.any() and not each.right.all():
            rivals = table(
                each,
                _padded(np.setdiff1d(_best(each, score, COMPARED), np.flatnonzero(each.right))),
            )
            for place in np.flatnonzero(each.right):
                meant.append(table(each, np.array([place])))
                others.append(rivals)
                weights.append(counts[each.kind] ** -0.5)
    nothing = [
        table(each, _padded(_best(each, score, COMPARED)))
        for each in examples
        if each.kind in options.nothing
    ]
    if not (meant and nothing):
        raise InvalidInput(TOO_LITTLE)
    own, rivals, strange = (torch.from_numpy(np.stack(part)) for part in (meant, others, nothing))
    share = torch.tensor(weights) / sum(weights)
    loose = torch.full((len(columns),), -1.5, requires_grad=True)
    optimizer = torch.optim.Adam([loose], lr=0.03)
    for _ in range(150):
        rising = torch.nn.functional.softplus(loose)
        mine = (own @ rising).squeeze(1)
        rival, best = (
            torch.logsumexp(part @ rising * SHARPNESS, 1) / SHARPNESS for part in (rivals, strange)
        )
        apart = torch.nn.functional.softplus(best[None, :] - mine[:, None]).mean(
            1
        ) + torch.nn.functional.softplus(rival - mine)
        loss = (apart * share).sum() + 1e-3 * (rising**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = torch.nn.functional.softplus(loose).detach().numpy()
    whole = np.zeros(len(features), dtype=np.float32)
    whole[columns] = found / found.sum() * STEEPNESS
    line = Calibration(mean, scale, whole, 0.0)
    return Calibration(
        mean,
        scale,
        whole,
        float(
            np.quantile(
                [
                    line(each.features).max()
                    for each in examples
                    if each.kind in options.nothing[:2]
                ],
                0.95,
            )
        ),
    )


def _padded(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pad to the number compared by repeating the first, which changes almost nothing."""
    filled: NDArray[np.int64] = np.concatenate(
        [places, np.full(max(0, COMPARED - len(places)), places[-1])]
    )[:COMPARED]
    return filled

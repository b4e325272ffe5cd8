"""Train the ranker: small networks for the order, and a line for the confidence.

The networks learn to rank the right candidate of a prompt first. The line learns to separate right
candidates from the best ones of prompts for which nothing fits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.phrases import EVEN
from stylus_ext.evaluation.selection import id_of, kind_of
from stylus_ext.selection.ranker import CLIP, Calibration, Net, Ranker, RankerWeights

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FOLDS = 5


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One prompt: a row of features per candidate, the right ones, and their folds."""

    kind: str
    tag_likeness: float
    fold: int
    folds: frozenset[int]
    features: Floats
    right: NDArray[np.bool_]
    owners: Ints


def fold_of(text: str) -> int:
    return part_of(text, FOLDS)


def part_of(text: str, parts: int) -> int:
    """Return the part, of so many, that a text belongs to; the same everywhere."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % parts


def folds_of(query: Mapping[str, Any], creators: Mapping[str, str]) -> tuple[int, frozenset[int]]:
    """Return the fold of a prompt and all folds that must not learn from it."""
    golds = [fold_of(creators.get(item["id"]) or item["id"]) for item in query["gold"]]
    folds = golds or [fold_of(query["prompt"])]
    return folds[0], frozenset(folds)


def training_example(
    query: Mapping[str, Any], tag_likeness: float, found: Candidates, creators: Mapping[str, str]
) -> TrainingExample:
    golds = {item["id"] for item in query["gold"]}
    ids = [id_of(candidate.key) for candidate in found.found]
    return TrainingExample(
        kind_of(query),
        tag_likeness,
        *folds_of(query, creators),
        np.array([candidate.features for candidate in found.found], dtype=np.float32),
        np.array([found_id in golds for found_id in ids], dtype=bool),
        np.array([fold_of(creators.get(found_id) or found_id) for found_id in ids], dtype=np.int64),
    )


def examples_without(
    examples: Iterable[TrainingExample], fold: int | None
) -> Iterator[TrainingExample]:
    """Return the examples that this fold may learn from; None excludes nothing."""
    for example in examples:
        if fold is None:
            yield example
        elif fold not in example.folds:
            kept = example.owners != fold
            yield replace(
                example,
                features=example.features[kept],
                right=example.right[kept],
                owners=example.owners[kept],
            )


MOST = 120
"""How many candidates of a prompt, best by the fixed weights, the networks learn from."""

TOO_LITTLE = (
    "There is too little to learn from: captions and tag prompts with known adapters are needed,"
    " and some for which nothing fits."
)

BATCH, NOTHING = 64, -1e9
COMPARED, SHARPNESS = 60, 2.0
LEAST_SHARE = 0.05
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
    0.5,
    ("score", "name_worth", "trigger_worth", "exact_worth", "name_rarity", "trigger_rarity")
    + ("best_example",),
    ("none:human-no-lora",),
    ("named", "human-lora-use:lora-page-multi"),
)
CAPTIONS = TrainingOptions(
    16,
    0.3,
    3e-3,
    12,
    3,
    0.8,
    ("score", "lead", "card", "text", "meaning", "text_lead"),
    ("none:lexical", "none:composer-none", "none:x-out", "none:x-composer-none"),
    ("stylus-choice",),
)


def train(examples: Sequence[TrainingExample], features: Sequence[str]) -> Ranker:
    regimes = []
    for is_tags, options in ((True, TAGS), (False, CAPTIONS)):
        shares = [
            example.tag_likeness if is_tags else 1.0 - example.tag_likeness for example in examples
        ]
        chosen = [
            (example, share)
            for example, share in zip(examples, shares, strict=True)
            if share >= LEAST_SHARE and len(example.features)
        ]
        values = np.concatenate([example.features for example, _ in chosen])
        trainer = _Trainer(
            [example for example, _ in chosen],
            [share for _, share in chosen],
            list(features),
            options,
            values.mean(axis=0),
            values.std(axis=0) + np.float32(1e-3),
        )
        regimes.append(RankerWeights(trainer.net(), trainer.line()))
    return Ranker(tuple(features), *regimes)


@dataclass(frozen=True, slots=True)
class _Trainer:
    """Trains one regime; `shares` say how far each example belongs to it, `mean` and `scale` are
    those of its features.
    """

    examples: Sequence[TrainingExample]
    shares: Sequence[float]
    features: list[str]
    options: TrainingOptions
    mean: Floats
    scale: Floats

    def _scaled(self, values: Floats) -> Floats:
        return np.clip((values - self.mean) / self.scale, -CLIP, CLIP).astype(np.float32)

    def _best(self, example: TrainingExample, most: int) -> Ints:
        """Return the best candidates by the fixed weights, and all right ones."""
        score = example.features[:, self.features.index("score")]
        order = np.argsort(-score, kind="stable")[:most]
        return np.union1d(order, np.flatnonzero(example.right))

    def net(self) -> Net:
        import torch

        pairs = [
            (example, share)
            for example, share in zip(self.examples, self.shares, strict=True)
            if example.right.any()
        ]
        if not pairs:
            raise InvalidInput(TOO_LITTLE)
        examples = [example for example, _ in pairs]
        chosen = [self._best(example, MOST) for example in examples]
        shape = len(examples), max(map(len, chosen))
        values = np.zeros((*shape, len(self.features)), dtype=np.float32)
        right, present = np.zeros((2, *shape), dtype=np.float32)
        for number, (example, rows) in enumerate(zip(examples, chosen, strict=True)):
            values[number, : len(rows)] = self._scaled(example.features[rows])
            right[number, : len(rows)], present[number, : len(rows)] = example.right[rows], 1
        counts = Counter(example.kind for example in examples)
        weights = np.array(
            [share * counts[example.kind] ** -0.5 for example, share in pairs], dtype=np.float32
        )
        arrays = (values, right, present, weights / weights.mean())
        tensors = [torch.from_numpy(array) for array in arrays]
        members = [_member(tensors, self.options, seed) for seed in range(self.options.members)]
        linear, hidden, bias, out = (np.stack(parts) for parts in zip(*members, strict=True))
        return Net(self.mean, self.scale, linear, hidden, bias, out, self.options.base)

    def line(self) -> Calibration:
        import torch

        columns = [self.features.index(name) for name in self.options.line]

        def table(example: TrainingExample, rows: Ints) -> Floats:
            return self._scaled(example.features[rows])[:, columns]

        meant, others, weights = [], [], []
        counts = Counter(example.kind for example in self.examples)
        meant_kinds = frozenset(self.options.meant) & counts.keys() or counts.keys()
        for example, share in zip(self.examples, self.shares, strict=True):
            if example.kind in meant_kinds and example.right.any() and not example.right.all():
                right = np.flatnonzero(example.right)
                rivals = table(example, _padded(np.setdiff1d(self._best(example, COMPARED), right)))
                for row in right:
                    meant.append(table(example, np.array([row])))
                    others.append(rivals)
                    weights.append(share * counts[example.kind] ** -0.5)
        nothing = [
            table(example, _padded(self._best(example, COMPARED)))
            for example, share in zip(self.examples, self.shares, strict=True)
            if example.kind in self.options.nothing and share >= EVEN
        ]
        if not (meant and nothing):
            raise InvalidInput(TOO_LITTLE)
        parts = torch.tensor(weights, dtype=torch.float32) / sum(weights)
        tensors = [torch.from_numpy(np.stack(part)) for part in (meant, others, nothing)]
        found = _rising_line(tensors, parts)
        whole = np.zeros(len(self.features), dtype=np.float32)
        whole[columns] = found / found.sum() * STEEPNESS
        line = Calibration(self.mean, self.scale, whole, 0.0)
        unrelated = [
            example
            for example, share in zip(self.examples, self.shares, strict=True)
            if example.kind in self.options.nothing[:2] and share >= EVEN
        ]
        half = np.quantile([line(example.features).max() for example in unrelated], 0.95)
        return replace(line, half=float(half))


def _rising_line(tensors: Sequence[Any], share: Any) -> Any:
    """Weights, all positive, that put the right candidates above both others."""
    import torch

    own, rivals, unrelated = tensors
    softplus = torch.nn.functional.softplus
    loose = torch.full((own.shape[2],), -1.5, requires_grad=True)
    optimizer = torch.optim.Adam([loose], lr=0.03)
    for _ in range(150):
        rising = softplus(loose)
        mine = (own @ rising).squeeze(1)
        rival, best = (
            torch.logsumexp(part @ rising * SHARPNESS, 1) / SHARPNESS
            for part in (rivals, unrelated)
        )
        apart = softplus(best[None, :] - mine[:, None]).mean(1) + softplus(rival - mine)
        loss = (apart * share).sum() + 1e-3 * (rising**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return softplus(loose).detach().numpy()


def _member(tensors: Sequence[Any], options: TrainingOptions, seed: int) -> tuple[Floats, ...]:
    import torch

    values, right, present, weights = tensors
    order, width = np.random.default_rng(seed), values.shape[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        straight = torch.nn.Linear(width, 1, bias=False)
        first = torch.nn.Linear(width, options.hidden)
        last = torch.nn.Linear(options.hidden, 1, bias=False)
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
                chances = torch.log_softmax(found + (1 - present[batch]) * NOTHING, dim=1)
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


def _padded(rows: Ints) -> Ints:
    """Pad to the number compared by repeating the last, which changes almost nothing."""
    missing = np.full(max(0, COMPARED - len(rows)), rows[-1])
    filled: Ints = np.concatenate([rows, missing])[:COMPARED]
    return filled

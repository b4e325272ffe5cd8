"""Train the caption segmenter: captions with their tasks in, weights out.

First the network learns the worth of each run of words. Then it cuts whole captions at random, by
its own probabilities, and learns which cuts raised the F1 of the tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import spans
from stylus_ext.core.prompt.segmenter import (
    CLASSES,
    EDGES,
    LONGEST,
    MIN_SCORE,
    NO_WORD,
    PLAIN,
    UNKNOWN,
    Floats,
    Runs,
    Segmenter,
    possible_runs,
    values_of,
)
from stylus_ext.evaluation.measuring import write_weights
from stylus_ext.evaluation.ranker import FOLDS, fold_of
from stylus_ext.evaluation.tasks import listed, read_tasks, score, share

FEWEST = 3
"""In how many captions a word must occur to get weights of its own."""

MOST_TASKS = 8


@dataclass(frozen=True, slots=True)
class CaptionExample:
    """A caption; `matches[i, j]` is how well run `i` matches task `j`, by the F1 of words."""

    fold: int
    found: Runs
    matches: Floats


def caption_example(record: Mapping[str, Any]) -> CaptionExample:
    text, found = record["prompt"], possible_runs(record["prompt"])
    wanted = [frozenset(listed(task)) for task in record["tasks"]][:MOST_TASKS]
    matches = np.zeros((len(found.places), MOST_TASKS), dtype=np.float32)
    for line, (first, behind) in zip(matches, found.places.tolist(), strict=True):
        start, end = found.offsets_of(first, behind)
        mine = frozenset(listed(text[start:end]))
        line[: len(wanted)] = [share(mine, task) for task in wanted]
    return CaptionExample(fold_of(" ".join(text.split()).casefold()), found, matches)


def vocabulary(examples: Sequence[CaptionExample]) -> dict[str, int]:
    counts = Counter(word for example in examples for word in set(example.found.words))
    known = sorted(word for word, count in counts.items() if count >= FEWEST)
    return {word: number for number, word in enumerate(known, UNKNOWN + 1)}


@dataclass(frozen=True, slots=True)
class LabelledCaption:
    """Several examples as arrays: the words around each run, and its lesson in `owners`."""

    words: NDArray[np.int64]
    classes: Floats
    edges: NDArray[np.int64]
    within: NDArray[np.int64]
    plain: Floats
    matches: Floats
    owners: NDArray[np.int64]
    places: NDArray[np.int64]
    lengths: tuple[int, ...]


def batch_of(examples: Sequence[CaptionExample], known: Mapping[str, int]) -> LabelledCaption:
    words = [known.get(word, UNKNOWN) for example in examples for word in example.found.words]
    lengths = tuple(len(example.found.words) for example in examples)
    runs = [len(example.found.places) for example in examples]
    base = np.repeat(np.cumsum((0, *lengths[:-1])), runs)
    places = np.concatenate([example.found.places for example in examples])
    neighbours = np.concatenate([example.found.neighbours for example in examples])
    first, behind = places.T + base
    before, after = np.where(neighbours < 0, len(words), neighbours + base[:, None]).T
    edges = np.stack((before, first, behind - 1, after), axis=1)
    classes = np.concatenate([example.found.classes for example in examples])
    return LabelledCaption(
        np.array([*words, NO_WORD], dtype=np.int64),
        np.concatenate([classes, np.zeros_like(classes[:1])]),
        edges,
        np.stack((first + 1, np.maximum(behind - 1, first + 1)), axis=1),
        np.concatenate([example.found.plain for example in examples]),
        np.concatenate([example.matches for example in examples]),
        np.repeat(np.arange(len(examples)), runs),
        places,
        lengths,
    )


NUMBERS, HIDDEN = 12, 48
FORGOTTEN, DROPPED, DECAY = 0.15, 0.2, 1e-2
"""The share of words and of hidden units that are dropped out."""

ALONE_ROUNDS, ALONE_BATCH, ALONE_RATE = 4, 12, 3e-3
WHOLE_ROUNDS, WHOLE_BATCH, WHOLE_RATE = 4, 64, 2e-3
TRIES, SHARPNESS, IMPOSSIBLE = 12, 15.0, -1e4

EACH, MEAN, BOTH_WAYS = 0.18, 0.735, 0.157
# The value of a full match (0 for a mean one), and of a task that is found: the slope of F1 at
# three tasks a caption, precision .73 and recall .79.


def train_segmenter(examples: Sequence[CaptionExample], seed: int = 0) -> Segmenter:
    import torch

    known = vocabulary(examples)
    order = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _net(len(known) + UNKNOWN + 1)
        _run_worth(net, examples, known, order)
        _whole(net, examples, known, order)
    vectors, hidden, bias, out, rest = (
        weights.detach().numpy().copy() for weights in net.parameters()
    )
    vectors[NO_WORD] = 0
    return Segmenter(known, vectors, hidden.T.copy(), bias, out[0], float(rest[0]))


def _net(words: int) -> Any:
    import torch

    vectors = torch.nn.Embedding(words, NUMBERS, padding_idx=NO_WORD)
    with torch.no_grad():
        vectors.weight.mul_(0.1)
    inner = torch.nn.Linear((EDGES + 1) * (NUMBERS + CLASSES) + PLAIN, HIDDEN)
    return torch.nn.ModuleList([vectors, inner, torch.nn.Linear(HIDDEN, 1)])


def _worth(net: Any, batch: LabelledCaption) -> Any:
    import torch

    words = torch.from_numpy(batch.words)
    forgotten = (torch.rand(words.shape) < FORGOTTEN) & (words != NO_WORD)
    tokens = torch.cat(
        [net[0](torch.where(forgotten, UNKNOWN, words)), torch.from_numpy(batch.classes)], dim=1
    )
    upto = torch.cat([torch.zeros_like(tokens[:1]), torch.cumsum(tokens, dim=0)])
    edges, within = torch.from_numpy(batch.edges), torch.from_numpy(batch.within)
    features = torch.cat(
        [
            tokens[edges].flatten(1),
            upto[within[:, 1]] - upto[within[:, 0]],
            torch.from_numpy(batch.plain),
        ],
        dim=1,
    )
    inner = torch.nn.functional.dropout(torch.relu(net[1](features)), DROPPED)
    return torch.sigmoid(net[2](inner)).squeeze(1)


def _rounds(
    net: Any,
    examples: Sequence[CaptionExample],
    known: Any,
    order: Any,
    plan: tuple[int, int, float],
) -> Any:
    """Yield batches of examples in random order; apply the caller's gradient after each."""
    import torch

    rounds, size, rate = plan
    steps = -(-len(examples) // size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds * steps)
    for _ in range(rounds):
        for part in np.array_split(order.permutation(len(examples)), steps):
            optimizer.zero_grad()
            yield batch_of([examples[number] for number in part], known)
            optimizer.step()
            schedule.step()


def _run_worth(net: Any, examples: Sequence[CaptionExample], known: Any, order: Any) -> None:
    """The worth of a run by itself; squared, so that two halves count less than the whole."""
    import torch

    for batch in _rounds(net, examples, known, order, (ALONE_ROUNDS, ALONE_BATCH, ALONE_RATE)):
        wanted = torch.from_numpy(batch.matches.max(axis=1) ** 2)
        ((_worth(net, batch) - wanted) ** 2).mean().backward()


def _whole(net: Any, examples: Sequence[CaptionExample], known: Any, order: Any) -> None:
    for batch in _rounds(net, examples, known, order, (WHOLE_ROUNDS, WHOLE_BATCH, WHOLE_RATE)):
        chances, gains = _sample_cuts(batch, (_worth(net, batch) - MIN_SCORE) * SHARPNESS)
        better = gains - (gains.sum(1, keepdim=True) - gains) / (TRIES - 1)
        (-(better * chances).mean() * 10).backward()


def _sample_cuts(batch: LabelledCaption, worth: Any) -> tuple[Any, Any]:
    """Sample random cuts of each caption; return their log-probabilities and gains."""
    import torch

    captions, longest = len(batch.lengths), max(batch.lengths)
    owners = torch.from_numpy(batch.owners)
    first, behind = torch.from_numpy(batch.places).T
    length = behind - first
    grid = torch.full((captions, longest + 1, LONGEST), IMPOSSIBLE).index_put(
        (owners, behind, length - 1), worth
    )
    matches = torch.zeros((captions, longest + 1, LONGEST, MOST_TASKS))
    matches[owners, behind, length - 1] = torch.from_numpy(batch.matches)
    ways = _prefix_weights(grid)
    at = torch.tensor(batch.lengths)[:, None].repeat(1, TRIES)
    every = ways[torch.arange(captions), at[:, 0]]
    row = torch.arange(captions)[:, None].expand(-1, TRIES)
    chances, gains = -every[:, None].repeat(1, TRIES), torch.zeros((captions, TRIES))
    met = torch.zeros((captions, TRIES, MOST_TASKS))
    steps = torch.arange(1, LONGEST + 1)
    while (at > 0).any():
        here = at.clamp(min=1)
        before = here[..., None] - steps
        sums = ways.detach()[row[..., None], before.clamp(min=0)] + grid.detach()[row, here]
        choices = torch.cat(
            [ways.detach()[row, here - 1][..., None], torch.where(before >= 0, sums, IMPOSSIBLE)],
            dim=-1,
        )
        chosen = torch.distributions.Categorical(logits=choices).sample()
        taken, size = (at > 0) & (chosen > 0), (chosen - 1).clamp(min=0)
        chances = chances + torch.where(taken, grid[row, here, size], 0.0)
        hit = matches[row, here, size] * taken[..., None]
        gains = gains + EACH * (hit.max(dim=-1).values - MEAN * taken)
        met = torch.maximum(met, hit)
        at = torch.where(at > 0, here - torch.where(chosen > 0, size + 1, 1), at)
    return chances, gains + BOTH_WAYS * met.sum(dim=-1)


def _prefix_weights(grid: Any) -> Any:
    """Return, for each prefix of a caption, the log of the summed weights of its cuts."""
    import torch

    upto = [torch.zeros(len(grid))]
    for behind in range(1, grid.shape[1]):
        cuts = [
            upto[behind - size] + grid[:, behind, size - 1]
            for size in range(1, min(LONGEST, behind) + 1)
        ]
        upto.append(torch.logsumexp(torch.stack([upto[behind - 1], *cuts]), dim=0))
    return torch.stack(upto, dim=1)


def run_segmenter(tasks: Path, out: Path, progress: Progress) -> dict[str, float]:
    """Score each caption with weights trained without its fold; write those of all."""
    records = read_tasks(tasks)
    examples = [caption_example(record) for record in records]
    if not all(any(example.fold != fold for example in examples) for fold in range(FOLDS)):
        raise InvalidInput("There is too little to learn from. Some thousand captions are needed.")
    found: dict[int, list[str]] = {}
    for fold in range(FOLDS):
        progress.report("training", fold, FOLDS + 1)
        numbers = [number for number, example in enumerate(examples) if example.fold == fold]
        if numbers:
            segmenter = train_segmenter([example for example in examples if example.fold != fold])
        for number in numbers:
            prompt = parse_prompt(records[number]["prompt"])
            found[number] = [span.text for span in spans(prompt, segmenter)]
    progress.report("training", FOLDS, FOLDS + 1)
    write_weights(out, values_of(train_segmenter(examples)))
    return score(records, [found[number] for number in range(len(records))]).as_values()

"""The trials of one person: every pair once, in an order and on sides drawn from their name, and a
share of the pairs again with swapped sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.picks import order_of
from stylus_ext.evaluation.pictures.judging.pairs import PicturePair
from stylus_ext.evaluation.pictures.judging.verdicts import (
    CHOICES,
    NONE,
    PREFERENCE,
    PairVerdict,
    VerdictFile,
)

LONGEST_NAME = 60
_SOONEST = 5
"""The least number of other trials before a pair is shown again."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One pair as it is shown."""

    pair: PicturePair
    reference_is_left: bool
    repeat: bool = False

    @property
    def arms(self) -> tuple[str, str]:
        """Of the left and of the right side."""
        reference, other = self.pair.arms
        return (reference, other) if self.reference_is_left else (other, reference)

    @property
    def key(self) -> tuple[str, bool]:
        return self.pair.id, self.repeat


def trials_of(judge: str, pairs: Sequence[PicturePair], repeated: float) -> list[Trial]:
    """The reference arm is on the left in half of the pairs with each other arm."""
    by_arm: dict[str, list[PicturePair]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: order_of(f"side {judge} {pair.id}")):
        by_arm[pair.arms[1]].append(pair)
    is_left = {
        pair.id: place % 2 == 0 for found in by_arm.values() for place, pair in enumerate(found)
    }
    ordered = sorted(pairs, key=lambda pair: order_of(f"order {judge} {pair.id}"))
    early = ordered[: max(0, len(pairs) - _SOONEST)]  # others must follow before the repeat
    again = sorted(early, key=lambda pair: order_of(f"again {judge} {pair.id}"))
    chosen = {pair.id for pair in again[: round(repeated * len(pairs))]}
    placed = []
    for place, pair in enumerate(ordered):
        placed.append((float(place), Trial(pair, is_left[pair.id])))
        if pair.id in chosen:
            draw = int(order_of(f"place {judge} {pair.id}")[:8], 16) / 16**8
            later = place + _SOONEST + draw * max(0, len(pairs) - place - _SOONEST)
            placed.append((later, Trial(pair, not is_left[pair.id], repeat=True)))
    return [trial for _, trial in sorted(placed, key=lambda item: item[0])]


class Judge:
    """One person's way through their trials; verdicts go to the file at once."""

    def __init__(
        self, name: str, pairs: Sequence[PicturePair], file: VerdictFile, repeated: float
    ) -> None:
        self.name = checked_name(name)
        self._file = file
        self.trials = trials_of(self.name, pairs, repeated)
        places = {trial.key: place for place, trial in enumerate(self.trials)}
        own = (each for each in file.latest() if each.judge == self.name)
        self._judged = {
            places[each.pair, each.repeat]: each
            for each in own
            if each.choice != NONE and (each.pair, each.repeat) in places
        }
        """By the place of the trial, in the order in which the verdicts were given."""

    @property
    def done(self) -> int:
        return len(self._judged)

    @property
    def current(self) -> int | None:
        """The place of the first trial without a verdict."""
        return next((at for at in range(len(self.trials)) if at not in self._judged), None)

    def choose(self, place: int, choice: str) -> None:
        """Keep a verdict about the current trial; an old page cannot give one twice."""
        if choice not in CHOICES:
            raise InvalidInput(f"A choice is {', '.join(CHOICES)}, not {choice!r}.")
        if place != self.current:
            raise InvalidInput("This pair has a verdict already.")
        self._judged[place] = self._keep(self.trials[place], choice)

    def undo(self) -> None:
        """Withdraw the last verdict."""
        if not self._judged:
            raise InvalidInput("There is no verdict to withdraw.")
        self._keep(self.trials[next(reversed(self._judged))], NONE)
        self._judged.popitem()

    def _keep(self, trial: Trial, choice: str) -> PairVerdict:
        verdict = PairVerdict(
            self.name,
            PREFERENCE,
            trial.pair.id,
            trial.pair.prompt,
            *trial.arms,
            choice,
            trial.repeat,
            at=now(),
        )
        self._file.add(verdict)
        return verdict


def checked_name(name: str) -> str:
    """A name on one line."""
    plain = " ".join(name.split())
    if not plain or not plain.isprintable() or len(plain) > LONGEST_NAME:
        raise InvalidInput(f"A judge needs a name of at most {LONGEST_NAME} characters.")
    return plain


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

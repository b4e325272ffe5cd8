"""In: a composition, a mask and the user's own tags. Out: the weight that each pick which is on is
written with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition
from stylus_ext.core.masks import Mask
from stylus_ext.core.prompt.user_tags import UserTag
from stylus_ext.core.settings import Weights

PAPER_FACTOR = 0.8
ADAPTER_KINDS = frozenset({"lora", "lyco"})


def weigh(
    composition: Composition, mask: Mask, settings: Weights, own: float = 0.0
) -> dict[AdapterKey, float]:
    """PAPER.md 1.5: a pick's weight is divided by the picks of its task that are on; then all
    together keep to the cap.

    A weight that the user said for this plan is neither divided nor scaled, as long as such weights
    alone keep to the cap.

    `own` is what the user's own adapters weigh: it counts towards the cap and is never changed.
    """
    on = [pick for pick in composition.picks if pick.key in mask.on]
    sharing = Counter(pick.task for pick in on)
    factor = settings.strength * (PAPER_FACTOR if settings.paper_factor else 1.0)
    weights = {
        pick.key: (
            (settings.default_weight if pick.weight is None else pick.weight)
            * (1.0 if pick.said else factor / sharing[pick.task])
        )
        for pick in on
    }
    if settings.total_cap:
        weights = _capped(
            weights, {pick.key for pick in on if pick.said}, max(0.0, settings.total_cap - own)
        )
    return {key: _cut(weight) for key, weight in weights.items()}


def _capped(
    weights: dict[AdapterKey, float], said: Collection[AdapterKey], room: float
) -> dict[AdapterKey, float]:
    """The others give way to what the user said; where that alone is too much, all do."""
    total = sum(map(abs, weights.values()))
    if total <= room:
        return weights
    fixed = sum(abs(weights[key]) for key in said)
    if fixed >= room:
        return {key: weight * room / total for key, weight in weights.items()}
    share = (room - fixed) / (total - fixed)
    return {key: weight if key in said else weight * share for key, weight in weights.items()}


def own_weight(tags: Iterable[UserTag]) -> float:
    """How strong the adapters are that the user wrote; the host takes 1 where no weight is
    written.
    """
    return sum(
        1.0 if tag.weight is None else abs(tag.weight) for tag in tags if tag.kind in ADAPTER_KINDS
    )


def written(weight: float) -> str:
    """As few digits as say it: 0.8, 1, 0.27."""
    return f"{weight:.2f}".rstrip("0").rstrip(".")


def _cut(weight: float) -> float:
    """Two decimals, towards zero, so that rounding never lifts a total over its cap."""
    return math.trunc(weight * 100 + math.copysign(1e-6, weight)) / 100

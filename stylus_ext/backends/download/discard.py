"""Room is made: the ledger goes in; what was deleted, and why the rest was not, comes out. Only our
own, as we put it, long unused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from stylus_ext.backends.download.ledger import DAY_S, Ledger, Own
from stylus_ext.backends.download.shelf import sha256_of
from stylus_ext.core.errors import StoreProblem
from stylus_ext.core.fetching import Discarded

FEWEST_DAYS = 1


def discard(
    ledger: Ledger,
    favourites: Collection[str],
    days: int,
    check: Callable[[], None],
    *,
    dry_run: bool = False,
    only: Collection[str] | None = None,
) -> Iterator[Discarded]:
    """`favourites` and `only` are keys; the sidecars stay, since the user may have written into
    them.
    """
    last, oldest = ledger.last_use(), time.time() - max(days, FEWEST_DAYS) * DAY_S
    for own in sorted(ledger.own(), key=lambda one: (last.get(one.key, one.at), one.path)):
        if only is not None and own.key not in only:
            continue
        why = ""
        if own.key in favourites:
            why = "you marked it as always"
        elif last.get(own.key, own.at) > oldest:
            why = f"it was used within the last {max(days, FEWEST_DAYS)} days"
        elif sha256_of(Path(own.path), check) != own.sha256:
            why = "it is not the file any more that was fetched"
        elif not dry_run:
            _delete(own)
        yield Discarded(own.key, own.path, own.size, why)


def _delete(own: Own) -> None:
    try:
        Path(own.path).unlink(missing_ok=True)
    except OSError as error:
        raise StoreProblem(
            f"{own.path} could not be deleted: {error.strerror or error}."
        ) from error

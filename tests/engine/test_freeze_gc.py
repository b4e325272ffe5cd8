"""What stays is left alone by the collector; what has become garbage is found all the same."""

from __future__ import annotations

import gc
import weakref

from stylus_ext.engine.stylus import freeze_gc


class Knot:
    """Refers to itself, so that only the collector finds it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_loaded_is_not_walked_through_again() -> None:
    held = [Knot() for _ in range(1000)]
    freeze_gc()
    assert gc.get_freeze_count() >= len(held)
    assert not any(isinstance(one, Knot) for one in gc.get_objects())


def test_garbage_goes_before_and_what_became_garbage_with_the_next_time() -> None:
    before, after = Knot(), Knot()
    first, second = weakref.ref(before), weakref.ref(after)
    del before
    freeze_gc()
    assert first() is None
    del after
    gc.collect()
    assert second() is not None, "it was taken out"
    freeze_gc()
    assert second() is None

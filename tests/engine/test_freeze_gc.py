"""The garbage collector skips frozen objects and still finds garbage."""

from __future__ import annotations

import gc
import weakref

import pytest

from stylus_ext.engine.stylus import freeze_gc, no_gc


class Knot:
    """Refers to itself, so that only the collector finds it."""

    def __init__(self) -> None:
        self.itself = self


def test_frozen_objects_are_not_collected_again() -> None:
    held = [Knot() for _ in range(1000)]
    freeze_gc()
    assert gc.get_freeze_count() >= len(held)
    assert not any(isinstance(one, Knot) for one in gc.get_objects())


def test_garbage_is_collected_before_freezing_and_at_the_next_time() -> None:
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


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_off_while_loading_and_as_before_after_it(enabled: bool) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with no_gc():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()

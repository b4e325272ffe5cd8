"""The cache against a plain list of the keys in order of their last use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.lru import LruCache


def test_the_item_unused_for_longest_is_dropped() -> None:
    cache = LruCache[str, int](2)
    cache["a"], cache["b"] = 1, 2
    assert cache["a"] == 1
    cache["c"] = 3
    assert dict(cache.items()) == {"a": 1, "c": 3}
    assert "b" not in cache
    assert cache.get("b") is None
    with pytest.raises(KeyError):
        cache["b"]


def test_looking_without_reading_changes_no_order() -> None:
    cache = LruCache[str, int](2)
    cache["a"], cache["b"] = 1, 2
    assert "a" in cache
    assert list(cache) == ["a", "b"]
    assert list(cache.items()) == [("a", 1), ("b", 2)]
    del cache["a"]
    assert len(cache) == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=60), st.integers(1, 4))
def test_it_keeps_the_keys_used_last(steps: list[tuple[bool, int]], most: int) -> None:
    cache, order = LruCache[int, int](most), list[int]()
    for write, key in steps:
        if write:
            cache[key] = -key
        elif key in order:
            assert cache[key] == -key
        else:
            assert cache.get(key) is None
            continue
        order = [*(known for known in order if known != key), key][-most:]
        assert list(cache) == order

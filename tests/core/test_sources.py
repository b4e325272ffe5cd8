from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.sources import MOST_MODELS, Wanted


def wanted() -> st.SearchStrategy[Wanted]:
    return st.builds(
        Wanted,
        query=st.text(max_size=5),
        tag=st.text(max_size=5),
        base_models=st.lists(st.text(max_size=4), max_size=3).map(tuple),
        top=st.integers(0, 50),
        nsfw=st.booleans(),
        examples=st.booleans(),
    )


@given(wanted(), wanted())
def test_only_the_same_crawl_has_the_same_name(one: Wanted, other: Wanted) -> None:
    same = (one.query, one.tag, sorted(one.base_models), one.top, one.nsfw, one.examples) == (
        other.query,
        other.tag,
        sorted(other.base_models),
        other.top,
        other.nsfw,
        other.examples,
    )
    assert (one.fingerprint == other.fingerprint) is same


@pytest.mark.parametrize("top", [-1, MOST_MODELS + 1])
def test_a_number_outside_reason_is_refused(top: int) -> None:
    with pytest.raises(InvalidInput):
        Wanted(top=top)

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sync import CrawlState, EndlessListing
from stylus_ext.core.sources import CataloguePage, Wanted

ALL = Wanted()


def page(
    models: int = 100, cursor: str | None = "next", newest: str = "2026-05", **skipped: int
) -> CataloguePage:
    return CataloguePage((), models, skipped, cursor, newest=newest)


def test_counts_add_up() -> None:
    state = (
        CrawlState()
        .after(page(archived=2, poi=1), 3, ALL)
        .after(page(50, None, "2026-06", archived=1), 4, ALL)
    )
    assert (state.models, state.written, state.skipped, state.newest, state.ended) == (
        150,
        7,
        {"archived": 3, "poi": 1},
        "2026-06",
        True,
    )


@pytest.mark.parametrize(
    ("before", "now", "wanted", "ended"),
    [
        (CrawlState(), page(), ALL, False),
        (CrawlState(), page(cursor=None), ALL, True),
        (CrawlState(models=100), page(), Wanted(top=200), True),
        (CrawlState(models=99), page(), Wanted(top=200), False),
        (CrawlState(until="2026-05"), page(newest="2026-05"), ALL, True),
        (CrawlState(until="2026-05"), page(newest="2026-06"), ALL, False),
        (CrawlState(until="2026-05"), page(newest=""), ALL, True),
        (CrawlState(until="2026-05"), page(0, newest=""), ALL, False),
        (CrawlState(empty=24), page(0), ALL, False),
        (CrawlState(empty=25), page(1), ALL, False),
        (CrawlState(until="2026-05"), replace(page(), in_order=False), ALL, False),
    ],
)
def test_when_a_crawl_is_over(
    before: CrawlState, now: CataloguePage, wanted: Wanted, ended: bool
) -> None:
    assert before.after(now, 0, wanted).ended is ended


@pytest.mark.parametrize(
    ("before", "now"),
    [(CrawlState(cursor="same"), page(cursor="same")), (CrawlState(empty=25), page(0))],
)
def test_pages_that_lead_nowhere_are_an_error(before: CrawlState, now: CataloguePage) -> None:
    with pytest.raises(EndlessListing):
        before.after(now, 0, ALL)


def test_the_next_crawl_knows_what_the_last_one_saw() -> None:
    done = CrawlState(models=500, newest="2026-05", ended=True)
    assert done.again(ALL) == CrawlState(until="2026-05", newest="2026-05")
    assert done.again(Wanted(top=5)) == CrawlState()
    assert replace(done, in_order=False).again(ALL) == CrawlState(), (
        "where the newest do not come first, all of it is read again"
    )
    quiet = done.again(ALL).after(page(cursor=None, newest=""), 0, ALL)
    assert quiet.again(ALL).until == "2026-05", "an empty page forgets nothing"


def test_empty_pages_in_a_row_are_counted() -> None:
    state = CrawlState().after(page(0, "1"), 0, ALL).after(page(0, "2"), 0, ALL)
    assert (state.empty, state.ended) == (2, False)
    assert state.after(page(1, "3"), 0, ALL).empty == 0


def test_a_state_of_an_older_version_is_gone_on_with() -> None:
    assert CrawlState.of_text(
        '{"cursor": "7", "models": 3, "kept": 2, "written": 2, "skipped": {}, "newest": "",'
        ' "until": "", "ended": false}'
    ) == CrawlState(cursor="7", models=3, kept=2, written=2)


def test_what_is_left() -> None:
    assert CrawlState(models=30).left(Wanted(top=100)) == 70
    assert CrawlState(models=130).left(Wanted(top=100)) == 0
    assert CrawlState(models=30).left(ALL) is None


@given(
    st.builds(
        CrawlState,
        cursor=st.none() | st.text(),
        models=st.integers(0),
        kept=st.integers(0),
        written=st.integers(0),
        newest=st.text(),
        until=st.text(),
        skipped=st.dictionaries(st.text(max_size=5), st.integers(0), max_size=3),
        ended=st.booleans(),
    )
)
def test_a_state_survives_as_text(state: CrawlState) -> None:
    assert CrawlState.of_text(state.to_text()) == state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "null",
        '{"unknown": 1}',
        '{"models": "many"}',
        '{"skipped": 5}',
        '{"cursor": 5}',
        '{"newest": null}',
    ],
)
def test_what_is_no_state_is_none(text: str) -> None:
    assert CrawlState.of_text(text) is None

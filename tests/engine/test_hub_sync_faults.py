"""Odd answers while the hub is crawled: nothing is hidden, and a crawl that ends goes on later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sync import EndlessListing
from stylus_ext.core.errors import StylusError
from stylus_ext.core.ports import Filter
from stylus_ext.net import client
from tests.civitai_service.faults import Fault
from tests.engine.test_hugging_face import House, house
from tests.hub_service.shapes import Repo, a_repo

__all__ = ["house"]

MODELS, COUNT = "/api/models$", 45
ODD: tuple[Any, ...] = ({}, {"error": "try later"}, "<html>later</html>", "", "null", 7, '["a')


def repos() -> list[Repo]:
    return [a_repo(f"artist/owl-{number:02}", b"%d" % number) for number in range(COUNT)]


def total(house: House) -> int:
    return house.stylus.catalogue.store.search("", Filter()).total


@pytest.fixture
def crawled(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A hub that is asked again without a pause."""
    monkeypatch.setattr(client, "pause", lambda seconds, check: check())
    house.hub.add(*repos())
    return house


def full_page() -> list[Any]:
    """The second page without the address of the third."""
    return [repo.listed() for repo in repos()[20:40]]


@pytest.mark.parametrize("body", [*ODD, full_page()], ids=lambda body: str(body)[:20])
def test_one_odd_page_hides_nothing(crawled: House, body: Any) -> None:
    crawled.hub.faults.add(Fault(MODELS, status=200, body=body, after=1))
    assert crawled.sync().kept == COUNT
    assert total(crawled) == COUNT


@pytest.mark.parametrize("body", ODD[:3], ids=str)
def test_odd_pages_that_last_end_the_crawl_which_goes_on_later(crawled: House, body: Any) -> None:
    crawled.hub.faults.add(Fault(MODELS, status=200, body=body, after=1, times=-1))
    with pytest.raises(StylusError):
        crawled.sync()
    crawled.hub.faults.clear()
    assert crawled.sync().resumed
    assert total(crawled) == COUNT


@pytest.mark.parametrize("body", ODD[:3], ids=str)
def test_an_odd_list_of_files_hides_no_repository(crawled: House, body: Any) -> None:
    tree = "/artist/owl-07/tree/"
    crawled.hub.faults.add(Fault(tree, status=200, body=body))
    assert crawled.sync().kept == COUNT
    crawled.hub.faults.add(Fault(tree, status=200, body=body, times=-1))
    with pytest.raises(StylusError):
        crawled.sync(afresh=True)
    crawled.hub.faults.clear()
    crawled.sync()
    assert total(crawled) == COUNT


@pytest.mark.parametrize("loop", [["a"], ["a", "b", "c", "a"]], ids=["same", "ring"])
def test_pages_that_lead_back_are_an_error_and_the_rest_is_read_later(
    crawled: House, loop: list[str]
) -> None:
    for place, cursor in enumerate(loop):
        link = f'<{crawled.hub.api}/api/models?cursor={cursor}>; rel="next"'
        body = [a_repo(f"artist/ring-{place}", b"ring %d" % place).listed()]
        last = place + 1 == len(loop)
        fault = Fault(
            MODELS, status=200, body=body, headers={"Link": link}, times=-1 if last else 1
        )
        crawled.hub.faults.add(fault)
    with pytest.raises(EndlessListing):
        crawled.sync()
    crawled.hub.faults.clear()
    crawled.sync()
    assert total(crawled) >= COUNT


@pytest.mark.parametrize(
    "item",
    [None, 7, [], {}, {"id": 7}, {"id": "../../x"}, {"id": "a/b", "sha": None, "siblings": "x"}],
    ids=str,
)
def test_an_odd_repository_is_left_out_alone(crawled: House, item: Any) -> None:
    listed = [item, *(repo.listed() for repo in repos()[:5])]
    crawled.hub.faults.add(Fault(MODELS, status=200, body=listed))
    assert crawled.sync().kept == 5


def test_a_readme_of_any_kind_hides_no_repository(crawled: House, tmp_path: Path) -> None:
    deep = "[" * 100_000
    for number, body in enumerate(
        (deep, f"---\n{deep}\n---\n", "---\n" + json.dumps({"a": 1}), "\0")
    ):
        path = f"/artist/owl-{number:02}/resolve/"
        crawled.hub.faults.add(Fault(path, status=200, body=body))
    assert crawled.sync().kept == COUNT

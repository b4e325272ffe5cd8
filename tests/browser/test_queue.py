"""gradio's queue as a way in: strangers are refused there too, and what is followed for minutes
ends when nobody wants it any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from stylus_ext.environment.files import hold
from stylus_ext.environment.layout import BUILD_LOCK, Environment
from stylus_ext.environment.progress import BuildProgress, write_progress
from tests.browser.copied import Copied, copied
from tests.browser.queue_client import asked, numbers, texts, texts_of
from tests.browser.running import Running, running

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def copy(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Copied:  # for each gradio another
    return copied(tmp_path_factory.mktemp("queued"))


@pytest.fixture(scope="module")
def server(copy: Copied, environment: Environment) -> Iterator[Running]:
    with running(environment, copy.orders(), copy.root) as made:
        yield made


@pytest.fixture
def building(server: Running, copy: Copied) -> Iterator[Running]:
    """Somebody else's set-up, which does not end."""
    copy.home.folder.mkdir(exist_ok=True)
    with hold(copy.home.folder, BUILD_LOCK, "building the environment"):
        write_progress(copy.home.progress, BuildProgress("fetching", 5, 945, 60))
        yield server


@pytest.mark.parametrize("name", ["enabled-checkbox", "set_up", "retry"])
def test_a_page_that_calls_us_by_another_name_is_refused(
    server: Running, copy: Copied, name: str
) -> None:
    """A page of another site can let its own name point to this machine (DNS rebinding): its Host
    header gives it away.
    """
    data = [True, None] if name == "enabled-checkbox" else [None]
    with asked(
        server, numbers(server, name), data, f"stranger{name}", "evil.example:7860"
    ) as answers:
        said = texts(answers)
    assert said
    assert all("Unrecognised Host" in text and "evil.example" in text for text in said), said
    assert not copy.home.folder.exists()
    assert not (copy.folder / "webui" / "stylus").exists()
    assert server.told()["engine"] == "not_set_up"


def test_the_same_words_from_this_machine_are_heard(server: Running) -> None:
    with asked(
        server, numbers(server, "enabled-checkbox"), [True, None], "friend", HERE
    ) as answers:
        assert "The engine is not set up yet." in texts(answers)[-1]


def is_followed(server: Running) -> bool:
    """Whether somebody beside us looks at the engine, four times a second, over some time."""
    before = server.told()["looked"]
    time.sleep(1.5)
    return bool(server.told()["looked"] - before > 2)


def ends_within(server: Running, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while is_followed(server):
        if time.monotonic() > until:
            return False
    return True


def test_unticking_is_heard_while_a_set_up_is_followed(building: Running) -> None:
    with asked(
        building, numbers(building, "enabled-checkbox"), [True, None], "page1", HERE
    ) as answers:
        next(text for text in texts_of(answers) if "5 of 945 MB" in text)
        unticked = {
            "fn_index": numbers(building, "enabled-checkbox", outputs=False),
            "data": [False, None],
            "session_hash": "another page",
        }
        assert building.ask("POST", "/run/predict", unticked)[0] == 200
        assert is_followed(building), "each page has its own box"
        assert building.ask("POST", "/run/predict", unticked | {"session_hash": "page1"})[0] == 200
        list(answers)  # they end, though the set-up does not
    assert ends_within(building, 10.0)


def test_a_page_that_is_gone_is_followed_no_longer(building: Running) -> None:
    with asked(
        building, numbers(building, "enabled-checkbox"), [True, None], "page2", HERE
    ) as answers:
        next(text for text in texts_of(answers) if "5 of 945 MB" in text)
        assert is_followed(building)
    assert ends_within(building, 10.0)

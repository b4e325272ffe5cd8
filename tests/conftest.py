"""What holds for every test: no socket leaves this machine, and nothing of the user's is touched.
And data folders to work in.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.embedding_server import EmbeddingServer
    from tests.engine_process import Cli, Ran


# A busy machine is not a bug: no property fails for being slow. CI tries the same examples each
# time; people try new ones.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("steady")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl+C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104


_LIVE = os.environ.get("STYLUS_TEST_NETWORK") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nobody's service is asked because somebody ran the tests."""
    for item in items:
        if item.get_closest_marker("network") and not _LIVE:
            item.add_marker(
                pytest.mark.skip(reason="asks a real service; STYLUS_TEST_NETWORK=1 runs it")
            )


@pytest.fixture(autouse=True)
def _loopback_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sockets, on loopback alone. Names of other machines are not even looked up."""
    if _LIVE and request.node.get_closest_marker("network"):
        return
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise AssertionError(f"A test wanted to talk to {address}.")
        connect(self, address)

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not str(name).startswith(_LOOPBACK):
            raise socket.gaierror(socket.EAI_NONAME, f"A test wanted to look up {name}.")
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes see it too."""
    monkeypatch.setenv("STYLUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "1"))


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What an engine in this process took out of the collector's rounds comes back: a socket that
    nobody closed is found.
    """
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def vectors() -> Iterator[EmbeddingServer]:
    from tests.embedding_server import serving

    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def prepared(vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied, as `folder` does."""
    from tests.engine_process import prepared_folder

    return prepared_folder(tmp_path_factory.mktemp("prepared") / "data", vectors.url)


@pytest.fixture
def folder(tmp_path: Path, prepared: Path) -> Path:
    """The test's own data folder, with the starter catalogue in it."""
    return Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command in this process, over the given data folder."""
    from stylus_ext.cli import main
    from tests.engine_process import Ran

    def run(folder: Path, *words: str) -> Ran:
        monkeypatch.setenv("STYLUS_DATA_DIR", str(folder))
        capsys.readouterr()
        code = main.main(words)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ran(code, out, err)

    return run


@pytest.fixture
def stylus(folder: Path, here: Cli) -> Cli:
    """A command in this process, over `folder`."""
    return partial(here, folder)

"""The same index over a real Chroma server on 127.0.0.1, shared by two folders."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.vectors import ChromaIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import Unavailable
from tests.catalogue.vectors.test_chroma_index import agree
from tests.vectors import WIDE, item, made, unit


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("chroma", path=str(Path(sys.executable).parent))
    command = (
        [program] if program else [sys.executable, "-c", "from chromadb.cli.cli import app; app()"]
    )
    quiet = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    with subprocess.Popen(
        [
            *command,
            "run",
            "--path",
            str(tmp_path / "server"),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=quiet,
    ) as server:
        patience = time.monotonic() + 60
        while time.monotonic() < patience and server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.kill()


def test_two_machines_share_a_server(tmp_path: Path, address: str) -> None:
    one = ChromaIndex(tmp_path / "one", "bag", WIDE, url=address)
    assert one.notes == ()
    items = [item(number, family=("sd1", "flux")[number % 2]) for number in range(1, 40)]
    one.write(items, made(items))
    one.remove([AdapterKey.civitai(39)])
    other = ChromaIndex(tmp_path / "other", "bag", WIDE, url=address)
    assert other.fingerprints("card") == one.fingerprints("card")
    assert len(other.fingerprints("card")) == 38
    by_chroma = ChromaIndex(tmp_path / "other", "bag", WIDE, url=address, exact_below=0)
    for families in (None, frozenset({"flux"})):
        found = [
            index.search("card", unit("a", "b"), 10, families) for index in (one, other, by_chroma)
        ]
        assert found[0] == found[1]
        assert [[hit.key for hit in hits] for hits in found[2]] == [
            [hit.key for hit in hits] for hits in found[0]
        ]
    assert np.array_equal(
        one.cosines("card", unit("a"), list(one.fingerprints("card"))),
        other.cosines("card", unit("a"), list(one.fingerprints("card"))),
    )
    for index in (one, other, by_chroma):
        index.close()
    assert len(agree(tmp_path / "one", url=address)) == 38
    assert not (tmp_path / "one" / "chroma").exists()


def refuse(*_: object, **__: object) -> None:
    raise ConnectionRefusedError


def test_a_server_that_went_away_is_said_and_asked_again(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ChromaIndex(tmp_path / "one", "bag", WIDE, url=address)
    index.write([item(1)], unit("print-1"))
    index.close()
    with monkeypatch.context() as away:
        away.setattr(socket, "create_connection", refuse)
        with pytest.raises(Unavailable):
            index.write([item(2)], unit("print-2"))
        assert index.search("card", unit("print-1"), 1)[0][0].key == AdapterKey.civitai(1)
    index.write([item(2)], unit("print-2"))
    index.close()
    assert len(agree(tmp_path / "one", url=address)) == 2

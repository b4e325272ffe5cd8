from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_socket_outside_loopback_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(AssertionError, match="wanted to talk"):
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror, match="wanted to look up"):
        socket.create_connection(("example.invalid", 80))


def test_loopback_works() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_nobodys_service_is_asked_because_somebody_ran_the_tests() -> None:
    """Its tests are there and are skipped, also where everything else is run."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name != "STYLUS_TEST_NETWORK" and not name.startswith("PYTEST_")
    }
    command = [sys.executable, "-m", "pytest", "-q", "-m", "network", "tests/catalogue/sources"]
    ran = subprocess.run(
        command,
        check=False,
        cwd=Path(__file__).resolve().parents[1],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert re.search(r"\b12 skipped, \d+ deselected", ran.stdout)
    assert "passed" not in ran.stdout

from __future__ import annotations

import socket

import pytest


def test_a_socket_outside_loopback_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(AssertionError, match="wanted to talk"):
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror, match="wanted to look up"):
        socket.create_connection(("example.invalid", 80))


def test_loopback_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()

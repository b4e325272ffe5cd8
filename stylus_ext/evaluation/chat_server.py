"""A chat model on loopback that always takes the same time and always says the same (its second
word, else a description): run as a script; its port is its first line of output.

What it does not have, such as a way to free memory, it refuses at once, as other servers do. It
ends with its standard input. Only the standard library: it stands for a server elsewhere, so it
shares nothing with what it measures.
"""

from __future__ import annotations

import asyncio
import json
import sys

_SAID = {
    "shared": "",
    "kind": "background",
    "text": "Wet city streets at night with red paper lanterns.",
    "weight": 0.7,
    "slider": False,
    "utility": False,
    "speed": False,
}

_CHAT = b"/chat/completions "
_NOT_HERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def whole(said: str) -> bytes:
    """The bytes of an answer that says so."""
    body = json.dumps(
        {
            "id": "measured",
            "object": "chat.completion",
            "created": 0,
            "model": "measured",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": said},
                }
            ],
            "usage": {"prompt_tokens": 600, "completion_tokens": 60, "total_tokens": 660},
        }
    ).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency_s: float, said: bytes
) -> None:
    """One connection, request after request; the latency counts from the last byte of a request."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    line.split(b":")[1]
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                b"0",
            )
            await reader.readexactly(int(length))
            if _CHAT in head.split(b"\r\n")[0]:
                await asyncio.sleep(latency_s)
                writer.write(said)
            else:
                writer.write(_NOT_HERE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(latency_s: float, said: bytes) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, latency_s, said), "127.0.0.1", 0, backlog=256
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    asyncio.run(
        serve(float(sys.argv[1]), whole(sys.argv[2] if len(sys.argv) > 2 else json.dumps(_SAID)))  # noqa: PLR2004
    )


if __name__ == "__main__":
    main()

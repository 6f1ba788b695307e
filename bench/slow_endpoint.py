"""A model endpoint on loopback that answers after a while, however many ask, and counts them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from typing_extensions import override

__all__ = ["SlowEndpoint", "slow_endpoint"]

_REPLY = json.dumps({"choices": [{"message": {"role": "assistant", "content": "an answer"}}]}).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_REPLY),
    _REPLY,
)


@dataclass
class SlowEndpoint:
    delay: float
    """Seconds until a POST is answered; anything else is answered at once."""
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0


class _Connection(asyncio.Protocol):
    """One request after another. A protocol, not streams: it must not be what the measurement waits for."""

    def __init__(self, endpoint: SlowEndpoint) -> None:
        self._endpoint = endpoint
        self._received = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received = b""
        if not head.startswith(b"POST"):
            self._transport.write(_ANSWER)
            return
        self._endpoint.at_once += 1
        self._endpoint.most_at_once = max(self._endpoint.most_at_once, self._endpoint.at_once)
        asyncio.get_running_loop().call_later(self._endpoint.delay, self._answer)

    def _answer(self) -> None:
        self._endpoint.at_once -= 1
        self._transport.write(_ANSWER)


@contextmanager
def slow_endpoint(*, delay: float) -> Iterator[SlowEndpoint]:
    """A server in a thread of its own, so that the measuring code may block."""
    endpoint = SlowEndpoint(delay)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: _Connection(endpoint), "127.0.0.1", 0))
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0

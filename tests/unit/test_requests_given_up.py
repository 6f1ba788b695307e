"""A request that was given up is not sent to its end later: it could start a job a second time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from nemo_eval_operator.transport import AiohttpTransport, transport_to
from tests.small_buffers import BODY_BYTES, listen_with_small_buffers

ESTABLISHED = "01"
"""State of a connection in the kernel's table."""


class UnreadServer:
    """Accepts one connection, and reads only the beginning of its request before `read_rest`."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._listener = listen_with_small_buffers()
        self._tls = tls
        self._resumed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._received = 0
        scheme, port = "https" if tls else "http", self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.asked = threading.Event()
        self.client_port = 0
        self._thread.start()

    def read_rest(self) -> int:
        """Read to the end of the connection and return how many bytes of the request came."""
        self._resumed.set()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the connection does not end"
        return self._received

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listener:
            connection, (_, self.client_port) = self._listener.accept()
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self._received = len(connection.recv(100))
                self.asked.set()
                self._resumed.wait()
                while data := connection.recv(65536):
                    self._received += len(data)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[UnreadServer]:
    tls = None
    if request.param == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
    server = UnreadServer(tls)
    yield server
    server.read_rest()


def client(server: UnreadServer, authority: trustme.CA, *, seconds: float) -> httpx.AsyncClient:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = AiohttpTransport(context, connections=1)
    return httpx.AsyncClient(base_url=server.url, transport=transport, timeout=httpx.Timeout(seconds))


async def test_the_rest_is_not_sent_later(server: UnreadServer, authority: trustme.CA) -> None:
    async with client(server, authority, seconds=60) as http:
        request = asyncio.create_task(http.post("/jobs", content=b"x" * BODY_BYTES))
        await asyncio.to_thread(server.asked.wait)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

        assert await asyncio.to_thread(server.read_rest) < BODY_BYTES


async def test_the_kernel_gives_a_request_up_where_the_process_cannot(
    server: UnreadServer, authority: trustme.CA
) -> None:
    async with client(server, authority, seconds=0.3) as http:
        request = asyncio.create_task(http.post("/jobs", content=b"x" * BODY_BYTES))
        await asyncio.to_thread(server.asked.wait)

        # From here to the end the event loop stands still, as it does in a process that is frozen.
        deadline = time.monotonic() + 20
        while is_established(server.client_port):
            assert time.monotonic() < deadline, "the kernel still has what was not read"
        assert server.read_rest() < BODY_BYTES

        with pytest.raises(httpx.HTTPError):
            await request


async def test_the_rest_is_not_sent_to_a_proxy_either(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, url = UnreadServer(None), "http://evaluator.test"
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    transport = transport_to(url, ssl.create_default_context(), connections=1)
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=60) as http:
        request = asyncio.create_task(http.post("/jobs", content=b"x" * BODY_BYTES))
        await asyncio.to_thread(proxy.asked.wait)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

        assert await asyncio.to_thread(proxy.read_rest) < BODY_BYTES


def is_established(port: int) -> bool:
    """Whether the kernel has a connection from this port of loopback."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(row[1].partition(":")[2], 16) == port and row[3] == ESTABLISHED for row in rows)

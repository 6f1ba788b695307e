"""A request that was given up is not sent to its end later: it could start a job a second time."""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import trustme

from nemo_eval_operator.transport import sending, transport_to
from tests.connection_table import is_established
from tests.small_buffers import BODY_BYTES, KERNEL_BYTES
from tests.unit.unread_server import UnreadServer

EVALUATOR = "evaluator.test"
"""Name of the evaluator behind a proxy."""

GARBAGE = b"garbage garbage\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}"
BUSY_AND_CLOSING = BUSY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
UNFINISHED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\n{"


@dataclass(frozen=True)
class Way:
    """A way to a server that stops reading."""

    server: UnreadServer
    url: str
    context: ssl.SSLContext

    def client(self, *, seconds: float = 60) -> httpx.AsyncClient:
        transport = transport_to(self.url, self.context, connections=1)
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=httpx.Timeout(seconds))

    async def rest(self) -> int:
        """Let the server read on, and return how many bytes of the request it received."""
        # The event loop closes a socket in its next turn, in which a request of the operator would begin.
        await asyncio.sleep(0)
        return await asyncio.to_thread(self.server.read_rest)


@pytest.fixture
def answer() -> bytes:
    """What the server sends before it has read the request."""
    return b""


@pytest.fixture(params=["http", "https", "proxy", "tunnel"])
def way(
    request: pytest.FixtureRequest, answer: bytes, no_proxy: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Way]:
    authority, tls = trustme.CA(), None
    if request.param in ("https", "tunnel"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", EVALUATOR).configure_cert(tls)
    server = UnreadServer(tls, answer=answer, is_tunnel=request.param == "tunnel")
    url = server.url
    if request.param in ("proxy", "tunnel"):
        monkeypatch.setenv("all_proxy", server.url)
        url = f"{'https' if tls else 'http'}://{EVALUATOR}"
    context = ssl.create_default_context()
    authority.configure_trust(context)
    yield Way(server, url, context)
    server.read_rest()


@pytest.fixture(params=[True, False], ids=["linux", "silent"])
def kernel_says(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once without the kernel's word on what is still to be sent, which only Linux gives."""
    if not request.param:
        monkeypatch.setattr(sending, "_unacknowledged", lambda _: None)


@pytest.mark.usefixtures("kernel_says")
@pytest.mark.parametrize("body", [KERNEL_BYTES, BODY_BYTES])
@pytest.mark.parametrize("answer", [UNFINISHED], ids=["unfinished"])
async def test_the_rest_is_not_sent_after_an_answer_that_is_not_read_to_its_end(way: Way, body: int) -> None:
    async with way.client() as http:
        async with http.stream("POST", "/jobs", content=b"x" * body):
            pass

        assert await way.rest() < body


@pytest.mark.usefixtures("kernel_says")
@pytest.mark.parametrize("body", [KERNEL_BYTES, BODY_BYTES])
async def test_the_rest_is_not_sent_later(way: Way, body: int) -> None:
    async with way.client() as http:
        request = asyncio.create_task(http.post("/jobs", content=b"x" * body))
        await asyncio.to_thread(way.server.asked.wait)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

        assert await way.rest() < body


@pytest.mark.parametrize("body", [KERNEL_BYTES, BODY_BYTES])
@pytest.mark.parametrize("answer", [GARBAGE], ids=["garbage"])
async def test_the_rest_is_not_sent_after_an_answer_that_is_none(way: Way, body: int) -> None:
    async with way.client() as http:
        with pytest.raises(httpx.ReadError):
            await http.post("/jobs", content=b"x" * body)

        assert await way.rest() < body


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what is still to be sent")
@pytest.mark.parametrize("body", [KERNEL_BYTES, BODY_BYTES])
@pytest.mark.parametrize("answer", [BUSY, BUSY_AND_CLOSING], ids=["kept", "closed"])
async def test_the_rest_is_not_sent_after_an_early_answer(way: Way, body: int) -> None:
    async with way.client() as http:
        assert (await http.post("/jobs", content=b"x" * body)).status_code == 503

        assert await way.rest() < body


@pytest.mark.parametrize("answer", [BUSY])
async def test_nor_is_it_where_only_asyncio_says_that_it_waits(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on macOS, and where the server has just read what the kernel had.
    monkeypatch.setattr(sending, "_unacknowledged", lambda _: None)
    async with way.client() as http:
        assert (await http.post("/jobs", content=b"x" * BODY_BYTES)).status_code == 503

        assert await way.rest() < BODY_BYTES


@pytest.mark.parametrize("way", ["https"], indirect=True)
@pytest.mark.parametrize("answer", [BUSY])
async def test_the_next_request_after_an_early_answer_is_not_sent_on_its_connection(way: Way) -> None:
    async with way.client() as http:
        assert (await http.post("/first", content=b"x" * BODY_BYTES)).status_code == 503
        # The server accepts no second connection.
        with pytest.raises(httpx.ConnectTimeout):
            await http.post("/second", content=b"x", timeout=0.1)


async def test_a_transport_that_is_closed_gives_its_requests_up(way: Way) -> None:
    async with way.client() as http:
        request = asyncio.create_task(http.post("/jobs", content=b"x" * BODY_BYTES))
        await asyncio.to_thread(way.server.asked.wait)
        async with asyncio.timeout(10):
            await http.aclose()
        with pytest.raises(httpx.HTTPError):
            await request

        assert await way.rest() < BODY_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have neither the option nor the table")
async def test_the_kernel_gives_a_request_up_where_the_process_cannot(way: Way) -> None:
    async with way.client(seconds=0.3) as http:
        request = asyncio.create_task(http.post("/jobs", content=b"x" * BODY_BYTES))
        await asyncio.to_thread(way.server.asked.wait)

        # From here to the end the event loop stands still, as it does in a process that is frozen.
        deadline, server_port = time.monotonic() + 20, int(way.server.url.rpartition(":")[2])
        try:
            while is_established(way.server.client_port, server_port):
                assert time.monotonic() < deadline, "the kernel still has what was not read"
        finally:
            received = way.server.read_rest()
        assert received < BODY_BYTES

        with pytest.raises(httpx.HTTPError):
            await request

"""Requests through the proxy that the environment names, on real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trustme

from nemo_eval_operator.transport import AiohttpTransport, transport_to
from tests.unit.raw_server import OK, saying, serving
from tests.unit.unread_server import TUNNEL_OPENED

pytestmark = pytest.mark.usefixtures("no_proxy")

CREDENTIALS = "Basic bWU6c2U6Y3JldA=="
"""User me with the password se:cret."""


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def client(url: str, authority: trustme.CA) -> httpx.AsyncClient:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = transport_to(url, context, connections=2)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=5)


@asynccontextmanager
async def tunnelling(target: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy whose connections all lead to `target`; yields its HOST:PORT and the heads that it read."""
    heads: list[str] = []
    talks: list[asyncio.Task[None] | None] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        there = await asyncio.open_connection(*target.split(":"))
        writer.write(TUNNEL_OPENED)
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer), return_exceptions=True)

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}", heads
        await asyncio.gather(*filter(None, talks))


def test_a_proxy_of_the_environment_is_used_by_aiohttp_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context()
    monkeypatch.setenv("NO_PROXY", ".svc,10.0.0.1")

    def is_aiohttps(url: str) -> bool:
        return isinstance(transport_to(url, context, connections=1), AiohttpTransport)

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    assert is_aiohttps("https://kube.test")
    monkeypatch.setenv("HTTPS_PROXY", "https://proxy.test:3128")
    assert not is_aiohttps("https://kube.test")
    assert is_aiohttps("https://10.0.0.1:6443")
    assert is_aiohttps("https://nemo.evaluation.svc")
    assert is_aiohttps("http://kube.test")


@pytest.mark.parametrize("scheme", ["http://", ""])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
async def test_a_request_is_sent_by_the_proxy(
    variable: str, scheme: str, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(saying(OK)) as server:
        monkeypatch.setenv(variable, server.url.replace("http://", f"{scheme}me:se%3Acret@"))
        async with client("http://evaluator.test", authority) as http:
            for _ in range(2):
                assert (await http.post("/a/%2E%2E/b%2Fc?q=1%2B1", json={})).json() == {}
    assert server.heads[0].startswith("POST http://evaluator.test/a/%2E%2E/b%2Fc?q=1%2B1 HTTP/1.1\r\n")
    assert all(f"Proxy-Authorization: {CREDENTIALS}\r\n" in head for head in server.heads)
    assert server.connections == 1


async def test_to_an_https_server_the_proxy_is_a_tunnel(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("evaluator.test").configure_cert(tls)
    async with (
        serving(saying(OK), tls=tls) as server,
        tunnelling(server.url.partition("://")[2]) as (proxy, heads),
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:se%3Acret@{proxy}")
        async with client("https://evaluator.test", authority) as http:
            for _ in range(2):
                assert (await http.post("/jobs", json={})).json() == {}
        async with client("https://other.test", authority) as http:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await http.post("/jobs", json={})
    assert [head.splitlines()[0] for head in heads] == [
        "CONNECT evaluator.test:443 HTTP/1.1",
        "CONNECT other.test:443 HTTP/1.1",
    ]
    assert f"Proxy-Authorization: {CREDENTIALS}\r\n" in heads[0]
    assert all("proxy-authorization" not in head.lower() for head in server.heads)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"garbage\r\n\r\n",
        None,
    ],
    ids=["407", "502", "garbage", "hangs up"],
)
async def test_without_a_tunnel_nothing_was_sent(
    answer: bytes | None, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(writer: asyncio.StreamWriter) -> None:
        if answer:
            writer.write(answer)
        writer.close()

    async with serving(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client("https://evaluator.test", authority) as http:
            with pytest.raises(httpx.ConnectError):
                await http.post("/jobs", json={})
    assert len(proxy.heads) == 1


async def test_a_tunnel_that_is_not_opened_in_time_sent_nothing(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(saying(b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client("https://evaluator.test", authority) as http:
            with pytest.raises(httpx.ConnectTimeout):
                await http.post("/jobs", json={}, timeout=0.1)


async def test_a_proxy_that_cannot_be_reached_sent_nothing(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(saying(OK)) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
    for url in ("http://evaluator.test", "https://evaluator.test"):
        async with client(url, authority) as http:
            with pytest.raises(httpx.ConnectError):
                await http.post("/jobs", json={})

"""httpx transport over aiohttp's connections, which need half the CPU of httpx's own.

httpx polls the socket of every idle connection before each request, and parses HTTP in Python.

`httpx-aiohttp` 0.2.0 does not replace this module: it raises ConnectTimeout for a connection that the server
closes after the request was sent, so that a job could be started twice. It also resolves `%2E%2E` in paths,
refuses URLs with credentials, and fails on a reason phrase that is not UTF-8.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from typing_extensions import override
from yarl import URL

__all__ = ["KEEPALIVE_SECONDS", "AiohttpTransport", "transport_to", "uses_proxy"]

KEEPALIVE_SECONDS: Final = 4.0
"""An idle connection is closed before the server does: uvicorn waits for 5 s. A request that meets a
connection at its end may have arrived or not."""

RESET_ON_CLOSE: Final = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Socket option by which unsent data is dropped when the connection is closed, also by the process' end."""

KERNEL_MARGIN_SECONDS: Final = 1.0
"""Seconds after a request's own time-out at which the kernel gives up what was not acknowledged."""

_connection_used: ContextVar[asyncio.Transport | None] = ContextVar("connection_used", default=None)
"""The connection of the current task's request, which aiohttp does not show where a request fails."""


def transport_to(server: str, context: ssl.SSLContext, *, connections: int) -> httpx.AsyncBaseTransport:
    """Return a transport with `connections` at most: httpx's own where the environment names a proxy.

    ConnectError and ConnectTimeout mean, as in httpx, that nothing of the request was sent.
    """
    if (proxy := _proxy_to(server)) is None:
        return AiohttpTransport(context, connections)
    limits = httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_SECONDS)
    return httpx.AsyncHTTPTransport(
        verify=context, proxy=proxy, limits=limits, socket_options=[RESET_ON_CLOSE]
    )


def uses_proxy(server: str) -> bool:
    """Return whether the environment names a proxy for requests to `server`."""
    return _proxy_to(server) is not None


def _proxy_to(server: str) -> str | None:
    url, proxies = urlsplit(server), getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A transport with so many connections at most.

    `context` is None where no URL is https. `resolver` resolves names, and is not used for addresses.
    """

    def __init__(
        self, context: ssl.SSLContext | None, connections: int, *, resolver: AbstractResolver | None = None
    ) -> None:
        self._context = context
        self._connections = connections
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = request.extensions["timeout"]
        pool, connect = seconds["pool"], seconds["connect"]
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=None if pool is None or connect is None else pool + connect,
            sock_connect=connect,
            sock_read=seconds["read"],
        )
        # Its credentials are in a header by now.
        url = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
        body = await request.aread() or None
        _connection_used.set(None)
        try:
            with _httpx_errors(request):
                response = await self._opened().request(
                    request.method,
                    # As it is: `%2E%2E`, a name, would become a way up.
                    URL(str(url), encoded=True),
                    headers=request.headers.multi_items(),
                    data=body,
                    allow_redirects=False,
                    timeout=timeout,
                )
        except BaseException:
            _abort(_connection_used.get())
            raise
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(request, response, _connection_used.get()),
            # aiohttp keeps bytes that are not UTF-8 as surrogates, which no other encoding takes.
            extensions={"reason_phrase": (response.reason or "").encode("utf-8", "surrogateescape")},
        )

    def _opened(self) -> aiohttp.ClientSession:
        # Not earlier: it belongs to the event loop that it was made in.
        if self._session is None:
            connector = _Connector(
                # Without a context, aiohttp takes its own for https: the public authorities.
                ssl=True if self._context is None else self._context,
                limit=self._connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                resolver=self._resolver,
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    @override
    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Connector(aiohttp.TCPConnector):
    """Leaves in `_connection_used` what a request is sent on."""

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            _connection_used.set(connection.transport)
            _limit_sending(connection.transport.get_extra_info("socket"), timeout.sock_read)
        return connection


def _limit_sending(connected: socket.socket, seconds: float | None) -> None:
    """Let the kernel send nothing after the end of a request, even if this process is frozen or killed.

    Its own limit is some 15 minutes, after which the process may long have been replaced.
    """
    connected.setsockopt(*RESET_ON_CLOSE)
    if seconds is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int((seconds + KERNEL_MARGIN_SECONDS) * 1000)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _abort(transport: asyncio.Transport | None) -> None:
    """Close a connection without sending what is left of a request, as closing it otherwise would."""
    if transport is not None:
        transport.abort()


class _Body(httpx.AsyncByteStream):
    def __init__(
        self, request: httpx.Request, response: aiohttp.ClientResponse, transport: asyncio.Transport | None
    ) -> None:
        self._request = request
        self._response = response
        self._transport = transport

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors(self._request):
            async for chunk in self._response.content.iter_any():
                yield chunk

    @override
    async def aclose(self) -> None:
        """A connection whose answer was read to its end is kept, another reset."""
        if not self._response.closed:
            self._response.close()
            _abort(self._transport)


@contextmanager
def _httpx_errors(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error), request=request) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise httpx.UnsupportedProtocol(str(error), request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.ReadError(str(error) or type(error).__name__, request=request) from error

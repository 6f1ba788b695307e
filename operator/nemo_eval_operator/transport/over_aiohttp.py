"""httpx transport over aiohttp's connections, which need half the CPU of httpx's own.

httpx polls the socket of every idle connection before each request, and parses HTTP in Python.

`httpx-aiohttp` 0.2.0 does not replace this module: it raises ConnectTimeout for a connection that the server
closes after the request was sent, so that a job could be started twice. It also resolves `%2E%2E` in paths,
refuses URLs with credentials, and fails on a reason phrase that is not UTF-8.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from typing_extensions import override
from yarl import URL

from .sending import KEEPALIVE_SECONDS, Connector, Sending, sending_now

__all__ = ["AiohttpTransport"]


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A transport with so many connections at most.

    `context` is None where no URL is https. `resolver` resolves names, and is not used for addresses.
    `proxy` is the URL of an HTTP proxy, which may hold credentials for it.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        connections: int,
        *,
        resolver: AbstractResolver | None = None,
        proxy: str | None = None,
    ) -> None:
        self._context = context
        self._connections = connections
        self._resolver = resolver
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._connector: Connector | None = None

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
        sending_now.set(None)
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
                    proxy=self._proxy,
                )
        except BaseException:
            if sending := sending_now.get():
                sending.give_up()
            raise
        return httpx.Response(
            response.status,
            headers=_without_location(response),
            stream=_Body(request, response, sending_now.get()),
            # aiohttp keeps bytes that are not UTF-8 as surrogates, which no other encoding takes.
            extensions={"reason_phrase": (response.reason or "").encode("utf-8", "surrogateescape")},
        )

    def _opened(self) -> aiohttp.ClientSession:
        # Not earlier: it belongs to the event loop that it was made in.
        if self._session is None:
            self._connector = Connector(
                # Without a context, aiohttp takes its own for https: the public authorities.
                ssl=True if self._context is None else self._context,
                limit=self._connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                resolver=self._resolver,
            )
            self._session = aiohttp.ClientSession(
                connector=self._connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    @override
    async def aclose(self) -> None:
        if self._session is not None and self._connector is not None:
            # Otherwise, closing waits until all of them is sent.
            self._connector.give_up()
            await self._session.close()


def _without_location(response: aiohttp.ClientResponse) -> Sequence[tuple[bytes, bytes]]:
    """Return the headers. Of a redirect, httpx builds the next request, and fails where it cannot."""
    if not HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
        return response.raw_headers
    return [header for header in response.raw_headers if header[0].lower() != b"location"]


class _Body(httpx.AsyncByteStream):
    def __init__(
        self, request: httpx.Request, response: aiohttp.ClientResponse, sending: Sending | None
    ) -> None:
        self._request = request
        self._response = response
        self._sending = sending

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
            if self._sending is not None:
                self._sending.give_up()


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

"""HTTP exchanges with the API server, straight over aiohttp's connections.

httpx builds, copies and parses objects of its own for each request, which was a tenth of the operator's CPU
in a burst. Where the environment names a proxy, `OverHttpx` makes the same exchanges by httpx, and tests pass
their scripted transports to it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
import httpx
from typing_extensions import override
from yarl import URL

from nemo_eval_operator.transport import KEEPALIVE_SECONDS

from .no_answer import no_answer

__all__ = ["HttpAnswer", "KubeHttp", "NotAnswered", "OverAiohttp", "OverHttpx", "Token", "TokenAuth"]

CONNECT_SECONDS: Final = 10.0

READ_SECONDS: Final = 30.0
"""Seconds without a byte of an answer; also those to wait for a free connection. The API server ends a plain
request after 60."""

CONNECTIONS: Final = 64
"""Half of what API priority and fairness gives a workload on a small server."""

TOKEN_SECONDS: Final = 5.0
"""Seconds for which a token is used before its source is read again, which costs more than a request. A token
that is refused is replaced at once."""

USER_AGENT: Final = "nemo-eval-operator"


class NotAnswered(Exception):
    """No complete answer came; whether the request arrived is unknown."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.cause = no_answer(error)


class HttpAnswer(Protocol):
    """An answer whose body is still to be read, either whole or in chunks, decompressed."""

    @property
    def status(self) -> int: ...

    @property
    def reason(self) -> str: ...

    @property
    def date(self) -> str:
        """The header Date: when the answer was made, by the server's clock."""
        ...

    async def read(self) -> bytes: ...

    def chunks(self) -> AsyncIterator[bytes]: ...


class KubeHttp(Protocol):
    """Makes requests to one API server, with its credentials, while it is entered as a context manager."""

    @property
    def server(self) -> str:
        """The API server's HOST:PORT, and that a proxy is used."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes | None = None
    ) -> AbstractAsyncContextManager[HttpAnswer]:
        """Make a request, and close its answer at the end of the block. `path` is percent-encoded.

        Raises NotAnswered, also for what fails while the answer is read inside the block.
        """
        ...


class Token:
    """The value of the Authorization header, read from `source` when it is TOKEN_SECONDS old."""

    def __init__(self, source: Callable[[], str | None]) -> None:
        self._source = source
        self._value: str | None = None
        self._stale_at = 0.0

    @property
    def is_kept(self) -> bool:
        """Return whether `current` would return the value that was read before."""
        return time.monotonic() < self._stale_at

    def current(self, *, renewed: bool = False) -> str | None:
        """Return the value; `renewed`: read it again in any case."""
        if renewed or not self.is_kept:
            self._value, self._stale_at = self._source(), time.monotonic() + TOKEN_SECONDS
        return self._value


class OverAiohttp:
    """`KubeHttp` over aiohttp. To be used as a context manager, in one event loop."""

    def __init__(self, server: str, context: ssl.SSLContext, token: Token) -> None:
        # Without user name and password, which Kubernetes does not know, and of which aiohttp makes a header.
        self._server = str(URL(server, encoded=True).with_user(None)).rstrip("/")
        self._context = context
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    @property
    def server(self) -> str:
        return _host_and_port(self._server)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._context, limit=CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=READ_SECONDS + CONNECT_SECONDS,
                sock_connect=CONNECT_SECONDS,
                sock_read=READ_SECONDS,
            ),
            headers={"User-Agent": USER_AGENT},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes | None = None
    ) -> AsyncIterator[HttpAnswer]:
        # As it is: `%2E%2E`, a name, would become a way up.
        url = URL(self._server + path, encoded=True)
        with _aiohttp_errors():
            kept = self._token.is_kept
            response = await self._request(method, url, headers, content, self._token.current())
            if kept and response.status == HTTPStatus.UNAUTHORIZED:
                response.close()
                token = self._token.current(renewed=True)
                response = await self._request(method, url, headers, content, token)
            try:
                yield _AiohttpAnswer(response)
            finally:
                # A connection whose answer was read to its end is kept, another closed.
                response.close()

    async def _request(
        self, method: str, url: URL, headers: Mapping[str, str], content: bytes | None, token: str | None
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("not entered as a context manager")
        sent = {**headers, "Authorization": token} if token else headers
        return await self._session.request(method, url, headers=sent, data=content, allow_redirects=False)


class _AiohttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.reason = response.reason or ""
        self.date = response.headers.get("Date", "")

    async def read(self) -> bytes:
        return await self._response.read()

    def chunks(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any().__aiter__()


@contextmanager
def _aiohttp_errors() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        # A TimeoutError is an OSError.
        raise NotAnswered(error) from error


def _host_and_port(server: str) -> str:
    """Return both of a URL, and nothing else of it."""
    url = URL(server, encoded=True)
    return f"{url.host_subcomponent}:{url.port}" if url.host else server


class OverHttpx:
    """`KubeHttp` over httpx, whose client brings the server's address and the authorization.

    `proxied`: the environment names a proxy, which may be what cannot be reached.
    """

    def __init__(self, client: httpx.AsyncClient, *, proxied: bool = False) -> None:
        self._client = client
        self._way = " through the proxy of the environment" if proxied else ""

    @property
    def server(self) -> str:
        return _host_and_port(str(self._client.base_url)) + self._way

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes | None = None
    ) -> AsyncIterator[HttpAnswer]:
        try:
            async with self._client.stream(method, path, headers=headers, content=content) as response:
                yield _HttpxAnswer(response)
        except httpx.HTTPError as error:
            raise NotAnswered(error) from error


class _HttpxAnswer:
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.reason = response.reason_phrase
        self.date = response.headers.get("Date", "")

    async def read(self) -> bytes:
        return await self._response.aread()

    def chunks(self) -> AsyncIterator[bytes]:
        return self._response.aiter_bytes()


class TokenAuth(httpx.Auth):
    """Authorization of httpx's requests by a token, which is replaced where it is refused."""

    def __init__(self, token: Token) -> None:
        self._token = token

    @override
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        kept = self._token.is_kept
        response = yield _authorized(request, self._token.current())
        if kept and response.status_code == HTTPStatus.UNAUTHORIZED:
            yield _authorized(request, self._token.current(renewed=True))


def _authorized(request: httpx.Request, token: str | None) -> httpx.Request:
    if token:
        request.headers["Authorization"] = token
    return request

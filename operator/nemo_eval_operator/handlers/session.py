"""Kopf's HTTP session, in which our kinds are listed and watched as tables (see `tables`)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, cast

import aiohttp
import kopf
from typing_extensions import override

from nemo_eval_operator.resources import GROUP, VERSION

from .tables import ACCEPT_TABLE, UnexpectedAnswer, read_events, read_list

__all__ = ["session_for"]

OUR_KINDS: Final = f"/apis/{GROUP}/{VERSION}/"

CHUNK_BYTES: Final = 64 * 1024

Absorbs = Callable[[str, Mapping[str, Any]], bool]
"""Receives the plural of a kind and an event of a list or watch; returns whether it needs no handler."""


def session_for(
    info: kopf.ConnectionInfo, context: ssl.SSLContext, *, absorbs: Absorbs
) -> kopf.AiohttpSession:
    """Return the session that Kopf would create from `info`, with tables, for the running event loop.

    `context` checks the server's certificate. Kopf's own knows no other name than the server's host.
    `absorbs` takes note of the objects and watch events that Kopf does not have to handle.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        headers=info.as_http_headers(),
        trust_env=bool(info.trust_env),
    )
    tables = cast("aiohttp.ClientSession", _TableSession(session, info, absorbs))
    return kopf.AiohttpSession(server=info.server, aiohttp_session=tables)


class _TableSession:
    """The part of a ClientSession that Kopf uses.

    Sessions with the same credentials are equal, so that Kopf notices a login without new credentials.
    """

    def __init__(self, session: aiohttp.ClientSession, info: kopf.ConnectionInfo, absorbs: Absorbs) -> None:
        self._session = session
        self._info = info
        self._absorbs = absorbs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TableSession) and self._info == other._info

    @override
    def __hash__(self) -> int:
        return hash(self._info)

    async def request(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> aiohttp.ClientResponse | _TableResponse:
        if method != "get" or OUR_KINDS not in url:
            return await self._session.request(method, url, headers=headers, **options)
        accept = {**(headers or {}), "Accept": ACCEPT_TABLE}
        response = await self._session.request(method, url, headers=accept, **options)
        return (
            response
            if response.status >= HTTPStatus.BAD_REQUEST
            else _TableResponse(response, partial(self._absorbs, _plural_in(url)))
        )


class _TableResponse:
    """The part of a successful ClientResponse that Kopf uses; `content` is the response itself."""

    def __init__(
        self, response: aiohttp.ClientResponse, absorbs: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        self._response = response
        self._absorbs = absorbs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    async def __aenter__(self) -> Self:
        await self._response.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._response.__aexit__(kind, error, traceback)

    @property
    def content(self) -> _TableResponse:
        return self

    async def json(self) -> Any:
        """A list's items, as far as Kopf has to handle them."""
        try:
            return await read_list(self._chunks(), absorbs=self._absorbs)
        except UnexpectedAnswer as error:
            raise aiohttp.ClientPayloadError(str(error)) from error

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """A watch's events, a line for each."""
        try:
            async for line in read_events(self._chunks(), absorbs=self._absorbs):
                yield line
                # One answer with many events must not keep others from their turn.
                await asyncio.sleep(0)
        except UnexpectedAnswer as error:
            raise aiohttp.ClientPayloadError(str(error)) from error

    async def _chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_chunked(CHUNK_BYTES):
            yield chunk
            # Nor must one chunk with many objects.
            await asyncio.sleep(0)


def _plural_in(url: str) -> str:
    """Return the last segment of a list's or a watch's path."""
    return url.partition("?")[0].rstrip("/").rpartition("/")[2]

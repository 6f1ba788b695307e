"""HTTP connections, spread over several pools.

For each request httpcore goes through all connections of its pool, and for each idle one through all again.
At 64 connections that takes longer than all else that a model call costs us.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from typing import Final

import httpx

__all__ = ["HttpClients", "open_http_clients"]

POOLS: Final = 16
"""A job has at most 128 calls under way, so a pool has about eight of them."""


class HttpClients:
    def __init__(self, clients: Sequence[httpx.AsyncClient]) -> None:
        self._clients = cycle(clients)

    def next(self) -> httpx.AsyncClient:
        return next(self._clients)


@asynccontextmanager
async def open_http_clients(
    *, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[HttpClients]:
    """`transport` is for tests: what models and remote datasets are reached through."""
    # No limits: how many calls are under way is each job's parallelism.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    # Made once: reading the certificate authorities takes as long as all else together.
    context = httpx.create_ssl_context()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, limits=limits, verify=context, follow_redirects=False)
            )
            for _ in range(POOLS)
        ]
        yield HttpClients(clients)

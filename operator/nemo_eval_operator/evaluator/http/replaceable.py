"""A transport that can be replaced, or switched off, while calls are under way."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx
from typing_extensions import override

__all__ = ["ClosedByOperator", "ReplaceableTransport"]

CLOSE_MARGIN_SECONDS: Final = 5.0
"""Beyond the longest call, before the connections of a transport that was replaced are closed."""


class ReplaceableTransport(httpx.AsyncBaseTransport):
    """Requests go by the current transport; what was begun by an earlier one ends there."""

    def __init__(self, current: httpx.AsyncBaseTransport, *, longest_call: float) -> None:
        self._current = current
        self._longest_call = longest_call
        self._leaving: dict[httpx.AsyncBaseTransport, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def replace(self, transport: httpx.AsyncBaseTransport) -> None:
        """From now on use `transport`; the one before is closed when no call can be using it."""
        before, self._current = self._current, transport
        delay = self._longest_call + CLOSE_MARGIN_SECONDS
        # A timer and no task: Kopf would wait for one at its end.
        self._leaving[before] = asyncio.get_running_loop().call_later(delay, self._close, before)

    def disable(self, reason: str) -> None:
        """Refuse every further request with an error that gives `reason`."""
        self.replace(_Disabled(reason))

    def _close(self, transport: httpx.AsyncBaseTransport) -> None:
        self._leaving.pop(transport)
        task = asyncio.get_running_loop().create_task(transport.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._current.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        for transport, timer in self._leaving.items():
            timer.cancel()
            await transport.aclose()
        self._leaving.clear()
        await self._current.aclose()


class ClosedByOperator(httpx.ConnectError):
    """The operator does not use this evaluator any more; the text says why."""


class _Disabled(httpx.AsyncBaseTransport):
    def __init__(self, reason: str) -> None:
        self._reason = reason

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise ClosedByOperator(self._reason, request=request)

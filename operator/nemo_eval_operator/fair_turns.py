"""Turns at a scarce resource, shared fairly by groups: one tenant's slow evaluator must not delay others."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["FairTurns"]


class FairTurns:
    """At most `limit` turns at a time, and one fewer for one group if `limit` allows it.

    Groups that wait have their turns one after another, however many callers wait in each.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limit_of_group = max(1, limit - 1)
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Callers that wait, by group; the first group that may have a turn gets it."""

    @asynccontextmanager
    async def turn(self, group: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        await self.acquire(group)
        try:
            yield
        finally:
            self.release(group)

    async def acquire(self, group: str) -> None:
        """Wait for a turn, which `release` has to end."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(group, deque()).append(turn)
        self._start_turns()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The turn began before the caller was cancelled.
                self.release(group)
            else:
                self._leave(group, turn)
            raise

    def release(self, group: str) -> None:
        """End a turn of the group."""
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]
        self._start_turns()

    def _start_turns(self) -> None:
        while self._held.total() < self._limit:
            group = next((name for name in self._waiting if self._held[name] < self._limit_of_group), None)
            if group is None:
                return
            callers = self._waiting[group]
            turn = callers.popleft()
            if callers:
                self._waiting.move_to_end(group)
            else:
                del self._waiting[group]
            if not turn.done():
                self._held[group] += 1
                turn.set_result(None)

    def _leave(self, group: str, turn: asyncio.Future[None]) -> None:
        """Forget a caller that was cancelled while it waited."""
        callers = self._waiting.get(group)
        if callers is not None and turn in callers:
            callers.remove(turn)
            if not callers:
                del self._waiting[group]

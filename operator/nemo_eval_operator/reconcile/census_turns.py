"""When the connections of a namespace may count their running jobs.

A count reads all jobs of the operator and those of the evaluator, and each edit of a connection's time-outs
or poll interval causes one. So a namespace has some counts in reserve, for its connections at a start of the
operator, and beyond them one in a while. Other namespaces do not wait for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CensusTurns"]

RESERVE: Final = 20
"""Counts that a namespace may make without a pause, after a while without any."""

REST_SECONDS: Final = 60.0
"""After which a namespace may make one more count."""


@dataclass(slots=True)
class _Account:
    left: float
    """Counts in reserve."""
    at: float
    """When that was true, by the event loop's clock."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    def refill(self, now: float) -> None:
        self.left, self.at = min(RESERVE, self.left + (now - self.at) / REST_SECONDS), now


class CensusTurns:
    """The counts that each namespace has in reserve."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    async def wait(self, namespace: str) -> None:
        """Return when a connection of this namespace may count."""
        clock = asyncio.get_running_loop()
        self._drop_full(clock.time())
        account = self._accounts.setdefault(namespace, _Account(RESERVE, clock.time()))
        account.waiting += 1
        try:
            async with account.lock:
                account.refill(clock.time())
                if account.left < 1:
                    await asyncio.sleep((1 - account.left) * REST_SECONDS)
                    account.refill(clock.time())
                account.left -= 1
        finally:
            account.waiting -= 1

    def _drop_full(self, now: float) -> None:
        """Forget the namespaces that have not counted for long."""
        for namespace, account in list(self._accounts.items()):
            account.refill(now)
            if not account.waiting and account.left >= RESERVE:
                del self._accounts[namespace]

"""Rate limit for recounts of running jobs by the connections of a namespace.

A count reads all jobs of the operator and those of the evaluator, and each edit of a connection's URL,
time-outs or poll interval causes one. So a namespace has some counts in reserve, and beyond them one in a
while. Other namespaces do not wait for it. After a start of the operator every connection that was there
before counts once without taking from the reserve; one that is created again has another uid and a later
time of creation, and takes from it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.resources import ObjectMeta

__all__ = ["RecountTurns"]

RESERVE: Final = 20
"""Counts that a namespace may make without a pause, after a while without any."""

FIRST_COUNTS: Final = 200
"""Connections of one namespace that count once after a start of the operator besides the reserve."""

REST_SECONDS: Final = 60.0
"""Seconds after which a namespace may make one more count."""


@dataclass(slots=True)
class _Account:
    left: float
    """Counts in reserve."""
    at: float
    """Time of that balance, by the event loop's clock."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    def refill(self, now: float) -> None:
        self.left, self.at = min(RESERVE, self.left + (now - self.at) / REST_SECONDS), now


class RecountTurns:
    """The counts that each namespace has in reserve; made when the operator starts to work."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._counted: dict[str, set[str]] = {}
        """Uids of the connections that have made their first count, by namespace."""
        self._accounts: dict[str, _Account] = {}

    async def wait(self, connection: ObjectMeta) -> None:
        """Return when this connection may count."""
        if self._is_first(connection):
            return
        clock = asyncio.get_running_loop()
        self._drop_full(clock.time())
        account = self._accounts.setdefault(connection.namespace, _Account(RESERVE, clock.time()))
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

    def _is_first(self, connection: ObjectMeta) -> bool:
        """Return whether this is the first count of a connection that is older than this start."""
        created = connection.creation_timestamp
        if created is None or created > self._started:
            return False
        counted = self._counted.setdefault(connection.namespace, set())
        if connection.uid in counted or len(counted) >= FIRST_COUNTS:
            return False
        counted.add(connection.uid)
        return True

    def _drop_full(self, now: float) -> None:
        """Forget the namespaces that have not counted for long."""
        for namespace, account in list(self._accounts.items()):
            account.refill(now)
            if not account.waiting and account.left >= RESERVE:
                del self._accounts[namespace]

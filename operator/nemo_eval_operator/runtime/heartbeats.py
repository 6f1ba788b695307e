"""Which loops are alive: each says by when it will be heard of again, and /healthz asks who is late.

A process whose poller hangs looks healthy from outside; here the loop itself has to say that it goes on.
"""

from __future__ import annotations

import time

__all__ = ["Heartbeat", "Heartbeats"]


class Heartbeat:
    """One loop's. At rest from the start, until its first beat."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._due: float | None = None

    def beat(self) -> None:
        """At work: the next sign of life comes within the limit."""
        self._due = time.monotonic() + self._limit

    def rest(self, seconds: float | None = None) -> None:
        """Nothing to do for so many seconds; None: until something happens."""
        self._due = None if seconds is None else time.monotonic() + seconds + self._limit

    @property
    def overdue(self) -> float:
        """Seconds since it should have been heard of; 0 where it is in time."""
        return 0.0 if self._due is None else max(0.0, time.monotonic() - self._due)


class Heartbeats:
    """All loops of one operator by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Heartbeat] = {}

    def add(self, name: str, *, limit: float) -> Heartbeat:
        """`limit`: seconds that one round of this loop may take, however bad the day."""
        self._by_name[name] = Heartbeat(limit)
        return self._by_name[name]

    def remove(self, name: str) -> None:
        """The loop of that name has ended as it should."""
        self._by_name.pop(name, None)

    def late(self) -> dict[str, float]:
        """The stuck loops, and for how many seconds each has been missed."""
        return {name: one.overdue for name, one in self._by_name.items() if one.overdue}

"""Heartbeats of the operator's loops: each reports when its next beat is due; a late one fails /healthz.

A process whose poller hangs looks healthy from outside, so the loop itself has to report progress.
"""

from __future__ import annotations

import time

__all__ = ["Heartbeat", "Heartbeats"]


class Heartbeat:
    """Heartbeat of one loop. It is idle until the first beat."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._due: float | None = None

    def beat(self) -> None:
        """Report work in progress: the next beat is due within the limit."""
        self._due = time.monotonic() + self._limit

    def rest(self, seconds: float | None = None) -> None:
        """Report that the loop is idle for `seconds`; None: until something happens."""
        self._due = None if seconds is None else time.monotonic() + seconds + self._limit

    @property
    def overdue(self) -> float:
        """Seconds since the next beat was due; 0 where it is not late."""
        return 0.0 if self._due is None else max(0.0, time.monotonic() - self._due)


class Heartbeats:
    """Heartbeats of all loops of one operator, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Heartbeat] = {}

    def add(self, name: str, *, limit: float) -> Heartbeat:
        """Return a new heartbeat; one round of the loop may take `limit` seconds, also under heavy load."""
        self._by_name[name] = Heartbeat(limit)
        return self._by_name[name]

    def remove(self, name: str) -> None:
        """Remove the heartbeat of a loop that has ended as intended."""
        self._by_name.pop(name, None)

    def late(self) -> dict[str, float]:
        """Return the stuck loops, and for how many seconds each is overdue."""
        return {name: one.overdue for name, one in self._by_name.items() if one.overdue}

"""Shares of workers: how many may be busy with the objects of one evaluator, of one namespace, and in total.

A reconciliation begins with reads from the Kubernetes API and may then call an evaluator, which can take as
long as that evaluator likes. The two kinds of work have separate budgets: a worker that calls an evaluator
does not count among those for first reads, and calls to the operator's own evaluator do not count among those
to connections. A namespace cannot keep the first call of another namespace from a worker.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

__all__ = ["FIRST_READS", "MAX_CONNECTION_CALLS", "OWN_LANE", "Shares", "group_of", "is_connection"]

FIRST_READS: Final = ""
"""The lane of objects of which is not known yet which evaluator they are about."""

OWN_LANE: Final = "own"
"""The lane of all objects about the operator's own evaluator; those of connections have a slash."""

MAX_CONNECTION_CALLS: Final = 192
"""Workers that may call evaluators of connections at the same time. Those beyond the number of NEMO_WORKERS
are kept for namespaces whose connections have no worker yet."""

LANE_SHARE: Final = 0.75
"""Share of a namespace's workers that one of its connections may use."""


class Shares:
    """Counts busy workers by lane, and decides where one more may start.

    A connection's lane is NAMESPACE/NAME; all lanes of one namespace share the bound `per_evaluator`. A lane
    without a slash is one evaluator's alone, with the same bound. None: no bound.
    """

    def __init__(self, *, workers: int | None = None, per_evaluator: int | None = None) -> None:
        self._workers = workers
        self._per_evaluator = per_evaluator
        self._lanes: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        self._reading: Counter[str] = Counter()
        """First reads by namespace."""
        self._reads = 0
        self._connection_calls = 0

    @property
    def loops(self) -> int:
        """Return how many workers can be busy at the same time. Raises ValueError where there is no bound."""
        if self._workers is None or self._per_evaluator is None:
            raise ValueError("the number of workers is not limited")
        return 2 * self._workers + self._per_evaluator + max(MAX_CONNECTION_CALLS, self._workers)

    def take(self, lane: str, namespace: str) -> None:
        """A worker starts on an object of this namespace in this lane."""
        self._count(lane, namespace, 1)

    def give_back(self, lane: str, namespace: str) -> None:
        """That worker is done with it, or goes on with it in another lane."""
        self._count(lane, namespace, -1)

    def may_read(self, namespace: str) -> bool:
        """Return whether one more object of the namespace may be read; its first also beyond NEMO_WORKERS."""
        if self._workers is None:
            return True
        return self._reads < (self._workers if self._reading[namespace] else 2 * self._workers)

    def may_call(self, lane: str) -> bool:
        """Return whether one more worker may call the evaluator of this lane."""
        if self._per_evaluator is None:
            return True
        if not is_connection(lane):
            return self._lanes[lane] < self._per_evaluator
        of_lane = max(1, int(self._per_evaluator * LANE_SHARE))
        return self._lanes[lane] < of_lane and self.has_room(group_of(lane))

    def has_room(self, group: str) -> bool:
        """Return whether one more worker may call any evaluator of this group."""
        if self._per_evaluator is None or self._workers is None or not is_connection(group):
            return True
        limit = self._workers if self._groups[group] else max(MAX_CONNECTION_CALLS, self._workers)
        return self._groups[group] < self._per_evaluator and self._connection_calls < limit

    def _count(self, lane: str, namespace: str, change: int) -> None:
        if lane == FIRST_READS:
            self._reads += change
            _add(self._reading, namespace, change)
            return
        self._connection_calls += change if is_connection(lane) else 0
        _add(self._lanes, lane, change)
        _add(self._groups, group_of(lane), change)


def group_of(lane: str) -> str:
    """Return the group of lanes that share a bound: a namespace, or the checks of its connections."""
    namespace, slash, name = lane.partition("/")
    return f"{namespace}/*" if slash and name else lane


def is_connection(lane: str) -> bool:
    """Return whether the lane or group belongs to connections, not to the operator's own evaluator."""
    return "/" in lane


def _add(counter: Counter[str], name: str, change: int) -> None:
    counter[name] += change
    if not counter[name]:
        del counter[name]

"""A queue of keys, all namespaces in turn, so that five thousand objects in one do not hold up the others."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from nemo_eval_operator.kube import ObjectKey

__all__ = ["FairQueue", "Rank"]

Rank = tuple[bool, int, str]
"""Order of one namespace's keys: the lower rank is first, and of equal ones the older key."""

MIN_COMPACTED: Final = 64
"""Entries of one namespace's heap before entries of keys that left the queue are dropped from it."""


class _Entry(NamedTuple):
    rank: Rank
    number: int
    key: ObjectKey


class FairQueue:
    """Each key once. Of a namespace's keys the one of the lowest rank has its turn first."""

    def __init__(self) -> None:
        self._namespaces: dict[str, list[_Entry]] = {}
        """A heap for each namespace; entries of keys that left the queue are skipped when reached."""
        self._compact_at: dict[str, int] = {}
        """Sizes of heaps at which entries of keys that left the queue are dropped."""
        self._turns: deque[str] = deque()
        self._slots: dict[ObjectKey, _Entry] = {}
        self._count = itertools.count()

    def put(self, key: ObjectKey, rank: Rank) -> None:
        """Add a key, or change its rank."""
        known = self._slots.get(key)
        if known is not None and known.rank == rank:
            return
        place = self._slots[key] = _Entry(rank, next(self._count), key)
        if key.namespace not in self._namespaces:
            self._namespaces[key.namespace] = []
            self._turns.append(key.namespace)
        heap = self._namespaces[key.namespace]
        heapq.heappush(heap, place)
        if len(heap) > self._compact_at.get(key.namespace, MIN_COMPACTED):
            self._compact(key.namespace)

    def pop(self, allowed: Callable[[str], bool] = lambda _: True) -> ObjectKey | None:
        """Remove and return the next key, of an `allowed` namespace; None where there is none."""
        for _ in range(len(self._turns)):
            namespace = self._turns[0]
            if not allowed(namespace):
                self._turns.rotate(-1)
                continue
            self._turns.popleft()
            heap = self._namespaces[namespace]
            while heap:
                place = heapq.heappop(heap)
                if self._slots.get(place.key) is place:
                    del self._slots[place.key]
                    self._turns.append(namespace)
                    return place.key
            del self._namespaces[namespace]
            self._compact_at.pop(namespace, None)
        return None

    def _compact(self, namespace: str) -> None:
        """Drop entries of keys that left the queue: they would pile up where no key is taken."""
        heap = [place for place in self._namespaces[namespace] if self._slots.get(place.key) is place]
        heapq.heapify(heap)
        self._namespaces[namespace] = heap
        self._compact_at[namespace] = max(MIN_COMPACTED, 2 * len(heap))

    def discard(self, key: ObjectKey) -> None:
        if self._slots.pop(key, None) and len(self._namespaces[key.namespace]) <= MIN_COMPACTED:
            self._compact(key.namespace)

    def holds_others_than(self, namespace: str) -> bool:
        """Return whether a key of another namespace is in the queue."""
        return any(other != namespace and self._waits(other) for other in self._turns)

    def _waits(self, namespace: str) -> bool:
        return any(self._slots.get(place.key) is place for place in self._namespaces[namespace])

    def in_order(self) -> Iterator[ObjectKey]:
        """Yield the keys in the order in which `pop` would return them."""
        lines = {
            namespace: iter(sorted(place for place in heap if self._slots.get(place.key) is place))
            for namespace, heap in self._namespaces.items()
        }
        turns = deque(self._turns)
        while turns:
            namespace = turns.popleft()
            place = next(lines[namespace], None)
            if place is not None:
                turns.append(namespace)
                yield place.key

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._slots

    def __len__(self) -> int:
        return len(self._slots)

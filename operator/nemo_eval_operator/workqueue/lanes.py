"""Keys that wait, by lane: groups of lanes take turns, and so do the lanes of a group."""

from __future__ import annotations

from collections import deque

from nemo_eval_operator.kube import ObjectKey

from .fair_queue import FairQueue, Rank
from .shares import FIRST_READS, Shares, group_of

__all__ = ["Lanes"]


class Lanes:
    """A queue for each lane; `shares` says from which of them a worker may take a key."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._lines: dict[str, FairQueue] = {}
        self._turns: deque[str] = deque()
        """Of the groups of lanes."""
        self._lanes_of: dict[str, deque[str]] = {}
        """The lanes of each group, in turn."""

    def put(self, key: ObjectKey, lane: str, rank: Rank) -> None:
        if lane not in self._lines:
            self._lines[lane] = FairQueue()
            group = group_of(lane)
            if group not in self._lanes_of:
                self._lanes_of[group] = deque()
                self._turns.append(group)
            self._lanes_of[group].append(lane)
        self._lines[lane].put(key, rank)

    def change_rank(self, key: ObjectKey, rank: Rank) -> None:
        """Give a key that waits another place in its lane."""
        for lane, line in self._lines.items():
            if key in line:
                self.put(key, lane, rank)
                return

    def has_first_reads_of_others(self, namespace: str) -> bool:
        """Return whether an object of another namespace waits for its first read."""
        first_reads = self._lines.get(FIRST_READS)
        return first_reads is not None and first_reads.holds_others_than(namespace)

    def pop(self) -> tuple[str, ObjectKey] | None:
        """Return the next key and its lane; None where those that wait are of lanes that are full."""
        for _ in range(len(self._turns)):
            group = self._turns[0]
            self._turns.rotate(-1)
            if self._shares.has_room(group) and (found := self._pop_of(group)):
                return found
        return None

    def _pop_of(self, group: str) -> tuple[str, ObjectKey] | None:
        lanes = self._lanes_of[group]
        for _ in range(len(lanes)):
            lane = lanes.popleft()
            line = self._lines[lane]
            if not line:
                del self._lines[lane]
                continue
            lanes.append(lane)
            if lane == FIRST_READS:
                key = line.pop(self._shares.may_read)
            else:
                key = line.pop() if self._shares.may_call(lane) else None
            if key is not None:
                return lane, key
        if not lanes:
            del self._lanes_of[group]
            self._turns.remove(group)
        return None

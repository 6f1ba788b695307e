"""How many jobs one evaluator runs at once, and who waits for a place.

What counts is what the objects say: a job whose submission was begun has a place until its status says
that it has ended. So the limit holds across restarts, once all objects were counted.
"""

from __future__ import annotations

import asyncio
from typing import Final

from nemo_eval_operator.heartbeats import Heartbeat
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle import Admitted, Counting, Queued, Turn, occupies, rounded_place
from nemo_eval_operator.resources import NemoEvalJob

from .fair_line import FairLine
from .objects import key_of
from .queue import WorkQueue

__all__ = ["Admission"]

TELL_SECONDS: Final = 10.0
"""Between two rounds that tell the waiting their places."""

TOLD_AT_ONCE: Final = 100
"""Jobs that are told a new place in one round: each costs a read and a write of its object."""


class Admission:
    """Places at one evaluator, `limit` of them; None: as many as are asked for."""

    def __init__(self, queue: WorkQueue, *, limit: int | None) -> None:
        self._queue = queue
        self._limit = limit
        self._counted = limit is None
        self._taken: set[ObjectKey] = set()
        self._line = FairLine()
        self._told: dict[ObjectKey, int] = {}
        """Places as the status of those in line tells them."""
        self._moved = asyncio.Event()

    @property
    def running(self) -> int:
        """Places that are taken."""
        return len(self._taken)

    @property
    def waiting(self) -> int:
        """Jobs in line."""
        return len(self._line)

    def allow(self, limit: int | None) -> None:
        """From now on so many places. Those who have one beyond that keep it until they have ended."""
        if limit == self._limit:
            return
        # Without a limit there was nothing to count for: everybody who was seen has a place by now.
        self._counted = self._counted or limit is None
        self._limit = limit
        self._call_up()

    def ask(self, job: NemoEvalJob) -> Turn:
        """A place for `job`, or one in line: then it is added to the work queue when there is news for it."""
        key, meta = key_of(job), job.metadata
        if key in self._taken or self._has_room():
            self._take(key)
            return Admitted()
        # Those applied in one second by their names, so that their order is the same after a restart.
        self._line.put(key, (False, -job.spec.priority, f"{meta.creation_timestamp} {meta.name}"))
        if (told := job.status.queue_position) is not None:
            self._told.setdefault(key, told)
        self._moved.set()
        if self._limit is None or not self._counted:
            return Counting()
        return Queued(self._told.setdefault(key, rounded_place(len(self._line))), self._limit)

    def note(self, job: NemoEvalJob) -> None:
        """Take note of a status that was read or written."""
        if occupies(job):
            self._take(key_of(job))

    def release(self, key: ObjectKey) -> None:
        """The job has ended, or will not be submitted now."""
        if key in self._taken:
            self._taken.discard(key)
            self._call_up()

    def leave(self, key: ObjectKey) -> None:
        """The job wants no place any more, not even in line."""
        self._line.discard(key)
        self._told.pop(key, None)
        self.release(key)

    def open(self) -> None:
        """All objects that have a place were noted."""
        self._counted = True
        self._call_up()

    async def run(self, heartbeat: Heartbeat) -> None:
        """Tell those in line how they move up, for ever."""
        while True:
            heartbeat.rest()
            await self._moved.wait()
            self._moved.clear()
            if self._counted:
                self._tell_places()
            heartbeat.rest(TELL_SECONDS)
            await asyncio.sleep(TELL_SECONDS)

    def _has_room(self) -> bool:
        return self._limit is None or (self._counted and len(self._taken) < self._limit)

    def _take(self, key: ObjectKey) -> None:
        self._line.discard(key)
        self._told.pop(key, None)
        self._taken.add(key)

    def _call_up(self) -> None:
        """Give the free places to the first in line."""
        while self._has_room() and (key := self._line.pop()) is not None:
            self._take(key)
            self._queue.add(key, urgent=True)
        self._moved.set()

    def _tell_places(self) -> None:
        """Those that were told nothing at once, of the others a bounded number."""
        told = 0
        for place, key in enumerate(self._line.in_order(), start=1):
            rounded, known = rounded_place(place), self._told.get(key)
            if rounded == known:
                continue
            told += known is not None
            if told > TOLD_AT_ONCE:
                self._moved.set()
                return
            self._told[key] = rounded
            self._queue.add(key)

"""Places for running jobs, and the line of those that wait for one."""

from __future__ import annotations

import asyncio
from typing import Final

from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle.job import (
    Admitted,
    Counting,
    Queued,
    Run,
    SlotDecision,
    occupies,
    rounded_position,
    run_of,
)
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.workqueue import FairQueue, WorkQueue

__all__ = ["Slots"]

SHOWN_AT_ONCE: Final = 100
"""Jobs whose new position is written in one round: each costs a read and a write of its object."""


class Slots:
    """Slots of one server, `limit` of them; None: no limit. No slot is given before `open` was called."""

    def __init__(self, queue: WorkQueue, *, limit: int | None) -> None:
        self._queue = queue
        self._limit = limit
        self._counted = limit is None
        self._taken: dict[ObjectKey, Run | None] = {}
        """Runs by object; another object of the same name is another job."""
        self._ended: dict[ObjectKey, Run] = {}
        """Runs that were seen to end before their objects' statuses say so."""
        self._kept: dict[str, Run] = {}
        """Runs without an object, by the name that Orphans gave to the slot."""
        self._line = FairQueue()
        self._shown: dict[ObjectKey, int] = {}
        """Queue positions as statuses show them."""
        self.moved = asyncio.Event()
        """Set when those in line may have moved up."""

    @property
    def taken(self) -> int:
        return len(self._taken) + len(self._kept)

    def holders(self) -> dict[ObjectKey, Run | None]:
        """The objects that have a slot, with their runs; None: not submitted."""
        return dict(self._taken)

    def kept(self) -> dict[str, Run]:
        """Runs that have a slot and no object, by the name with which `keep` was called."""
        return dict(self._kept)

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._taken

    def awaited_by(self, key: ObjectKey) -> bool:
        return key in self._line

    @property
    def in_line(self) -> int:
        return len(self._line)

    @property
    def is_limited(self) -> bool:
        return self._limit is not None

    def uid_of(self, key: ObjectKey) -> str | None:
        """Return the uid of the submitted object of this name that has a slot; None where there is none."""
        run = self._taken.get(key)
        return None if run is None else run.uid

    def allow(self, limit: int | None) -> None:
        """Set the number of slots. Jobs beyond it keep theirs until they have ended."""
        if limit == self._limit:
            return
        # Without a limit nothing was counted: every job that was seen has a slot by now.
        self._counted = self._counted or limit is None
        self._limit = limit
        self._call_up()

    def ask(self, job: NemoEvalJob) -> SlotDecision:
        """Return a slot for `job`, or its position in the queue; a change adds it to the work queue."""
        key, meta = key_of(job), job.metadata
        if key in self._taken or self._has_room():
            self.take(key, self._taken.get(key))
            return Admitted()
        # Those applied in one second by their names, so that their order is the same after a restart.
        self._line.put(key, (False, -job.spec.priority, f"{meta.creation_timestamp} {meta.name}"))
        if (shown := job.status.queue_position) is not None:
            self._shown.setdefault(key, shown)
        self.moved.set()
        if self._limit is None or not self._counted:
            return Counting()
        return Queued(self._shown.setdefault(key, rounded_position(len(self._line))), self._limit)

    def note(self, job: NemoEvalJob) -> None:
        """Take note of a status that was read or written."""
        if occupies(job) and self._ended.get(key_of(job)) != (run := run_of(job)):
            self.take(key_of(job), run)

    def take(self, key: ObjectKey, run: Run | None) -> None:
        """The object has a slot, whether one is free or not; `run` None: it is not submitted yet."""
        self.leave_line(key)
        self._taken[key] = run

    def leave_line(self, key: ObjectKey) -> None:
        self._line.discard(key)
        self._shown.pop(key, None)

    def release(self, key: ObjectKey) -> None:
        """The job has ended, or will not be submitted now."""
        if key in self._taken:
            del self._taken[key]
            self._call_up()

    def give_back(self, key: ObjectKey) -> None:
        """The job is not submitted now. One whose submission was begun keeps its slot."""
        if self._taken.get(key, key) is None:
            self.release(key)

    def end(self, key: ObjectKey, run: Run) -> None:
        """Free the slot of a run that has ended, independent of the object's status."""
        if self._taken.get(key) == run:
            self._ended[key] = run
            self.release(key)

    def end_job(self, key: ObjectKey, job_id: str) -> None:
        """The same of the run whose remote job this is."""
        run = self._taken.get(key)
        if run is not None and run.job_id == job_id:
            self.end(key, run)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone, or has its slot elsewhere."""
        self._ended.pop(key, None)
        self.leave_line(key)
        self.release(key)

    def keep(self, name: str, run: Run) -> None:
        """A run whose object is gone has a slot, whether one is free or not; `name` stands for it."""
        self._kept[name] = run

    def free(self, name: str) -> None:
        """That run has ended."""
        self._kept.pop(name, None)
        self._call_up()

    def open(self) -> None:
        """All that run were counted."""
        self._counted = True
        self._call_up()

    def queue_moved(self) -> None:
        """Queue the objects whose position changed: new ones at once, of the others a bounded number."""
        if not self._counted:
            return
        shown = 0
        for place, key in enumerate(self._line.in_order(), start=1):
            rounded, known = rounded_position(place), self._shown.get(key)
            if rounded == known:
                continue
            shown += known is not None
            if shown > SHOWN_AT_ONCE:
                self.moved.set()
                return
            self._shown[key] = rounded
            self._queue.add(key)

    def _has_room(self) -> bool:
        return self._limit is None or (self._counted and self.taken < self._limit)

    def _call_up(self) -> None:
        """Give the free slots to the first in the queue."""
        while self._has_room() and (key := self._line.pop()) is not None:
            self.take(key, None)
            self._queue.add(key, urgent=True)
        self.moved.set()

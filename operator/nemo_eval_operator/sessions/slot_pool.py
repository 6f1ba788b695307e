"""Pool of one evaluator's slots: how many jobs run at once, and which ones wait.

Objects decide: a job whose submission was begun has a slot until its status says that it has ended. So the
limit holds across restarts, once all objects were counted. A remote job whose object was deleted keeps its
slot too, until it has ended (`orphans`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import Admitted, Run, SlotDecision
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.workqueue import WorkQueue

from .slots import Slots

__all__ = ["SlotPool"]

TELL_SECONDS: Final = 10.0
"""Seconds between two updates of queue positions."""


class SlotPool:
    """Slots of one evaluator, `limit` of them; None: no limit.

    A job also needs one of the `shared` slots, where all connections to the same URL share a limit.
    """

    def __init__(self, queue: WorkQueue, *, limit: int | None, shared: Slots | None = None) -> None:
        self._queue = queue
        self._own = Slots(queue, limit=limit)
        self._shared = shared

    @property
    def shared(self) -> Slots | None:
        """Slots that all connections to the same URL share."""
        return self._shared

    @property
    def is_limited(self) -> bool:
        """Return whether a job may have to wait for a slot."""
        return self._own.is_limited or self._shared is not None

    @property
    def running(self) -> int:
        """Slots that are taken, by jobs that may be running."""
        return self._own.taken - self._waiting_for_shared()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._own.in_line + self._waiting_for_shared()

    def _waiting_for_shared(self) -> int:
        shared = self._shared
        return 0 if shared is None else sum(map(shared.awaited_by, self._own.holders()))

    def allow(self, limit: int | None, *, shared: Slots | None = None) -> None:
        """Set the number of slots. Jobs beyond it keep theirs until they have ended."""
        self._share(shared)
        self._own.allow(limit)

    def _share(self, shared: Slots | None) -> None:
        before, self._shared = self._shared, shared
        if shared is before:
            return
        for key, run in self._own.holders().items():
            if before is not None and before.awaited_by(key):
                # It has to request a slot again, of those that count now.
                self._queue.add(key)
            elif shared is not None:
                shared.take(key, run)
            if before is not None:
                before.forget(key)
        for name, run in self._own.kept().items():
            if before is not None:
                before.free(name)
            if shared is not None:
                shared.keep(name, run)
        self._own.moved.set()

    def ask(self, job: NemoEvalJob) -> SlotDecision:
        """Return a slot for `job`, or its position in the queue; a change adds it to the work queue."""
        turn = self._own.ask(job)
        return self._shared.ask(job) if isinstance(turn, Admitted) and self._shared else turn

    def note(self, job: NemoEvalJob) -> None:
        """Take note of a status that was read or written."""
        for slots in self._all():
            slots.note(job)

    def has(self, key: ObjectKey, uid: str) -> bool:
        """Return whether that object was submitted and has a slot, here or at another connection."""
        return any(slots.uid_of(key) == uid for slots in self._all())

    def uid_of(self, key: ObjectKey) -> str | None:
        """Return the uid of the submitted object of this name that has a slot; None where there is none."""
        return next((uid for slots in self._all() if (uid := slots.uid_of(key))), None)

    def release(self, key: ObjectKey) -> None:
        """The job has ended, or is not submitted now; one that waits for a shared slot keeps its own."""
        if self._shared is None or not self._shared.awaited_by(key):
            self._own.release(key)
        if self._shared is not None:
            self._shared.release(key)

    def give_back(self, key: ObjectKey) -> None:
        """The job is not submitted now. One whose submission was begun keeps its slot."""
        for slots in self._all():
            slots.give_back(key)

    def end(self, key: ObjectKey, job_id: str) -> None:
        """Free the slot of a remote job that has ended, independent of the object's status."""
        for slots in self._all():
            slots.end_job(key, job_id)

    def leave(self, key: ObjectKey) -> None:
        """Remove the job from the queue."""
        for slots in self._all():
            slots.leave_line(key)
            slots.release(key)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone, or another operator's."""
        for slots in self._all():
            slots.forget(key)

    def leave_for(self, key: ObjectKey, other: SlotPool) -> None:
        """Release the job's slot here: it has one at `other`, which may share the same slots."""
        for slots in self._all():
            if slots is not other.shared:
                slots.forget(key)

    def keep(self, name: str, run: Run, *, shared: bool = True) -> None:
        """A run whose object is gone has a slot, whether one is free or not; `name` stands for it.

        `shared`: one of the shared slots too.
        """
        for slots in self._all() if shared else (self._own,):
            slots.keep(name, run)

    def free(self, name: str) -> None:
        """That run has ended."""
        for slots in self._all():
            slots.free(name)

    def open(self) -> None:
        """Give slots from now on: all running jobs were counted. Shared slots are opened by themselves."""
        self._own.open()

    async def run(self, heartbeat: Heartbeat) -> None:
        """Write the queue positions of waiting jobs in rounds. Runs until cancelled."""
        while True:
            heartbeat.rest()
            await self._until_moved()
            for slots in self._all():
                slots.moved.clear()
                slots.queue_moved()
            heartbeat.rest(TELL_SECONDS)
            await asyncio.sleep(TELL_SECONDS)

    async def _until_moved(self) -> None:
        moves = [asyncio.ensure_future(slots.moved.wait()) for slots in self._all()]
        try:
            await asyncio.wait(moves, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for move in moves:
                move.cancel()
                with suppress(asyncio.CancelledError):
                    await move

    def _all(self) -> list[Slots]:
        return [self._own] if self._shared is None else [self._own, self._shared]

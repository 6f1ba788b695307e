"""Release of slots at the administrator's evaluator whose jobs have ended.

A tenant's connection to the administrator's evaluator takes slots of the administrator's limit. When its URL
or its credentials are changed while its jobs run, it no longer sees them end, and others would wait for these
slots. So a job that has a slot there and was not reported for a while is read by the operator's own client
too. A submission whose outcome is not looked up in time is looked for among the live jobs.

A slot that was given to a job which no worker comes to is given to the next one.

This frees slots only: status is written from what the object's own connection reports.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import JobSnapshot, Run
from nemo_eval_operator.runtime.heartbeats import Heartbeat

from .orphans import MarkedJobsCut, live_jobs
from .session import Evaluator
from .shared_slots import SharedSlots
from .slots import Slots
from .tracker import TrackedJob

__all__ = ["SlotWatch"]

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 15.0
"""Seconds between two checks of the slots that are taken."""

UNSEEN_SECONDS: Final = 60.0
"""Seconds without a report of a remote job, after which the operator's own client reads it too."""

COUNT_SECONDS: Final = 60.0
"""Least seconds between two reads of the evaluator's live jobs."""

UNUSED_SECONDS: Final = 60.0
"""Seconds in which a job that was given a slot has to be submitted: slow evaluators may delay its worker."""

SLOTS: Final = "slots"
"""Stands for a plural in the keys of the followed jobs."""

Holder = ObjectKey | str
"""An object that has a slot, or the name of a slot without an object."""


@dataclass(frozen=True, slots=True)
class _Slot:
    holder: Holder
    run: Run
    end: Callable[[], None]
    """Gives the slot back."""


class SlotWatch:
    """Watch of the slots of `own`, the operator's own evaluator; `evaluators` may share them.

    `slots` says which do. `settle` is how many seconds after a submission its job may still appear.
    """

    def __init__(
        self,
        own: Evaluator,
        evaluators: Iterable[Evaluator],
        *,
        slots: SharedSlots,
        cluster: str,
        settle: float,
        heartbeat: Heartbeat,
    ) -> None:
        self._own = own
        self._evaluators = evaluators
        self._slots = slots
        self._cluster = cluster
        self._settle = settle
        self._heartbeat = heartbeat
        self._uncertain: dict[Run, float] = {}
        """Submissions without a known job, and since when, by the event loop's clock."""
        self._unused: dict[ObjectKey, float] = {}
        """Jobs that were given a slot and are not submitted, and since when."""
        self._next_count = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._heartbeat.rest(LOOK_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)
            self._heartbeat.beat()
            await self.look()

    async def look(self) -> None:
        """Follow the jobs that were not reported for a while, and look for uncertain submissions."""
        slots = self._own.slot_pool.shared
        if slots is None:
            return
        self._give_back_unused(slots)
        taken = _taken(slots)
        seen = self._seen(slots)
        now = datetime.now(UTC)
        for slot in taken:
            if slot.run.job_id is None or (slot.holder, slot.run.job_id) in seen:
                continue
            # A status may be written by others: a time in the future must not put this off.
            if not timedelta() <= now - slot.run.since <= timedelta(seconds=UNSEEN_SECONDS):
                self._follow(slot, slot.run.job_id)
        await self._look_for_uncertain({slot.run: slot for slot in taken if slot.run.job_id is None})

    def _give_back_unused(self, slots: Slots) -> None:
        """A job whose slot is given back asks for one again when a worker has come to it."""
        now = asyncio.get_running_loop().time()
        unused = [key for key, run in slots.holders().items() if run is None]
        self._unused = {key: self._unused.get(key, now) for key in unused}
        for key, since in self._unused.items():
            if now - since > UNUSED_SECONDS:
                slots.give_back(key)

    def _seen(self, slots: Slots) -> set[tuple[Holder, str]]:
        """Slots, with their jobs, that the evaluator itself reported a short while ago.

        A connection's reports count for its own jobs only, and only if it leads to exactly this URL: what
        another path of the same host answers is not about jobs that run here.
        """
        since = asyncio.get_running_loop().time() - UNSEEN_SECONDS
        return {
            (_holder(evaluator, followed), followed.job_id)
            for evaluator in self._evaluators
            if evaluator.slot_pool.shared is slots and self._slots.leads_to_own(evaluator.used.url)
            for followed in evaluator.tracker
            # What the operator's own evaluator follows, its own client asks for already.
            if evaluator is self._own or (followed.seen_at is not None and followed.seen_at >= since)
        }

    def _follow(self, slot: _Slot, job_id: str) -> None:
        key = ObjectKey(SLOTS, slot.run.namespace, f"{slot.holder} {job_id}")
        if key in self._own.tracker:
            return
        logger.info("remote job %s was not reported for a while: it is followed for its slot", job_id)
        since = slot.run.since
        self._own.tracker.follow(key, job_id, JobSnapshot("active", None), since=since, on_end=slot.end)

    async def _look_for_uncertain(self, uncertain: dict[Run, _Slot]) -> None:
        now = asyncio.get_running_loop().time()
        self._uncertain = {run: self._uncertain.get(run, now) for run in uncertain}
        # Before that the job may still appear, and the object's own look-up comes first.
        settled = [
            run for run, since in self._uncertain.items() if now - since > self._settle + UNSEEN_SECONDS
        ]
        if not settled or now < self._next_count or self._own.breaker.outage is not None:
            return
        self._next_count = now + COUNT_SECONDS
        try:
            jobs = live_jobs(
                self._own.client, self._cluster, None, self._heartbeat, uids={run.uid for run in settled}
            )
            live = {mark.uid: remote.id async for remote, mark in jobs}
        except (EvaluatorError, MarkedJobsCut) as error:
            logger.warning("slots of uncertain submissions are not checked yet: %s", error)
            return
        for run in settled:
            if (job_id := live.get(run.uid)) is not None:
                self._follow(uncertain[run], job_id)
            else:
                uncertain[run].end()


def _holder(evaluator: Evaluator, followed: TrackedJob) -> Holder:
    """The slot's holder, of an object or of a remote job without one."""
    return followed.key if followed.on_end is None else evaluator.orphans.slot_of(followed.key)


def _taken(slots: Slots) -> list[_Slot]:
    """The slots of submitted jobs."""

    def end_of(key: ObjectKey, run: Run) -> Callable[[], None]:
        return lambda: slots.end(key, run)

    def free(name: str) -> Callable[[], None]:
        return lambda: slots.free(name)

    return [
        *(_Slot(key, run, end_of(key, run)) for key, run in slots.holders().items() if run is not None),
        *(_Slot(name, run, free(name)) for name, run in slots.kept().items()),
    ]

"""Recount of the jobs that run already, at the start: no job is submitted before it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.kube import KubeClient, KubeError
from nemo_eval_operator.lifecycle import Operation
from nemo_eval_operator.lifecycle.job import evaluator_of_record
from nemo_eval_operator.resources import NemoEvalJob, ObjectMeta
from nemo_eval_operator.runtime.backoff import pauses
from nemo_eval_operator.runtime.heartbeats import Heartbeat

from .job_lists import JobLists
from .recount_turns import RecountTurns
from .session import Evaluator
from .shared_slots import SharedSlots

__all__ = ["SlotRecount"]

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 1.0
MAX_RETRY_SECONDS: Final = 30.0

RECOUNT_SECONDS: Final = 10.0
"""Least seconds between two recounts: tenants can cause them by changing their connections."""

MAX_COUNTS: Final = 5
"""Attempts to compare the evaluator's jobs with the objects. An evaluator without a usable list of jobs must
not keep its users from it: then only what the objects say counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRecount:
    """Counts what runs at one evaluator, of the jobs of `lists`, which are in `namespaces` (none: all)."""

    kube: KubeClient
    lists: JobLists
    evaluator: Evaluator
    slots: SharedSlots
    turns: RecountTurns
    connection: ObjectMeta | None
    """Metadata of the connection that leads to the evaluator; None for the operator's own."""
    namespaces: Sequence[str]
    cluster: str
    settle: float
    """Seconds in which a submission whose outcome is not known may still become a job."""
    heartbeat: Heartbeat

    async def run(self) -> None:
        """Count and open the admission; again after an object vanished while it was submitted.

        And when limits are new. Runs until cancelled.
        """
        orphans, slot_pool = self.evaluator.orphans, self.evaluator.slot_pool
        while True:
            if slot_pool.is_limited:
                await self._until_turn()
                await self._count()
            self.heartbeat.rest()
            await orphans.until_wanted()
            await self._pause(self.settle if orphans.are_uncertain else RECOUNT_SECONDS)

    async def _until_turn(self) -> None:
        """Wait where a connection is edited all the time: each edit causes a count."""
        if self.connection is not None:
            self.heartbeat.rest()
            await self.turns.wait(self.connection)

    async def _count(self) -> None:
        slot_pool = self.evaluator.slot_pool
        await self._count_objects()
        await self._count_orphans()
        slot_pool.open()
        # A tenant's connection must not decide when the administrator's slots are counted.
        if slot_pool.shared is not None and self._counts_shared:
            slot_pool.shared.open()
        logger.info("%d jobs run already at %s", slot_pool.running, self.evaluator.used.url)

    @property
    def _counts_shared(self) -> bool:
        """Return whether this evaluator's list decides about shared slots.

        Those of the administrator's evaluator are counted by its own client alone, whichever connection its
        jobs were submitted by: another path of its host could list jobs that do not exist.
        """
        used = self.evaluator.used
        return used.connection is None or not self.slots.is_own(used.url)

    async def _count_objects(self) -> None:
        """Note every job that has a slot, here or at another connection to the same URL."""
        pause = pauses(first=FIRST_RETRY_SECONDS, longest=MAX_RETRY_SECONDS)
        while True:
            self.heartbeat.rest()
            try:
                await self.lists.note_each(self._note)
            except KubeError as error:
                logger.warning("running jobs are not counted yet, nothing is submitted: %s", error)
                await self._pause(next(pause))
            else:
                return

    def _note(self, job: NemoEvalJob) -> None:
        used, slot_pool = evaluator_of_record(job), self.evaluator.slot_pool
        if self.evaluator.has(job):
            slot_pool.note(job)
        elif used and slot_pool.shared is not None and self.slots.are_at(slot_pool.shared, used.url):
            slot_pool.shared.note(job)

    async def _count_orphans(self) -> None:
        pause = pauses(first=FIRST_RETRY_SECONDS, longest=MAX_RETRY_SECONDS)
        used, breaker = self.evaluator.used, self.evaluator.breaker
        for attempt in range(1, MAX_COUNTS + 1):
            self.heartbeat.rest()
            await breaker.until_reset()
            self.heartbeat.beat()
            try:
                await self.evaluator.orphans.count(
                    self.kube,
                    self.evaluator.client,
                    namespaces=self.namespaces,
                    cluster=self.cluster,
                    connection=used.connection,
                    shared=self._counts_shared,
                    heartbeat=self.heartbeat,
                )
            except (EvaluatorError, KubeError) as error:
                self.heartbeat.beat()
                if isinstance(error, EvaluatorError):
                    await breaker.record_failure(error, Operation.FIND_JOBS)
                logger.warning(
                    "%s: jobs without an object are not counted (attempt %d of %d): %s",
                    used.connection or used.url,
                    attempt,
                    MAX_COUNTS,
                    error,
                )
                await self._pause(next(pause))
            else:
                return
        self.evaluator.orphans.give_up()

    async def _pause(self, seconds: float) -> None:
        self.heartbeat.rest(seconds)
        await asyncio.sleep(seconds)

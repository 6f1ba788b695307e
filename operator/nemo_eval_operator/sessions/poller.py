"""The poller of one evaluator: reads the tracked jobs that are due, and queues those that have changed.

A list shows a thousand jobs at once, a GET one: the poller uses what takes fewer requests. A list updates
all tracked jobs on it, due or not, so that jobs that were read together are due together. A job that is due
and not on the lists of live states is read with a GET.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient, ListedJob
from nemo_eval_operator.evaluator.model import EvaluatorError, Missing, RemoteJob
from nemo_eval_operator.lifecycle import BreakerAction, Operation, meaning_of
from nemo_eval_operator.lifecycle.job import RemoteGone, poll_seconds, rest_seconds
from nemo_eval_operator.runtime.backoff import spread
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.workqueue import WorkQueue

from .circuit_breaker import CircuitBreaker
from .job_lister import FALLBACK_SECONDS, JobLister
from .tracker import JobTracker, TrackedJob

__all__ = ["Poller"]

logger = logging.getLogger(__name__)

MAX_CONCURRENT_GETS: Final = 8

TOGETHER: Final = 0.5
"""Part of the fast interval by which reads are brought forward, so that one list serves many."""

PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
"""Seconds after a sweep whose answer cannot be used: the jobs stay due."""

MAX_DOUBLINGS: Final = 5
"""Doublings of the interval of a job that alone cannot be read or found: at most 32 times as long."""


class Poller:
    """Reads each tracked job at its own interval, `interval` seconds at least; idle while there is none."""

    def __init__(
        self,
        *,
        evaluator: EvaluatorClient,
        tracker: JobTracker,
        queue: WorkQueue,
        breaker: CircuitBreaker,
        interval: float,
        heartbeat: Heartbeat,
        metrics: Metrics,
        fallback: float = FALLBACK_SECONDS,
        lane: str | None = None,
    ) -> None:
        self._lane = lane
        self._metrics = metrics
        self._evaluator = evaluator
        self._tracker = tracker
        self._queue = queue
        self._breaker = breaker
        self._interval = interval
        self._heartbeat = heartbeat
        self._jitter = 1.0
        """One for all jobs of a sweep, so that they stay together."""
        self._rested_at = 0.0
        """When the next sweep may begin, by the event loop's clock."""
        self._failed: list[tuple[TrackedJob, EvaluatorError]] = []
        """Jobs of the last sweep that could not be observed, and why."""
        self._lister = JobLister(
            evaluator=evaluator,
            tracker=tracker,
            heartbeat=heartbeat,
            report=self._report_listed,
            fallback=fallback,
        )

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self._until_rested()
            await self._until_due()
            self._heartbeat.rest()
            await self._breaker.until_reset()
            self._heartbeat.beat()
            if pause := await self.try_to_sweep():
                self._heartbeat.rest(pause)
                await asyncio.sleep(pause)

    async def try_to_sweep(self) -> float:
        """Sweep once, and return the seconds to wait until the next time: 0 unless nothing was answered."""
        pause = 0.0
        try:
            await self.poll()
        except EvaluatorError as error:
            self._heartbeat.beat()
            await self._breaker.record_failure(error, Operation.POLL_JOBS)
            pause = self._interval
            if meaning_of(error, Operation.POLL_JOBS).breaker is BreakerAction.LEAVE:
                logger.warning("poll failed, next one in %.0f s: %s", PAUSE_AFTER_FAILURE_SECONDS, error)
                pause = PAUSE_AFTER_FAILURE_SECONDS
        self._report_unclear()
        return pause

    async def _until_rested(self) -> None:
        """Wait until the pause after the last list is over, so that lists take a small share of the time."""
        pause = self._rested_at - asyncio.get_running_loop().time()
        if pause > 0:
            self._heartbeat.rest(pause)
            await asyncio.sleep(pause)

    async def _until_due(self) -> None:
        while True:
            due, now = self._tracker.next_due(), asyncio.get_running_loop().time()
            if due is not None and due <= now:
                return
            wait = None if due is None else due - now
            self._heartbeat.rest(wait)
            await self._tracker.until_changed(wait)
            # Jobs that become due at nearly the same time share a list.
            await asyncio.sleep(min(self._interval, 1.0) * TOGETHER)

    async def poll(self) -> None:
        """Read every job that is due once. Raises EvaluatorError where the evaluator does not answer."""
        self._metrics.poll_cycle()
        self._jitter = spread(1.0)
        self._lister.restore()
        due = self._due()
        listed = await self._lister.list_live(due) if self._lister.is_cheaper(len(due)) else set()
        self._rested_at = asyncio.get_running_loop().time() + rest_seconds(len(listed))
        self._heartbeat.beat()
        await self._get_each([job for job in due if job.job_id not in listed], alone=not listed)

    def _due(self) -> list[TrackedJob]:
        """Return the jobs to read. One that has ended is read later while its results are being stored."""
        due = self._tracker.due(asyncio.get_running_loop().time() + self._interval * TOGETHER)
        now = list[TrackedJob]()
        for job in due:
            if job.ended and self._queue.is_at_work(job.key):
                self._tracker.schedule(job, self._pace)
            else:
                now.append(job)
        return now

    async def _get_each(self, jobs: Sequence[TrackedJob], *, alone: bool) -> None:
        """Read each; one that cannot be read is put off.

        Raises the first error where nothing has answered, neither these nor (not `alone`) the lists.
        """
        failed: list[tuple[TrackedJob, EvaluatorError]] = []
        left = iter(jobs)
        answered = not alone

        async def get_some() -> None:
            nonlocal answered
            for followed in left:
                try:
                    await self._get(followed)
                    answered = True
                except EvaluatorError as error:
                    failed.append((followed, error))
                    if error.status_code is None:
                        # No answer took a whole time-out: this task makes no further requests in this sweep.
                        return
                finally:
                    self._heartbeat.beat()

        # A few tasks, not one for each job: thousands may end at once.
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(MAX_CONCURRENT_GETS, len(jobs))):
                tasks.create_task(get_some())
        self._failed = failed
        if failed and not answered and len(failed) == len(jobs):
            raise failed[0][1]
        for followed, error in failed:
            logger.warning("not asked for: %s", error)
            followed.failures += 1
            self._tracker.schedule(followed, self._pace)
        if failed and not answered:
            raise failed[0][1]

    def _report_unclear(self) -> None:
        """Let the objects say that their remote jobs could not be observed, unless the evaluator is away."""
        failed, self._failed = self._failed, []
        if self._breaker.outage is not None:
            return
        for followed, error in failed:
            unclear = meaning_of(error, Operation.READ_JOB).reason is not None
            if unclear and self._tracker.report_unclear(followed, error.detail):
                self._queue.add(followed.key, urgent=True, lane=self._lane)

    async def _get(self, followed: TrackedJob) -> None:
        try:
            self._report(followed, await self._evaluator.about(followed.key).get_job(followed.job_id))
        except Missing:
            self._report(followed, RemoteGone())

    def _report_listed(self, followed: TrackedJob, listed: ListedJob, now: float) -> None:
        """Report a job on a list; it is read only where its state is not what the object's status shows."""
        if self._tracker.note_unchanged(followed, listed.state, now):
            followed.failures = 0
            followed.due = now + self._pace(followed)
        else:
            self._report(followed, listed.read())

    def _report(self, followed: TrackedJob, remote: RemoteJob | RemoteGone) -> None:
        followed.failures = 0
        self._tracker.schedule(followed, self._pace)
        if isinstance(remote, RemoteJob):
            self._lister.observe_clock(followed, remote)
        if self._tracker.report(followed, remote):
            self._queue.add(followed.key, urgent=True, lane=self._lane)

    def _pace(self, followed: TrackedJob) -> float:
        seconds = poll_seconds(
            datetime.now(UTC) - followed.since,
            followed.seen.percent,
            fast=self._interval,
            override=followed.every,
        )
        # It is still polled after two answers that it does not exist if it may be at another address.
        doublings = max(followed.failures, followed.missed - 2)
        return seconds * self._jitter * (1 << max(0, min(doublings, MAX_DOUBLINGS)))

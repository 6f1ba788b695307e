"""The one poller: asks the evaluator about the followed jobs that are due, and queues those with news.

A list answers for a thousand jobs at once, a GET for one: what costs fewer requests is taken. What a list
says is used for all that are on it, due or not, so that those who were seen together are due together. A job
that is due and no longer on the lists of the live states is asked for by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
    LIVE_STATES,
    EvaluatorError,
    Malformed,
    Missing,
    Oversized,
    Rejected,
    RemoteJob,
)
from nemo_eval_operator.lifecycle import BreakerAction, Operation, meaning_of
from nemo_eval_operator.lifecycle.job import RemoteGone, poll_seconds, rest_seconds
from nemo_eval_operator.runtime.backoff import spread
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.workqueue import WorkQueue

from .circuit_breaker import CircuitBreaker
from .tracker import JobTracker, TrackedJob

__all__ = ["Poller"]

logger = logging.getLogger(__name__)

PAGE_SIZES: Final = (1000, 100, 10)
"""Jobs asked for at once. The next is taken once the evaluator has refused a page, or one was too large."""

FEW_JOBS: Final = 8
"""Up to here single GETs are cheaper than one list for each live state."""

MAX_CONCURRENT_GETS: Final = 8

TOGETHER: Final = 0.5
"""The part of the fast interval by which looks are brought forward, so that one list serves many."""

CLOCK_SLACK: Final = timedelta(seconds=10)
"""What two clocks may drift apart in a while; our times have whole seconds."""

PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
"""Where the answer to a sweep cannot be used: the jobs stay due."""

MAX_BEHIND: Final = timedelta(hours=25)
"""A day and an hour: a time without a zone may be any zone's. Beyond that, what is missed costs a GET."""

FALLBACK_SECONDS: Final = 600.0
"""After which full pages and filters are tried again: what spoilt them may be gone."""

SIGNS_OF_NO_FILTER: Final = 2
"""Sweeps in a row. A job may end between the server's look and its answer, once."""

MAX_DOUBLINGS: Final = 5
"""Of the interval of a job that alone cannot be asked for: at most 32 times as long."""


class Poller:
    """Looks at each followed job in its own rhythm, `interval` seconds at the fastest; idle while none is."""

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
    ) -> None:
        self._fallback = fallback
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
        self._page_size = PAGE_SIZES[0]
        self._live_jobs = 0
        """On the lists of the live states, when they were last read to the end."""
        self._filters = True
        """Whether the evaluator heeds filter[status]."""
        self._unfiltered = 0
        """Sweeps in a row in which it did not seem to."""
        self._restore_at = 0.0
        """When to forget that pages or filters did not work, by the event loop's clock."""
        self._failed: list[tuple[TrackedJob, EvaluatorError]] = []
        """Jobs of the last sweep that could not be observed, and why."""
        self._behind: timedelta | None = None
        """How far the evaluator's clock is behind ours at most, judged by the jobs that were seen."""

    async def run(self) -> None:
        """Poll for ever."""
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
        """However much there is to follow, most of the time is for something else."""
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
            # Those that come together are looked at together.
            await asyncio.sleep(min(self._interval, 1.0) * TOGETHER)

    async def poll(self) -> None:
        """Ask once about every job that is due. Raises EvaluatorError where the evaluator does not answer."""
        self._metrics.poll_cycle()
        self._jitter = spread(1.0)
        self._restore()
        due = self._tracker.due(asyncio.get_running_loop().time() + self._interval * TOGETHER)
        listed = await self._list_live(due) if len(due) > self._requests_of_a_list() else set()
        self._rested_at = asyncio.get_running_loop().time() + rest_seconds(len(listed))
        self._heartbeat.beat()
        await self._get_each([job for job in due if job.job_id not in listed], alone=not listed)

    def _requests_of_a_list(self) -> int:
        """At least; the number of followed jobs stands in for those that a list was not read for yet."""
        lists = len(LIVE_STATES) if self._filters else 1
        jobs = max(self._live_jobs, len(self._tracker))
        return max(FEW_JOBS, lists + jobs // self._page_size)

    async def _list_live(self, due: Sequence[TrackedJob]) -> set[str]:
        """Report all live jobs that are followed, due or not, as each page comes; the ids that were listed.

        Where this server's lists cannot be used, as far as they could.
        """
        oldest = self._oldest(due)
        listed: set[str] = set()
        while True:
            try:
                await self._read_lists(oldest, listed)
            except (Oversized, Rejected) as error:
                if self._take_smaller_pages(error):
                    continue
                return listed
            except Malformed as error:
                logger.warning("jobs are asked for one by one, their list cannot be used: %s", error)
                return listed
            if oldest is None:
                self._live_jobs = len(listed)
            return listed

    async def _read_lists(self, oldest: datetime | None, listed: set[str]) -> None:
        """Report what is listed, and add it to `listed`."""
        followed: dict[str, list[TrackedJob]] = {}
        for job in self._tracker:
            followed.setdefault(job.job_id, []).append(job)
        ended = False
        # A job that is being cancelled is on none of these lists, and asked for by itself.
        for state in LIVE_STATES:
            self._heartbeat.beat()
            async for remote in self._list(oldest, state):
                listed.add(remote.id)
                for job in followed.get(remote.id, ()):
                    self._report(job, remote)
                ended = ended or remote.is_terminal
            if not self._filters:
                return
            if ended and self._unfiltered + 1 >= SIGNS_OF_NO_FILTER:
                break
        self._judge_filters(heeded=not ended)

    def _list(self, created_since: datetime | None, state: str) -> AsyncIterator[RemoteJob]:
        status = state if self._filters else None
        return self._evaluator.list_jobs(
            created_since=created_since,
            status=status,
            page_sizes=(self._page_size,),
            on_page=self._heartbeat.beat,
        )

    def _take_smaller_pages(self, error: EvaluatorError) -> bool:
        """False where there are none: jobs are asked for one by one."""
        smaller = next((size for size in PAGE_SIZES if size < self._page_size), None)
        if smaller is None:
            return False
        logger.warning("no pages of %d jobs, so pages of %d: %s", self._page_size, smaller, error)
        self._page_size = smaller
        self._restore_at = asyncio.get_running_loop().time() + self._fallback
        return True

    def _judge_filters(self, *, heeded: bool) -> None:
        self._unfiltered = 0 if heeded else self._unfiltered + 1
        if self._unfiltered >= SIGNS_OF_NO_FILTER:
            logger.warning("the evaluator ignores filter[status]: its list of all jobs is read instead")
            self._filters = False
            self._restore_at = asyncio.get_running_loop().time() + self._fallback

    def _restore(self) -> None:
        if asyncio.get_running_loop().time() >= self._restore_at:
            self._page_size, self._filters = PAGE_SIZES[0], True

    def _oldest(self, due: Sequence[TrackedJob]) -> datetime | None:
        """When by the evaluator's clock the oldest of them was created, or earlier; None: cannot be told.

        What was not seen yet is judged by how far that clock was behind ours for others. A wrong guess
        costs a GET for the job that it misses.
        """
        if self._behind is None and any(followed.created_at is None for followed in due):
            return None
        behind = (self._behind or timedelta()) + CLOCK_SLACK
        return min(followed.created_at or followed.since - behind for followed in due)

    async def _get_each(self, jobs: Sequence[TrackedJob], *, alone: bool) -> None:
        """Ask for each; one that cannot be asked for is put off.

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
                        # Silence takes its time: who has met it asks no more in this sweep.
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
                self._queue.add(followed.key, urgent=True)

    async def _get(self, followed: TrackedJob) -> None:
        try:
            self._report(followed, await self._evaluator.about(followed.key).get_job(followed.job_id))
        except Missing:
            self._report(followed, RemoteGone())

    def _report(self, followed: TrackedJob, remote: RemoteJob | RemoteGone) -> None:
        followed.failures = 0
        self._tracker.schedule(followed, self._pace)
        if isinstance(remote, RemoteJob) and remote.created_at is not None:
            behind = min(followed.since - remote.created_at, MAX_BEHIND)
            self._behind = behind if self._behind is None else max(self._behind, behind)
        if self._tracker.report(followed, remote):
            self._queue.add(followed.key, urgent=True)

    def _pace(self, followed: TrackedJob) -> float:
        seconds = poll_seconds(
            datetime.now(UTC) - followed.since,
            followed.seen.percent,
            fast=self._interval,
            override=followed.every,
        )
        return seconds * self._jitter * (1 << min(followed.failures, MAX_DOUBLINGS))

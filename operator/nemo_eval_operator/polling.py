"""The one poller: asks the evaluator about all followed jobs and queues those with news.

Few jobs are asked for one by one; many by listing the states that are not terminal,
a page for a hundred jobs, with one GET for each job that is no longer on them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Final

from .evaluator import EvaluatorClient, EvaluatorError, Malformed, Missing, Rejected, RemoteJob
from .lifecycle import RemoteGone
from .reconcile import EvaluatorGate, Followed, Following, WorkQueue

__all__ = ["Poller"]

logger = logging.getLogger(__name__)

LIVE_STATES: Final = ("created", "pending", "running")
"""Those that NeMo's documentation lists for filter[status]; a cancelling job is asked for by itself."""

FEW_JOBS: Final = 8
"""Up to here single GETs are cheaper than one list for each live state."""

MAX_CONCURRENT_GETS: Final = 8


class Poller:
    """Sweeps all followed jobs every `interval` seconds, with jitter; idle while none is followed."""

    def __init__(
        self,
        *,
        evaluator: EvaluatorClient,
        following: Following,
        queue: WorkQueue,
        gate: EvaluatorGate,
        interval: float,
    ) -> None:
        self._evaluator = evaluator
        self._following = following
        self._queue = queue
        self._gate = gate
        self._interval = interval
        self._gets = asyncio.Semaphore(MAX_CONCURRENT_GETS)

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await self._following.until_some()
            await self._gate.until_open()
            try:
                await self.sweep()
            except (Malformed, Rejected) as error:
                logger.warning("poll failed, next one in %.0f s: %s", self._interval, error)
            except EvaluatorError as error:
                await self._gate.close_if_unreachable(error)
            await asyncio.sleep(self._interval * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load

    async def sweep(self) -> None:
        """Ask once about every followed job. Raises EvaluatorError where the evaluator does not answer."""
        followed = self._following.all()
        listed = await self._list_live() if len(followed) > FEW_JOBS else {}
        unlisted = [job for job in followed if job.job_id not in listed]
        for job in followed:
            if job.job_id in listed:
                self._report(job, listed[job.job_id])
        await self._get_each(unlisted)

    async def _list_live(self) -> dict[str, RemoteJob]:
        """Live jobs by id; empty where this server's lists cannot be used."""
        try:
            return {
                remote.id: remote
                for state in LIVE_STATES
                async for remote in self._evaluator.list_jobs(status=state)
            }
        except (Malformed, Rejected) as error:
            logger.warning("jobs are asked for one by one, their list cannot be used: %s", error)
            return {}

    async def _get_each(self, jobs: Sequence[Followed]) -> None:
        """Raises the first error where no job could be asked for; a single broken one is only logged."""
        outcomes = await asyncio.gather(*map(self._get, jobs), return_exceptions=True)
        errors = [outcome for outcome in outcomes if outcome is not None]
        if errors and len(errors) == len(jobs):
            raise errors[0]
        for error in errors:
            logger.warning("not asked for: %s", error)

    async def _get(self, followed: Followed) -> None:
        async with self._gets:
            try:
                self._report(followed, await self._evaluator.get_job(followed.job_id))
            except Missing:
                self._report(followed, RemoteGone())

    def _report(self, followed: Followed, remote: RemoteJob | RemoteGone) -> None:
        if self._following.report(followed, remote):
            self._queue.add(followed.key)

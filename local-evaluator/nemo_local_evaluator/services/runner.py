"""Pool of workers: runs jobs in the order of their creation.

created -> pending (queued) -> running -> completed | failed; a cancel leads to cancelled, through cancelling
where work is under way. The database is the only memory: after a crash and after an orderly stop alike,
`start` finds what was queued and takes it up, and finds what was running and declares it lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nemo_local_evaluator.evaluations import Observer, Outcome, Progress
from nemo_local_evaluator.storage import Artifacts, JobArtifacts, JobStore, StoredJob
from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.schemas import JobStatus

from .results import new_result

__all__ = ["CANCELLED_MESSAGE", "LOST_MESSAGE", "RUNNING_MESSAGE", "Runner", "Work"]

RUNNING_MESSAGE: Final = "Job is running"
CANCELLED_MESSAGE: Final = "Job was cancelled."
LOST_MESSAGE: Final = "The server was restarted while the job was running."

Work = Callable[[StoredJob, Observer], Awaitable[Outcome]]
"""Evaluates a job."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Run:
    task: asyncio.Task[Outcome]
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class Runner:
    def __init__(self, *, jobs: JobStore, artifacts: Artifacts, work: Work, workers: int) -> None:
        self._jobs = jobs
        self._artifacts = artifacts
        self._work = work
        self._size = workers
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._runs: dict[str, _Run] = {}
        self._workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for job in self._jobs.with_status(JobStatus.RUNNING):
            self._jobs.move(job.id, JobStatus.FAILED, message=LOST_MESSAGE)
        for job in self._jobs.with_status(JobStatus.CANCELLING):
            self._jobs.move(job.id, JobStatus.CANCELLED, message=CANCELLED_MESSAGE)
        for job in self._jobs.with_status(JobStatus.CREATED, JobStatus.PENDING):
            self.submit(job.id)
        self._workers = [asyncio.create_task(self._serve()) for _ in range(self._size)]

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def submit(self, job_id: str) -> None:
        self._jobs.move(job_id, JobStatus.PENDING)
        self._queue.put_nowait(job_id)

    def cancel(self, job: StoredJob) -> None:
        if job.status.terminal:
            return
        if run := self._runs.get(job.id):
            self._jobs.move(job.id, JobStatus.CANCELLING)
            run.task.cancel()
        else:
            self._jobs.move(job.id, JobStatus.CANCELLED, message=CANCELLED_MESSAGE)

    async def settled(self, job_id: str) -> None:
        """Returns when nothing works on the job any more."""
        if run := self._runs.get(job_id):
            await run.settled.wait()

    async def _serve(self) -> None:
        while True:
            job = self._jobs.get(await self._queue.get())
            # Cancelled or deleted while it waited.
            if job is None or job.status is not JobStatus.PENDING:
                continue
            self._jobs.move(job.id, JobStatus.RUNNING, message=RUNNING_MESSAGE, progress=0.0)
            run = _Run(asyncio.create_task(self._evaluate(job)))
            self._runs[job.id] = run
            try:
                await asyncio.wait({run.task})
                self._settle(job, run.task)
            except Exception as error:
                # What cannot be kept fails its job, and must not take a worker with it.
                logger.exception("the outcome of job %s cannot be kept", job.id)
                with contextlib.suppress(sqlite3.Error):
                    self._jobs.move(job.id, JobStatus.FAILED, message=f"Internal error: {error!r}")
            finally:
                run.task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await run.task
                del self._runs[job.id]
                run.settled.set()

    async def _evaluate(self, job: StoredJob) -> Outcome:
        with self._artifacts.of_run(job.id) as artifacts:
            artifacts.log(RUNNING_MESSAGE)
            try:
                outcome = await self._work(job, _Report(job.id, self._jobs, artifacts))
            except BaseException as error:
                artifacts.log(str(error) or type(error).__name__)
                raise
            artifacts.log(outcome.message)
            return outcome

    def _settle(self, job: StoredJob, task: asyncio.Task[Outcome]) -> None:
        current = self._jobs.get(job.id)
        if current is None:
            return
        if current.status is JobStatus.CANCELLING or task.cancelled():
            self._jobs.move(job.id, JobStatus.CANCELLED, message=CANCELLED_MESSAGE)
            return
        error = task.exception()
        if error is None:
            outcome = task.result()
            result = new_result(
                job=job.id, namespace=job.namespace, tasks=outcome.tasks, groups=outcome.groups
            )
            self._jobs.complete(job.id, result, message=outcome.message, progress=100.0)
        elif isinstance(error, EvaluationError):
            self._jobs.move(job.id, JobStatus.FAILED, message=str(error))
        else:
            logger.error("job %s crashed", job.id, exc_info=error)
            self._jobs.move(job.id, JobStatus.FAILED, message=f"Internal error: {error!r}")


class _Report:
    """An Observer that writes a job's progress to the store and the rest to its artifacts."""

    def __init__(self, job_id: str, jobs: JobStore, artifacts: JobArtifacts) -> None:
        self._job_id = job_id
        self._jobs = jobs
        self._artifacts = artifacts
        self._reported: tuple[object, int] | None = None

    def progress(self, progress: Progress) -> None:
        # One write for each per cent, however many the samples.
        state = (progress.task_status, int(progress.percent))
        if state == self._reported and progress.processed < progress.total:
            return
        self._reported = state
        self._jobs.report(
            self._job_id,
            task_status=progress.task_status,
            progress=progress.percent,
            samples_processed=progress.processed,
        )

    def log(self, message: str) -> None:
        self._artifacts.log(message)

    def sample(self, task: str, document: Mapping[str, Any]) -> None:
        self._artifacts.sample(task, document)

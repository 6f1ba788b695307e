"""Executes the steps of a job that call its evaluator: slot, submission, search, cancellation, results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.kube import key_of
from nemo_eval_operator.lifecycle import Operation, meaning_of
from nemo_eval_operator.lifecycle.job import (
    UNKNOWN,
    Facts,
    Stored,
    end_status,
    goes_on,
    release_job_seconds,
)
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    CancelJob,
    CollectResults,
    DeleteJob,
    FindJob,
    SubmitJob,
)
from nemo_eval_operator.reconcile.deadline import limit
from nemo_eval_operator.reconcile.objects import ObjectWriter
from nemo_eval_operator.reconcile.outcomes import OutcomeWriter
from nemo_eval_operator.resources import EvalJobStatus, NemoBenchmark, NemoEvalJob
from nemo_eval_operator.sessions import Evaluator, LookUpPostponed
from nemo_eval_operator.workqueue import RetryLater

from .facts import FactReader, record_failure
from .job_finder import JobFinder
from .remote_jobs import RemoteJobs, operation_of
from .results import ResultsKeeper, ResultsNotKept
from .submission import Submitter

__all__ = ["Step", "StepExecutor"]

logger = logging.getLogger(__name__)

Step = AcquireSlot | SubmitJob | FindJob | CancelJob | DeleteJob | CollectResults


class StepExecutor:
    """Executes one step, and fills in what it shows. `keep` notes the job in memory before a pass ends."""

    def __init__(
        self,
        *,
        objects: ObjectWriter,
        outcomes: OutcomeWriter,
        facts: FactReader,
        submitter: Submitter,
        finder: JobFinder,
        remote_jobs: RemoteJobs,
        results: ResultsKeeper,
        keep: Callable[[NemoEvalJob, Evaluator], None],
    ) -> None:
        self._objects = objects
        self._outcomes = outcomes
        self._facts = facts
        self._submitter = submitter
        self._finder = finder
        self._remote_jobs = remote_jobs
        self._results = results
        self._keep = keep

    async def execute(
        self, job: NemoEvalJob, facts: Facts, step: Step, evaluator: Evaluator
    ) -> tuple[NemoEvalJob, Facts]:
        """Return the job and the facts after the step; `failed` says where it failed and may fail.

        Raises RetryLater where it is to be repeated.
        """
        try:
            async with limit(release_job_seconds(job, datetime.now(UTC))):
                return await self._advance(job, facts, step, evaluator)
        except LookUpPostponed as later:
            left = release_job_seconds(job, datetime.now(UTC))
            if left == 0:
                return job, replace(facts, failed=True)
            self._keep(job, evaluator)
            raise LookUpPostponed(later.seconds if left is None else min(later.seconds, left)) from later
        except EvaluatorError as error:
            if job.metadata.deletion_timestamp is None:
                await self._put_off(job, evaluator, error, operation_of(step))
            # A deletion is bounded: what could not be done is weighed, not repeated without end.
            await record_failure(job, evaluator, error, operation_of(step))
            return job, replace(facts, failed=True)

    async def _advance(
        self, job: NemoEvalJob, facts: Facts, step: Step, evaluator: Evaluator
    ) -> tuple[NemoEvalJob, Facts]:
        match step:
            case AcquireSlot():
                return job, replace(facts, slot_decision=evaluator.slot_pool.ask(job))
            case SubmitJob(claim):
                usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
                job = await self._submitter.submit(job, usable, evaluator, claim=claim)
                return job, replace(facts, lookup=UNKNOWN, slot_decision=UNKNOWN)
            case FindJob():
                return job, replace(facts, lookup=await self._finder.find(job, step, evaluator))
            case CancelJob(job_id):
                return await self._cancel(job, facts, job_id, evaluator)
            case DeleteJob(job_id):
                found = await self._remote_jobs.delete(evaluator.client.about(key_of(job)), job_id)
                not_found = facts.not_found if found else facts.not_found | {job_id}
                return job, replace(facts, deleted=facts.deleted | {job_id}, not_found=not_found)
            case CollectResults(job_id):
                return job, replace(facts, stored=await self._collect(job, job_id, evaluator))

    async def _cancel(
        self, job: NemoEvalJob, facts: Facts, job_id: str, evaluator: Evaluator
    ) -> tuple[NemoEvalJob, Facts]:
        """Request the remote job's cancellation; an answer that refuses it is shown on the object."""
        client = evaluator.client.about(key_of(job))
        job = await self._objects.record(job, job_status.cancel_requested(job, datetime.now(UTC)))
        try:
            refusal = await self._remote_jobs.cancel(client, job, job_id)
        except EvaluatorError as error:
            if meaning_of(error, Operation.CANCEL_JOB).reason is not None:
                await self._objects.record(job, job_status.cancel_refused(job, datetime.now(UTC), error))
            raise
        remote = await self._remote_jobs.observe(client, job_id)
        evaluator.tracker.saw(key_of(job), remote)
        if refusal is not None and goes_on(remote):
            job = await self._objects.record(job, job_status.cancel_refused(job, datetime.now(UTC), refusal))
        remote = await self._facts.masked(job, remote, evaluator)
        return job, replace(facts, cancel_asked=True, remote=remote)

    async def _collect(self, job: NemoEvalJob, job_id: str, evaluator: Evaluator) -> Stored:
        """Fetch and keep the results. A crash or a failure here repeats the fetch, nothing else."""
        try:
            return await self._results.collect(evaluator.client.about(key_of(job)), job, job_id)
        except ResultsNotKept as problem:
            said, given_up = str(problem), problem.given_up

            def pending(latest: NemoEvalJob) -> EvalJobStatus:
                return end_status.results_pending(latest, datetime.now(UTC), said, given_up=given_up)

            self._keep(await self._outcomes.record(job, pending), evaluator)
            raise RetryLater(problem.retry_seconds) from problem

    async def _put_off(
        self, job: NemoEvalJob, evaluator: Evaluator, error: EvaluatorError, operation: Operation
    ) -> NoReturn:
        """Repeat a failed call after a backoff, or as soon as an evaluator that is away answers again."""
        logger.info("%s/%s: %s", job.metadata.namespace, job.metadata.name, error)
        await evaluator.breaker.record_failure(error, operation)
        if evaluator.breaker.outage is not None:
            evaluator.breaker.wait(key_of(job))
        self._keep(job, evaluator)
        raise RetryLater(meaning_of(error, operation).retry_seconds) from error

"""The one place where a remote job is created."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError, RemoteJob
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import key_of
from nemo_eval_operator.lifecycle import Operation, Retry, meaning_of
from nemo_eval_operator.lifecycle.job import attempt_status
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.reconcile.objects import ObjectWriter
from nemo_eval_operator.reconcile.outcomes import OutcomeWriter
from nemo_eval_operator.resources import EvalJobStatus, MeasuredConfig, NemoBenchmark, NemoEvalJob
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.runtime.steady_clock import steady_now
from nemo_eval_operator.sessions import CircuitBreaker, Evaluator
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

from .request import RequestPreparer

__all__ = ["Submitter"]

logger = logging.getLogger(__name__)

INTENT_SECONDS: Final = 5.0
"""Seconds after which an intent is not acted on: another operator may have taken over and be looking."""


class Submitter:
    """Submits jobs, and knows since when the answer to a submission has been missing."""

    def __init__(
        self,
        objects: ObjectWriter,
        outcomes: OutcomeWriter,
        requests: RequestPreparer,
        queue: WorkQueue,
        metrics: Metrics,
    ) -> None:
        self._objects = objects
        self._outcomes = outcomes
        self._requests = requests
        self._queue = queue
        self._metrics = metrics

    def last_submission_at(self, job: NemoEvalJob, breaker: CircuitBreaker) -> datetime | None:
        """Return when, by this process's clock, the last submission ended or was first observed.

        Or when the evaluator came back, if that was later: one that stood still goes on with what it had.
        """
        key, submission = key_of(job), job.status.submission
        if submission is None or job.status.job_id is not None:
            if self._queue.states.read(key).submission is not None:
                self._queue.states.of(key).submission = None
            return None
        state = self._queue.states.of(key)
        if state.submission is None or state.submission[0] != submission.time:
            state.submission = (submission.time, steady_now())
        since = state.submission[1]
        return max(since, breaker.reachable_since)

    async def submit(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None, evaluator: Evaluator, *, claim: bool
    ) -> NemoEvalJob:
        """Write the intent, POST to `evaluator`, write what came of it; the job as it is then.

        `claim`: the finalizer is added before the intent, once nothing is wrong with the request.
        Raises RetryLater where time has to pass first, Outdated where another
        operator has won the intent, and EvaluatorError where the config cannot be read.
        """
        nonce = job.status.submission.nonce if job.status.submission else uuid.uuid4().hex
        body, config = await self._requests.prepare(job, benchmark, evaluator, nonce)
        with self._queue.uninterrupted(key_of(job)):
            if claim:
                job = await self._objects.claim(job, evaluator.used)
            return await self._post(job, benchmark, evaluator, nonce=nonce, body=body, config=config)

    async def _post(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        evaluator: Evaluator,
        *,
        nonce: str,
        body: JsonObject,
        config: MeasuredConfig,
    ) -> NemoEvalJob:
        """Submit, from the intent to its outcome: a call that is cut off in between has to be looked up."""
        begun = time.monotonic()
        intent = job_status.submitting(job, datetime.now(UTC), nonce, evaluator.used, config)
        job = await self._objects.record(job, intent)
        if time.monotonic() - begun > INTENT_SECONDS:
            raise RetryLater
        try:
            remote = await evaluator.client.about(key_of(job)).create_job(body)
        except EvaluatorError as error:
            self._metrics.submission(meaning_of(error, Operation.CREATE_JOB).metric)
            job = await self._outcomes.record(job, partial(_not_submitted, error=error))
            return await self._after_failure(job, benchmark, evaluator.breaker, error)
        self._metrics.submission("accepted")
        logger.info("NemoEvalJob %s/%s submitted: %s", job.metadata.namespace, job.metadata.name, remote.id)
        job = await self._outcomes.record(job, partial(_submitted, remote=remote))
        if job.status.attempt == 1 and (created := job.metadata.creation_timestamp):
            self._metrics.submission_lag((datetime.now(UTC) - created).total_seconds())
        return job

    async def _after_failure(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        breaker: CircuitBreaker,
        error: EvaluatorError,
    ) -> NemoEvalJob:
        """Return the job to decide about it again at once; raise RetryLater where time has to pass first."""
        meaning = meaning_of(error, Operation.CREATE_JOB)
        await breaker.record_failure(error, Operation.CREATE_JOB)
        if meaning.rechecks_config and benchmark is not None:
            self._queue.add(key_of(benchmark))
        if meaning.retry is Retry.BACKOFF:
            raise RetryLater(meaning.retry_seconds) from error
        return job


def _submitted(job: NemoEvalJob, *, remote: RemoteJob) -> EvalJobStatus:
    return job_status.submitted(job, datetime.now(UTC), remote)


def _not_submitted(job: NemoEvalJob, *, error: EvaluatorError) -> EvalJobStatus:
    return attempt_status.not_submitted(job, datetime.now(UTC), error)

"""Answers the steps that request a fact: benchmark, evaluator and remote job of one NemoEvalJob."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

from nemo_eval_operator.evaluator.model import EvaluatorError, JobStatus, RemoteJob
from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle import Operation
from nemo_eval_operator.lifecycle.job import (
    EvaluatorUnusable,
    Facts,
    NothingNew,
    RemoteGone,
    RemoteUnclear,
    ResolvedEvaluator,
    release_job_seconds,
)
from nemo_eval_operator.lifecycle.steps import ObserveJob, ReadBenchmark, ResolveEvaluator
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.deadline import limit
from nemo_eval_operator.reconcile.lanes import lane_at
from nemo_eval_operator.reconcile.secrets import SecretReader, remember
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob
from nemo_eval_operator.sessions import Evaluator, EvaluatorResolver, Evaluators
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

from .benchmark_of_job import BenchmarkOfJob
from .remote_jobs import RemoteJobs
from .submission import Submitter

__all__ = ["FactReader", "record_failure"]

logger = logging.getLogger(__name__)

Request = ReadBenchmark | ResolveEvaluator | ObserveJob


class FactReader:
    """Fills in `Facts`, each fact when a step requests it."""

    def __init__(
        self,
        *,
        benchmark_of: BenchmarkOfJob,
        evaluators: Evaluators,
        resolver: EvaluatorResolver,
        queue: WorkQueue,
        remote_jobs: RemoteJobs,
        submitter: Submitter,
        secrets: SecretReader,
    ) -> None:
        self._benchmark_of = benchmark_of
        self._evaluators = evaluators
        self._resolver = resolver
        self._queue = queue
        self._remote_jobs = remote_jobs
        self._submitter = submitter
        self._secrets = secrets

    async def request(
        self, job: NemoEvalJob, facts: Facts, step: Request, evaluator: Evaluator | None
    ) -> Facts:
        """Return the facts with the one that `step` requests. Raises KubeError, RetryLater."""
        match step:
            case ReadBenchmark():
                return replace(facts, benchmark=await self._benchmark_of.read(job))
            case ResolveEvaluator():
                usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
                return replace(facts, evaluator=await self._resolve(job, usable))
            case ObserveJob():
                if evaluator is None:
                    raise AssertionError(f"{step} without an evaluator")
                return replace(facts, remote=await self._observe(job, step, evaluator))

    async def evaluator_of(self, key: ObjectKey, facts: Facts) -> Evaluator | None:
        """Return the evaluator that was resolved, once the object is in its lane; None before.

        Raises WaitInLane, and RetryLater where it has become another since it was resolved.
        """
        if not isinstance(facts.evaluator, ResolvedEvaluator):
            return None
        evaluator = self._evaluators.find(facts.evaluator.used)
        if evaluator is None:
            raise RetryLater
        await self._queue.enter(key, lane_at(evaluator.used))
        return evaluator

    def as_of_now(self, job: NemoEvalJob, facts: Facts, evaluator: Evaluator | None) -> Facts:
        """Return the facts with the time, and with the evaluator as this process knows it now."""
        facts = replace(facts, now=datetime.now(UTC))
        if evaluator is None:
            return facts
        if evaluator.breaker.outage is not None:
            evaluator.breaker.wait(key_of(job))
        resolved = ResolvedEvaluator(
            used=evaluator.used,
            outage=evaluator.breaker.outage,
            last_submission_at=self._submitter.last_submission_at(job, evaluator.breaker),
        )
        return replace(facts, evaluator=resolved)

    async def masked(
        self, job: NemoEvalJob, remote: RemoteJob | RemoteGone, evaluator: Evaluator
    ) -> RemoteJob | RemoteGone:
        """Mask what the evaluator's text must not show: it is about to be written into status."""
        if isinstance(remote, RemoteGone):
            return remote
        if not remote.is_unclear and remote.status != JobStatus.FAILED:
            return remote
        if remote.status_details.masked_message is None:
            remember(evaluator.client, key_of(job), await self._secrets.recall(job))
            return remote.hiding(evaluator.client.known.of(key_of(job)))
        return remote

    async def _resolve(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None
    ) -> ResolvedEvaluator | EvaluatorUnusable:
        try:
            async with limit(release_job_seconds(job, datetime.now(UTC))):
                found = await self._resolver.of_job(job, benchmark)
        except EvaluatorError as error:
            return EvaluatorUnusable(Reason.INTERNAL_ERROR, error.detail)
        return found if isinstance(found, EvaluatorUnusable) else ResolvedEvaluator(found)

    async def _observe(
        self, job: NemoEvalJob, step: ObserveJob, evaluator: Evaluator
    ) -> RemoteJob | RemoteGone | RemoteUnclear | NothingNew:
        news = evaluator.tracker.take_news(key_of(job), step.job_id)
        deleting = job.metadata.deletion_timestamp is not None
        if isinstance(news, RemoteUnclear):
            if not deleting:
                return news
            news = None
        if news is None and step.ask and not (deleting and evaluator.breaker.outage is not None):
            news = await self._ask(job, step.job_id, evaluator)
        return NothingNew() if news is None else await self.masked(job, news, evaluator)

    async def _ask(
        self, job: NemoEvalJob, job_id: str, evaluator: Evaluator
    ) -> RemoteJob | RemoteGone | None:
        """Ask the evaluator; None where it does not answer, which must not stop a deletion."""
        try:
            async with limit(release_job_seconds(job, datetime.now(UTC))):
                remote = await self._remote_jobs.observe(evaluator.client.about(key_of(job)), job_id)
                evaluator.tracker.saw(key_of(job), remote)
                return remote
        except EvaluatorError as error:
            await record_failure(job, evaluator, error, Operation.READ_JOB)
            return None


async def record_failure(
    job: NemoEvalJob, evaluator: Evaluator, error: EvaluatorError, operation: Operation
) -> None:
    """Trip the breaker: of many deletions only the first few wait for an evaluator that does not answer."""
    logger.info("%s/%s: %s", job.metadata.namespace, job.metadata.name, error)
    if release_job_seconds(job, datetime.now(UTC)) != 0:
        await evaluator.breaker.record_failure(error, operation)

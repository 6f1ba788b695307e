"""NemoEvalJobs: gather the facts, let `lifecycle` decide, do the step, until there is nothing to do."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from nemo_eval_operator.evaluator import (
    EvaluatorClient,
    EvaluatorError,
    JobStatus,
    RemoteJob,
    Unavailable,
)
from nemo_eval_operator.kube import KubeClient, ObjectGone, ObjectKey
from nemo_eval_operator.lifecycle import (
    BenchmarkUnusable,
    Facts,
    RemoteGone,
    Stored,
    decide_job,
    depends_on_remote,
    event_of_ignored_rerun,
    event_of_ignored_ttl,
    glimpse_told_by,
    job_status,
    occupies,
    read_job,
    release_job_seconds,
)
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    AskForPlace,
    CancelJob,
    CollectResults,
    DeleteJob,
    DeleteObject,
    LookUpJob,
    Record,
    RemoveFinalizer,
    Rest,
    SubmitJob,
)
from nemo_eval_operator.metrics import Metrics
from nemo_eval_operator.resources import (
    EvalJobStatus,
    LabelSelector,
    NemoBenchmark,
    NemoEvalJob,
)

from .benchmark_of_job import BenchmarkOfJob
from .books import Books
from .gate import EvaluatorGate
from .objects import ObjectWriter, first_problem, is_selected, key_of
from .patience import within
from .queue import RetryLater, WorkQueue
from .remote_jobs import RemoteJobs
from .results import ResultsKeeper, ResultsNotKept
from .secrets import SecretReader
from .submission import Submitter
from .waiting import Waiting

__all__ = ["JobReconciler"]

logger = logging.getLogger(__name__)

MAX_STEPS: Final = 20
"""The longest way, a deletion that removes the jobs of six attempts, takes fewer; more is a bug."""

WAITING_RECHECK_SECONDS: Final = 60.0
"""Waiting objects are woken by what they wait for; this is for a wake-up that was missed."""

Advance = (
    Record[EvalJobStatus] | AddFinalizer | SubmitJob | LookUpJob | CancelJob | DeleteJob | CollectResults
)


class JobReconciler:
    """Brings one NemoEvalJob at a time as far as it will go."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        evaluator: EvaluatorClient,
        queue: WorkQueue,
        gate: EvaluatorGate,
        books: Books,
        waiting: Waiting,
        secrets: SecretReader,
        metrics: Metrics,
        selector: LabelSelector,
        settle: timedelta,
    ) -> None:
        self._kube = kube
        self._evaluator = evaluator
        self._gate = gate
        self._books = books
        self._selector = selector
        self._settle = settle
        self._queue = queue
        self._secrets = secrets
        self._metrics = metrics
        self._benchmark_of = BenchmarkOfJob(kube, queue, waiting, secrets)
        self._objects = ObjectWriter(kube, metrics, on_recorded=books.keep_place)
        self._results = ResultsKeeper(kube, evaluator, secrets)
        self._remote_jobs = RemoteJobs(self._objects, evaluator)
        self._submitter = Submitter(
            objects=self._objects,
            evaluator=evaluator,
            remote_jobs=self._remote_jobs,
            queue=queue,
            gate=gate,
            secrets=secrets,
            metrics=metrics,
        )

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Seconds until the job wants to be looked at again. Raises RetryLater, KubeError."""
        document = await self._kube.get(key)
        if document is None or not is_selected(document, self._selector):
            self._books.forget(key)
            return None
        job, unreadable = read_job(document)
        self._books.admission.note(job)
        try:
            if unreadable is not None and job.metadata.deletion_timestamp is None:
                problem = first_problem(unreadable)
                await self._objects.record(job, job_status.invalid(job, datetime.now(UTC), problem))
                return None
            return await self._pursue(job)
        except ObjectGone:
            self._books.forget(key)
            return None

    async def _pursue(self, job: NemoEvalJob) -> float | None:
        key, facts = key_of(job), await self._facts(job)
        for _ in range(MAX_STEPS):
            facts = replace(
                facts,
                now=datetime.now(UTC),
                outage=self._gate.outage,
                quiet_since=self._submitter.quiet_since(job),
            )
            if facts.outage is not None:
                self._gate.wait(key)
            step = decide_job(job, facts)
            match step:
                case Rest(seconds):
                    self._books.keep(job)
                    if facts.turn is None and not occupies(job):
                        self._books.admission.leave(key)
                    if seconds is None and isinstance(facts.benchmark, BenchmarkUnusable):
                        return self._until_recheck()
                    return seconds
                case AskForPlace():
                    facts = replace(facts, turn=self._books.admission.ask(job))
                case RemoveFinalizer(left_behind):
                    self._books.following.forget(key)
                    job = await self._objects.remove_finalizer(job, left_behind=left_behind)
                    if job.metadata.deletion_timestamp is not None and not job.metadata.finalizers:
                        self._books.admission.leave(key)
                        return None
                case DeleteObject():
                    await self._objects.delete(job)
                    return None
                case _:
                    try:
                        async with within(release_job_seconds(job, datetime.now(UTC))):
                            job, facts = await self._advance(job, facts, step)
                    except EvaluatorError as error:
                        if job.metadata.deletion_timestamp is None:
                            self._put_off(job, error)
                        # A deletion is bounded: what could not be done is weighed, not repeated for ever.
                        await self._learn_of_failure(job, error)
                        facts = replace(facts, failed=True)
        logger.error("%s/%s is still not at rest after %d steps", key.namespace, key.name, MAX_STEPS)
        raise RetryLater

    async def _advance(self, job: NemoEvalJob, facts: Facts, step: Advance) -> tuple[NemoEvalJob, Facts]:
        """Do a step after which there is more to decide."""
        match step:
            case Record(status):
                return await self._record(job, facts, status)
            case AddFinalizer():
                return await self._objects.claim(job), replace(facts, claimed=True)
            case SubmitJob():
                usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
                return await self._submitter.submit(job, usable), replace(facts, lookup=None, turn=None)
            case LookUpJob():
                return job, replace(facts, lookup=await self._submitter.look_up(job, step))
            case CancelJob(job_id):
                job = await self._objects.record(job, job_status.cancelling(job, datetime.now(UTC)))
                await self._remote_jobs.cancel(job, job_id)
                remote = await self._remote_jobs.observe(job_id)
                return job, replace(facts, cancel_asked=True, remote=remote)
            case DeleteJob(job_id):
                await self._remote_jobs.delete(job_id)
                return job, replace(facts, deleted=facts.deleted | {job_id})
            case CollectResults(job_id):
                return job, replace(facts, stored=await self._collect(job, job_id))

    async def _record(
        self, job: NemoEvalJob, facts: Facts, status: EvalJobStatus
    ) -> tuple[NemoEvalJob, Facts]:
        before = job
        job = await self._objects.record(job, status)
        for event in (event_of_ignored_ttl(before, job), event_of_ignored_rerun(before, job)):
            if event is not None:
                await self._objects.tell(job, event)
        if (status.attempt, status.job_id) == (before.status.attempt, before.status.job_id):
            return job, facts
        if before.status.job_id is None and job.status.job_id is not None:
            self._metrics.adopted()
        # Another remote job asks other questions, and what was known of the last one is not true of it.
        return job, await self._facts(job)

    async def _facts(self, job: NemoEvalJob) -> Facts:
        """Ask for what the decision about this job will need, and for nothing else."""
        facts = Facts(now=datetime.now(UTC), settle=self._settle, outage=self._gate.outage)
        status, deleting = job.status, job.metadata.deletion_timestamp is not None
        if status.job_id is None and status.completion_time is None and not deleting:
            return replace(facts, benchmark=await self._benchmark_of.read(job))
        if status.job_id is None or not depends_on_remote(job):
            return facts
        remote = self._books.following.take_news(key_of(job), status.job_id)
        if remote is None and (deleting or glimpse_told_by(status).state != "active"):
            remote = await self._try_to_observe(job, status.job_id)
        if isinstance(remote, RemoteJob) and remote.status == JobStatus.FAILED:
            await self._secrets.recall(job)
            remote = remote.hiding(self._secrets.known)
        return replace(facts, remote=remote)

    def _until_recheck(self) -> float:
        """Raises RetryLater where the benchmark may be another operator's, which will not wake us."""
        if self._selector.requirements:
            raise RetryLater
        return WAITING_RECHECK_SECONDS

    async def _try_to_observe(self, job: NemoEvalJob, job_id: str) -> RemoteJob | RemoteGone | None:
        """None where the evaluator does not answer, which must not stop a deletion."""
        deleting = job.metadata.deletion_timestamp is not None
        if deleting and self._gate.outage is not None:
            return None
        try:
            async with within(release_job_seconds(job, datetime.now(UTC))):
                return await self._remote_jobs.observe(job_id)
        except EvaluatorError as error:
            await self._learn_of_failure(job, error)
            return None

    async def _learn_of_failure(self, job: NemoEvalJob, error: EvaluatorError) -> None:
        """Of many deletions only the first few may find out by themselves that nobody answers."""
        logger.info("%s/%s: %s", job.metadata.namespace, job.metadata.name, error)
        if release_job_seconds(job, datetime.now(UTC)) != 0:
            await self._gate.learn(error)

    async def _collect(self, job: NemoEvalJob, job_id: str) -> Stored:
        """Fetch and keep the results. A crash or a failure here repeats the fetch, nothing else."""
        try:
            return await self._results.collect(job, job_id)
        except ResultsNotKept as problem:
            status = job_status.results_pending(
                job, datetime.now(UTC), str(problem), given_up=problem.given_up
            )
            self._books.keep(await self._objects.record(job, status))
            raise RetryLater(problem.retry_seconds) from problem

    def _put_off(self, job: NemoEvalJob, error: EvaluatorError) -> NoReturn:
        """A call failed that may simply be repeated, after a backoff."""
        logger.info("%s/%s: %s", job.metadata.namespace, job.metadata.name, error)
        if isinstance(error, Unavailable):
            self._gate.close(error)
            self._gate.wait(key_of(job))
        self._books.keep(job)
        raise RetryLater from error

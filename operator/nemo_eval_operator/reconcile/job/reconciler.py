"""NemoEvalJobs: let `lifecycle` decide and execute the step, until there is nothing to do."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from nemo_eval_operator.kube import KubeClient, ObjectGone, ObjectKey, Outdated, key_of
from nemo_eval_operator.lifecycle import (
    Event,
    event_of_ignored_rerun,
    event_of_ignored_ttl,
    event_of_new_verdict,
    read_job,
)
from nemo_eval_operator.lifecycle.connection import is_bound
from nemo_eval_operator.lifecycle.job import (
    BenchmarkUnusable,
    Counting,
    EvaluatorUnusable,
    Facts,
    Queued,
    decide_job,
    new_verdict,
    occupies,
)
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.requests import AllowedHosts, Tenancy
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    DeleteObject,
    JudgeGate,
    ObserveJob,
    ReadBenchmark,
    RemoveFinalizer,
    RequeueAfter,
    ResolveEvaluator,
    WriteStatus,
)
from nemo_eval_operator.reconcile.datasets import DatasetReader
from nemo_eval_operator.reconcile.lanes import OWN_LANE
from nemo_eval_operator.reconcile.objects import (
    FINALIZER_RECHECK_SECONDS,
    FinalizerRefused,
    ObjectWriter,
    Problem,
    is_selected,
    problem_of,
)
from nemo_eval_operator.reconcile.outcomes import OutcomeWriter
from nemo_eval_operator.reconcile.secrets import SecretReader
from nemo_eval_operator.reconcile.waiters import BenchmarkWaiters
from nemo_eval_operator.resources import (
    EvalJobStatus,
    JobDeletionPolicy,
    LabelSelector,
    NemoBenchmark,
    NemoEvalJob,
    Phase,
)
from nemo_eval_operator.runtime.backoff import spread
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import Evaluator, EvaluatorResolver, Evaluators
from nemo_eval_operator.workqueue import RetryLater, WaitInLane, WorkQueue

from .benchmark_of_job import BenchmarkOfJob
from .evidence import EvidenceStore
from .facts import FactReader
from .gate import GateJudge
from .index import JobIndex
from .job_finder import JobFinder
from .remote_jobs import RemoteJobs
from .request import RequestPreparer
from .results import ResultsKeeper
from .steps import StepExecutor
from .submission import Submitter

__all__ = ["JobReconciler"]

logger = logging.getLogger(__name__)

MAX_STEPS: Final = 20
"""The longest way, a deletion that removes the jobs of six attempts, takes fewer; more is a bug."""

WAITING_RECHECK_SECONDS: Final = 60.0
"""Waiting objects are woken by what they wait for; this is for a wake-up that was missed."""


class JobReconciler:
    """Brings one NemoEvalJob at a time as far as it will go."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        evaluators: Evaluators,
        resolver: EvaluatorResolver,
        queue: WorkQueue,
        job_index: JobIndex,
        waiting: BenchmarkWaiters,
        secrets: SecretReader,
        metrics: Metrics,
        selector: LabelSelector,
        settle: timedelta,
        tenancy: Tenancy,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self._kube = kube
        self._resolver = resolver
        self._job_index = job_index
        self._selector = selector
        self._settle = settle
        self._metrics = metrics
        self._queue = queue
        objects = self._objects = ObjectWriter(kube, metrics, on_recorded=job_index.keep_place)
        self._outcomes = OutcomeWriter(kube, self._objects)
        evidence = EvidenceStore(kube)
        self._gates = GateJudge(kube, evidence)
        remote_jobs = RemoteJobs(self._objects)
        self._requests = RequestPreparer(objects, queue, secrets, DatasetReader(kube), tenancy, hosts=hosts)
        self._submitter = Submitter(self._objects, self._outcomes, self._requests, queue, metrics)
        self._facts = FactReader(
            benchmark_of=BenchmarkOfJob(kube, queue, waiting, secrets),
            evaluators=evaluators,
            resolver=resolver,
            queue=queue,
            remote_jobs=remote_jobs,
            submitter=self._submitter,
            secrets=secrets,
        )
        self._steps = StepExecutor(
            objects=self._objects,
            outcomes=self._outcomes,
            facts=self._facts,
            submitter=self._submitter,
            finder=JobFinder(objects=self._objects, remote_jobs=remote_jobs, queue=queue, metrics=metrics),
            remote_jobs=remote_jobs,
            results=ResultsKeeper(kube, secrets, queue.states, evidence),
            keep=self._keep,
        )

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Reconcile the job; return the seconds until the next time. Raises RetryLater, KubeError."""
        document, too_large = await self._kube.read(key)
        if document is None or not is_selected(document, self._selector):
            self._forget(key)
            return None
        job, unreadable = read_job(document)
        self._job_index.note_place(job)
        try:
            return await self._pursue_if_valid(job, problem_of(unreadable, too_large))
        except ObjectGone:
            self._forget(key)
            return None

    async def _pursue_if_valid(self, job: NemoEvalJob, problem: Problem | None) -> float | None:
        """Raises ObjectGone as well, also while a refusal is being written."""
        key = key_of(job)
        try:
            if problem is not None and job.metadata.deletion_timestamp is None:
                await self._report(job, problem)
                return None
            return await self._pursue(job)
        except Exception as error:
            if not (isinstance(error, WaitInLane) and error.lane == OWN_LANE):
                self._job_index.give_back(key)
            if not isinstance(error, FinalizerRefused):
                raise
            # A running job keeps the status of its run.
            if not is_bound(job):
                invalid = job_status.invalid(job, datetime.now(UTC), str(error), reason=error.reason)
                await self._objects.record(job, invalid)
            raise RetryLater(at_most=FINALIZER_RECHECK_SECONDS) from error

    async def _report(self, job: NemoEvalJob, problem: Problem) -> None:
        """Say why the object cannot be read. What a run came to stays: nothing would restore that status."""
        if job.status.completion_time is None:
            reason, message = problem
            status = job_status.invalid(job, datetime.now(UTC), message, reason=reason)
            await self._objects.record(job, status)
        elif job.status.observed_generation != job.metadata.generation:
            await self._objects.post_event(job, Event("Warning", *problem))

    def _forget(self, key: ObjectKey, *, ended: bool = False) -> None:
        """The object is gone, or another operator's; `ended`: nothing runs for it any more."""
        self._job_index.forget(key, ended=ended)
        self._wake_waiters(key)

    async def _pursue(self, job: NemoEvalJob) -> float | None:
        key, facts = key_of(job), self._nothing_known()
        for _ in range(MAX_STEPS):
            evaluator = await self._facts.evaluator_of(key, facts)
            facts = self._facts.as_of_now(job, facts, evaluator)
            match decide_job(job, facts):
                case RequeueAfter(seconds):
                    self._rest(job, facts, evaluator)
                    return self._until_recheck(facts) if seconds is None else seconds
                case RemoveFinalizer(left_behind):
                    job = await self._objects.remove_finalizer(job, left_behind=left_behind)
                    if job.metadata.deletion_timestamp is not None and not job.metadata.finalizers:
                        orphan = job.spec.deletion_policy is JobDeletionPolicy.ORPHAN
                        self._forget(key, ended=left_behind is None and not orphan)
                        return None
                case DeleteObject():
                    await self._objects.delete(job)
                    return None
                case WriteStatus(status):
                    if status.phase is Phase.PENDING and not is_bound(job):
                        await self._check_while_it_waits(job, facts, evaluator)
                    job, facts = await self._record(job, facts)
                case AddFinalizer():
                    # Where it was submitted, although NVIDIA_EVALUATOR_URL may be another now.
                    used = job.status.evaluator or (evaluator.used if evaluator else None)
                    job = await self._objects.claim(job, used)
                case JudgeGate(may_wait):
                    facts = replace(facts, gate=await self._gates.judge(job, may_wait=may_wait))
                case ReadBenchmark() | ResolveEvaluator() | ObserveJob() as request:
                    facts = await self._facts.request(job, facts, request, evaluator)
                case step:
                    if evaluator is None:
                        raise AssertionError(f"{step} without an evaluator")
                    job, facts = await self._steps.execute(job, facts, step, evaluator)
        logger.error("%s/%s is still not at rest after %d steps", key.namespace, key.name, MAX_STEPS)
        raise RetryLater

    def _rest(self, job: NemoEvalJob, facts: Facts, evaluator: Evaluator | None) -> None:
        """Note in memory what there is to wait for; a job that waits for something else needs no slot."""
        self._keep(job, evaluator)
        waits = isinstance(facts.slot_decision, Queued | Counting)
        if not waits and evaluator is not None and not occupies(job):
            evaluator.slot_pool.leave(key_of(job))

    async def _check_while_it_waits(
        self, job: NemoEvalJob, facts: Facts, evaluator: Evaluator | None
    ) -> None:
        """Raises RetryLater where the job, whatever else it waits for, cannot be submitted as it is."""
        if job.status.completion_time is None:
            usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
            await self._requests.check(job, usable, evaluator)

    async def _record(self, job: NemoEvalJob, facts: Facts) -> tuple[NemoEvalJob, Facts]:
        """Write the status that was decided; where the object was edited, the one that its edit leads to."""

        def decided(latest: NemoEvalJob) -> EvalJobStatus:
            step = decide_job(latest, facts)
            return step.status if isinstance(step, WriteStatus) else latest.status

        before, job = job, await self._outcomes.record(job, decided)
        if not self._selector.matches(job.metadata.labels):
            raise Outdated(f"{key_of(job).path} does not match the selector any more")
        if (verdict := new_verdict(before.status, job.status)) is not None:
            self._metrics.gate_judged(verdict)
        for event_of in (event_of_ignored_ttl, event_of_ignored_rerun, event_of_new_verdict):
            if (event := event_of(before, job)) is not None:
                await self._objects.post_event(job, event)
        if (job.status.attempt, job.status.job_id) == (before.status.attempt, before.status.job_id):
            return job, facts
        if before.status.job_id is None and job.status.job_id is not None:
            self._metrics.adopted()
        # Of another attempt or remote job, what was known of the last one is not true.
        return job, self._nothing_known()

    def _nothing_known(self) -> Facts:
        return Facts(now=datetime.now(UTC), settle=self._settle)

    def _until_recheck(self, facts: Facts) -> float | None:
        """Raise RetryLater where another operator may reconcile the benchmark: it does not wake the job."""
        if isinstance(facts.benchmark, BenchmarkUnusable) and self._selector.requirements:
            raise RetryLater
        unusable = (facts.benchmark, facts.evaluator)
        waits = any(isinstance(one, BenchmarkUnusable | EvaluatorUnusable) for one in unusable)
        return spread(WAITING_RECHECK_SECONDS) if waits else None

    def _keep(self, job: NemoEvalJob, evaluator: Evaluator | None) -> None:
        self._job_index.keep(job, evaluator)
        status = job.status
        if status.completion_time is not None:
            self._wake_waiters(key_of(job))
        if status.completion_time is not None or (evaluator is not None and status.job_id is not None):
            # It stays where it was submitted, and is woken when that session is closed.
            self._resolver.untrack(key_of(job))

    def _wake_waiters(self, key: ObjectKey) -> None:
        """Judge the jobs whose gates wait for this one, which has ended or is gone."""
        for waiting in self._gates.waiters.take(key):
            self._queue.add(waiting)

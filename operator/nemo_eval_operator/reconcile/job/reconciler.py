"""NemoEvalJobs: gather the facts, let `lifecycle` decide, do the step, until there is nothing to do."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from nemo_eval_operator.evaluator.model import EvaluatorError, JobStatus, RemoteJob
from nemo_eval_operator.kube import KubeClient, ObjectGone, ObjectKey, Outdated, key_of
from nemo_eval_operator.lifecycle import (
    Operation,
    event_of_ignored_rerun,
    event_of_ignored_ttl,
    meaning_of,
    read_job,
)
from nemo_eval_operator.lifecycle.connection import is_bound
from nemo_eval_operator.lifecycle.job import (
    BenchmarkUnusable,
    Counting,
    EvaluatorUnusable,
    Facts,
    Queued,
    RemoteGone,
    RemoteUnclear,
    Stored,
    decide_job,
    depends_on_remote,
    end_status,
    goes_on,
    new_verdict,
    occupies,
    release_job_seconds,
    snapshot_in_status,
)
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.requests import AllowedHosts, Tenancy
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteJob,
    DeleteObject,
    FindJob,
    JudgeGate,
    RemoveFinalizer,
    RequeueAfter,
    SubmitJob,
    WriteStatus,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.datasets import DatasetReader
from nemo_eval_operator.reconcile.deadline import limit
from nemo_eval_operator.reconcile.lanes import OWN_LANE, lane_at
from nemo_eval_operator.reconcile.objects import (
    FINALIZER_RECHECK_SECONDS,
    FinalizerRefused,
    ObjectWriter,
    Problem,
    is_selected,
    problem_of,
)
from nemo_eval_operator.reconcile.outcomes import OutcomeWriter
from nemo_eval_operator.reconcile.secrets import SecretReader, remember
from nemo_eval_operator.reconcile.waiters import BenchmarkWaiters
from nemo_eval_operator.resources import (
    EvalJobStatus,
    EvaluatorUsed,
    JobDeletionPolicy,
    LabelSelector,
    NemoBenchmark,
    NemoEvalJob,
    Phase,
)
from nemo_eval_operator.runtime.backoff import spread
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import Evaluator, EvaluatorResolver, Evaluators, LookUpPostponed
from nemo_eval_operator.workqueue import RetryLater, WaitInLane, WorkQueue

from .benchmark_of_job import BenchmarkOfJob
from .evidence import EvidenceStore
from .gate import GateJudge
from .index import JobIndex
from .job_finder import JobFinder
from .remote_jobs import RemoteJobs, operation_of
from .request import RequestPreparer
from .results import ResultsKeeper, ResultsNotKept
from .submission import Submitter

__all__ = ["JobReconciler"]

logger = logging.getLogger(__name__)

MAX_STEPS: Final = 20
"""The longest way, a deletion that removes the jobs of six attempts, takes fewer; more is a bug."""

WAITING_RECHECK_SECONDS: Final = 60.0
"""Waiting objects are woken by what they wait for; this is for a wake-up that was missed."""

Step = AcquireSlot | SubmitJob | FindJob | CancelJob | DeleteJob | CollectResults


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
        self._evaluators = evaluators
        self._resolver = resolver
        self._job_index = job_index
        self._selector = selector
        self._settle = settle
        self._queue = queue
        self._secrets = secrets
        self._metrics = metrics
        self._benchmark_of = BenchmarkOfJob(kube, queue, waiting, secrets)
        self._objects = ObjectWriter(kube, metrics, on_recorded=job_index.keep_place)
        self._outcomes = OutcomeWriter(kube, self._objects)
        evidence = EvidenceStore(kube)
        self._results = ResultsKeeper(kube, secrets, queue.states, evidence)
        self._gates = GateJudge(kube, evidence)
        self._remote_jobs = RemoteJobs(self._objects)
        self._finder = JobFinder(
            objects=self._objects, remote_jobs=self._remote_jobs, queue=queue, metrics=metrics
        )
        self._requests = RequestPreparer(
            objects=self._objects,
            queue=queue,
            secrets=secrets,
            datasets=DatasetReader(kube),
            tenancy=tenancy,
            hosts=hosts or AllowedHosts(),
        )
        self._submitter = Submitter(
            objects=self._objects,
            outcomes=self._outcomes,
            requests=self._requests,
            queue=queue,
            metrics=metrics,
        )

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Seconds until the job wants to be looked at again. Raises RetryLater, KubeError."""
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
                reason, message = problem
                status = job_status.invalid(job, datetime.now(UTC), message, reason=reason)
                await self._objects.record(job, status)
                return None
            return await self._pursue(job)
        except Exception as error:
            if not (isinstance(error, WaitInLane) and error.lane == OWN_LANE):
                self._job_index.give_back(key)
            if not isinstance(error, FinalizerRefused):
                raise
            # One that runs keeps the status that tells how.
            if not is_bound(job):
                invalid = job_status.invalid(job, datetime.now(UTC), str(error), reason=error.reason)
                await self._objects.record(job, invalid)
            raise RetryLater(at_most=FINALIZER_RECHECK_SECONDS) from error

    def _forget(self, key: ObjectKey, *, ended: bool = False) -> None:
        """The object is gone, or another operator's; `ended`: nothing runs for it any more."""
        self._job_index.forget(key, ended=ended)
        self._wake_waiters(key)

    async def _pursue(self, job: NemoEvalJob) -> float | None:
        key, facts = key_of(job), await self._facts(job)
        for _ in range(MAX_STEPS):
            evaluator = await self._evaluator_of(key, facts)
            facts = await self._with_message(job, self._as_of_now(job, facts, evaluator), evaluator)
            match decide_job(job, facts):
                case RequeueAfter(seconds):
                    self._keep(job, evaluator)
                    waits = isinstance(facts.slot_decision, Queued | Counting)
                    if not waits and evaluator is not None and not occupies(job):
                        evaluator.slot_pool.leave(key)
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
                case JudgeGate(may_wait):
                    facts = replace(facts, gate=await self._gates.judge(job, may_wait=may_wait))
                case AddFinalizer():
                    job = await self._objects.claim(job, evaluator.used if evaluator else None)
                case step:
                    if evaluator is None:
                        raise AssertionError(f"{step} without an evaluator")
                    job, facts = await self._do(job, facts, step, evaluator)
        logger.error("%s/%s is still not at rest after %d steps", key.namespace, key.name, MAX_STEPS)
        raise RetryLater

    async def _check_while_it_waits(
        self, job: NemoEvalJob, facts: Facts, evaluator: Evaluator | None
    ) -> None:
        """Raises RetryLater where the job, whatever else it waits for, cannot be submitted as it is."""
        if job.status.completion_time is None:
            usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
            await self._requests.check(job, usable, evaluator)

    async def _evaluator_of(self, key: ObjectKey, facts: Facts) -> Evaluator | None:
        """Raises WaitInLane, and RetryLater where it has become another since the facts were gathered."""
        if not isinstance(facts.evaluator, EvaluatorUsed):
            return None
        evaluator = self._evaluators.find(facts.evaluator)
        if evaluator is None:
            raise RetryLater
        await self._queue.enter(key, lane_at(evaluator.used))
        return evaluator

    def _as_of_now(self, job: NemoEvalJob, facts: Facts, evaluator: Evaluator | None) -> Facts:
        facts = replace(facts, now=datetime.now(UTC))
        if evaluator is None:
            return facts
        if evaluator.breaker.outage is not None:
            evaluator.breaker.wait(key_of(job))
        last_submission_at = self._submitter.last_submission_at(job, evaluator.breaker)
        return replace(facts, outage=evaluator.breaker.outage, last_submission_at=last_submission_at)

    async def _do(
        self, job: NemoEvalJob, facts: Facts, step: Step, evaluator: Evaluator
    ) -> tuple[NemoEvalJob, Facts]:
        """Do a step that is about the evaluator; facts tell where it failed and may fail."""
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
            # A deletion is bounded: what could not be done is weighed, not repeated for ever.
            await self._learn_of_failure(job, evaluator, error, operation_of(step))
            return job, replace(facts, failed=True)

    async def _advance(
        self, job: NemoEvalJob, facts: Facts, step: Step, evaluator: Evaluator
    ) -> tuple[NemoEvalJob, Facts]:
        client = evaluator.client.about(key_of(job))
        match step:
            case AcquireSlot():
                return job, replace(facts, slot_decision=evaluator.slot_pool.ask(job))
            case SubmitJob(claim):
                usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
                job = await self._submitter.submit(job, usable, evaluator, claim=claim)
                return job, replace(facts, lookup=None, slot_decision=None)
            case FindJob():
                return job, replace(facts, lookup=await self._finder.find(job, step, evaluator))
            case CancelJob(job_id):
                return await self._cancel(job, facts, job_id, evaluator)
            case DeleteJob(job_id):
                await self._remote_jobs.delete(client, job_id)
                return job, replace(facts, deleted=facts.deleted | {job_id})
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
        return job, replace(facts, cancel_asked=True, remote=remote)

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
        for event in (event_of_ignored_ttl(before, job), event_of_ignored_rerun(before, job)):
            if event is not None:
                await self._objects.tell(job, event)
        if (job.status.attempt, job.status.job_id) == (before.status.attempt, before.status.job_id):
            return job, facts
        if before.status.job_id is None and job.status.job_id is not None:
            self._metrics.adopted()
        # Another remote job asks other questions, and what was known of the last one is not true of it.
        return job, await self._facts(job)

    async def _facts(self, job: NemoEvalJob) -> Facts:
        """Ask for what the decision about this job will need, and for nothing else."""
        facts = Facts(now=datetime.now(UTC), settle=self._settle)
        status, deleting = job.status, job.metadata.deletion_timestamp is not None
        if status.completion_time is not None and not deleting:
            return facts
        if status.job_id is None and not deleting:
            facts = replace(facts, benchmark=await self._benchmark_of.read(job))
            if isinstance(facts.benchmark, BenchmarkUnusable) and not is_bound(job):
                return facts
        usable = facts.benchmark if isinstance(facts.benchmark, NemoBenchmark) else None
        facts = replace(facts, evaluator=await self._choose(job, usable))
        evaluator = await self._evaluator_of(key_of(job), facts)
        if status.job_id is None or not depends_on_remote(job) or evaluator is None:
            return facts
        remote = evaluator.tracker.take_news(key_of(job), status.job_id)
        if isinstance(remote, RemoteUnclear) and deleting:
            remote = None
        if remote is None and (deleting or not snapshot_in_status(status).is_live):
            remote = await self._try_to_observe(job, status.job_id, evaluator)
        return replace(facts, remote=remote)

    async def _choose(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None
    ) -> EvaluatorUsed | EvaluatorUnusable:
        try:
            async with limit(release_job_seconds(job, datetime.now(UTC))):
                return await self._resolver.of_job(job, benchmark)
        except EvaluatorError as error:
            return EvaluatorUnusable(Reason.INTERNAL_ERROR, error.detail)

    async def _with_message(self, job: NemoEvalJob, facts: Facts, evaluator: Evaluator | None) -> Facts:
        """Mask what the evaluator's text must not show: it is about to be written into status."""
        remote = facts.remote
        if evaluator is None or not isinstance(remote, RemoteJob):
            return facts
        if not remote.is_unclear and remote.status != JobStatus.FAILED:
            return facts
        if remote.status_details.masked_message is None:
            remember(evaluator.client, key_of(job), await self._secrets.recall(job))
            facts = replace(facts, remote=remote.hiding(evaluator.client.known.of(key_of(job))))
        return facts

    def _until_recheck(self, facts: Facts) -> float | None:
        """Raises RetryLater where the benchmark may be another operator's, which will not wake us."""
        if isinstance(facts.benchmark, BenchmarkUnusable) and self._selector.requirements:
            raise RetryLater
        unusable = (facts.benchmark, facts.evaluator)
        waits = any(isinstance(one, BenchmarkUnusable | EvaluatorUnusable) for one in unusable)
        return spread(WAITING_RECHECK_SECONDS) if waits else None

    async def _try_to_observe(
        self, job: NemoEvalJob, job_id: str, evaluator: Evaluator
    ) -> RemoteJob | RemoteGone | None:
        """None where the evaluator does not answer, which must not stop a deletion."""
        deleting = job.metadata.deletion_timestamp is not None
        if deleting and evaluator.breaker.outage is not None:
            return None
        try:
            async with limit(release_job_seconds(job, datetime.now(UTC))):
                remote = await self._remote_jobs.observe(evaluator.client.about(key_of(job)), job_id)
                evaluator.tracker.saw(key_of(job), remote)
                return remote
        except EvaluatorError as error:
            await self._learn_of_failure(job, evaluator, error, Operation.READ_JOB)
            return None

    async def _learn_of_failure(
        self, job: NemoEvalJob, evaluator: Evaluator, error: EvaluatorError, operation: Operation
    ) -> None:
        """Of many deletions only the first few may find out by themselves that nobody answers."""
        logger.info("%s/%s: %s", job.metadata.namespace, job.metadata.name, error)
        if release_job_seconds(job, datetime.now(UTC)) != 0:
            await evaluator.breaker.record_failure(error, operation)

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

    def _keep(self, job: NemoEvalJob, evaluator: Evaluator | None) -> None:
        self._job_index.keep(job, evaluator)
        status = job.status
        if status.completion_time is not None:
            self._wake_waiters(key_of(job))
        if status.completion_time is not None or (evaluator is not None and status.job_id is not None):
            # It is where it is, and whoever closes that evaluator wakes it.
            self._resolver.untrack(key_of(job))

    def _wake_waiters(self, key: ObjectKey) -> None:
        """Judge the jobs whose gates wait for this one, which has ended or is gone."""
        for waiting in self._gates.waiters.take(key):
            self._queue.add(waiting)

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

"""Reconciler of NemoBenchmarks: keeps the config in the evaluator equal to the object."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.kube import KubeClient, ObjectGone, ObjectKey, key_of
from nemo_eval_operator.lifecycle import (
    Operation,
    Retry,
    event_of_moved_config,
    meaning_of,
    read_benchmark,
    reason_of,
)
from nemo_eval_operator.lifecycle.benchmark import (
    BenchmarkFacts,
    check_config,
    decide_benchmark,
    release_benchmark_seconds,
)
from nemo_eval_operator.lifecycle.benchmark import status as benchmark_status
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from nemo_eval_operator.lifecycle.requests import (
    AllowedHosts,
    Tenancy,
    UnusableDataset,
    UnusableSpec,
    check_hosts,
    check_places,
    config_body,
    with_rows,
)
from nemo_eval_operator.lifecycle.steps import AddFinalizer, RemoveFinalizer, RequeueAfter, WriteStatus
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.datasets import ConfigMapMissing
from nemo_eval_operator.reconcile.deadline import limit
from nemo_eval_operator.reconcile.lanes import lane_at, put_in_lane
from nemo_eval_operator.reconcile.objects import (
    FINALIZER_RECHECK_SECONDS,
    FinalizerRefused,
    ObjectWriter,
    Problem,
    is_selected,
    problem_of,
)
from nemo_eval_operator.reconcile.outcomes import OutcomeWriter
from nemo_eval_operator.reconcile.secrets import SECRET_RECHECK_SECONDS, SecretMissing, SecretReader, remember
from nemo_eval_operator.reconcile.waiters import BenchmarkWaiters
from nemo_eval_operator.resources import BenchmarkStatus, EvaluatorUsed, LabelSelector, NemoBenchmark
from nemo_eval_operator.runtime.backoff import spread
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import Evaluator, EvaluatorResolver, Evaluators
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

from .facts import RESYNC_SECONDS, SOURCES_RESYNC_SECONDS, BenchmarkFactsReader
from .remote_configs import do_config_step, operation_of

__all__ = ["BenchmarkReconciler"]

logger = logging.getLogger(__name__)

MAX_STEPS: Final = 12
"""Maximum steps in one reconcile. The longest, a replaced config, takes eight; more is a bug."""

EVALUATOR_RECHECK_SECONDS: Final = 60.0
"""Seconds. A new or changed connection wakes its benchmarks; this is for a missed wake-up."""


class BenchmarkReconciler:
    """Reconciles one NemoBenchmark at a time until it has to wait."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        evaluators: Evaluators,
        resolver: EvaluatorResolver,
        queue: WorkQueue,
        waiting: BenchmarkWaiters,
        secrets: SecretReader,
        metrics: Metrics,
        selector: LabelSelector,
        tenancy: Tenancy,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self._tenancy = tenancy
        self._hosts = hosts or AllowedHosts()
        self._kube = kube
        self._evaluators = evaluators
        self._resolver = resolver
        self._queue = queue
        self._waiting = waiting
        self._selector = selector
        self._facts = BenchmarkFactsReader(kube, secrets, tenancy)
        self._objects = ObjectWriter(kube, metrics)
        self._outcomes = OutcomeWriter(kube, self._objects)

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Return the seconds until the next look at the benchmark. Raises RetryLater, KubeError."""
        document, too_large = await self._kube.read(key)
        if document is None or not is_selected(document, self._selector):
            self._forget(key)
            return None
        benchmark, unreadable = read_benchmark(document)
        try:
            return await self._pursue_if_valid(benchmark, problem_of(unreadable, too_large))
        except ObjectGone:
            self._forget(key)
            return None

    async def _pursue_if_valid(self, benchmark: NemoBenchmark, problem: Problem | None) -> float | None:
        """Reconcile unless the object is invalid. Raises ObjectGone, also while a refusal is written."""
        try:
            if problem is not None and benchmark.metadata.deletion_timestamp is None:
                reason, message = problem
                status = benchmark_status.invalid(benchmark, _now(), message, reason=reason)
                await self._tell(benchmark, status)
                return None
            return await self._pursue(benchmark)
        except FinalizerRefused as refused:
            invalid = benchmark_status.invalid(benchmark, _now(), str(refused), reason=refused.reason)
            await self._tell(benchmark, invalid)
            raise RetryLater(at_most=FINALIZER_RECHECK_SECONDS) from refused

    def _forget(self, key: ObjectKey) -> None:
        """Drop what is kept about an object that is gone or is another operator's."""
        self._queue.states.forget(key)
        self._wake_jobs(key)

    async def _pursue(self, benchmark: NemoBenchmark) -> float | None:
        try:
            deleting = benchmark.metadata.deletion_timestamp is not None
            if not deleting:
                check_places(benchmark)
            sources = await self._facts.read_sources(benchmark)
            sent = benchmark if deleting else with_rows(benchmark, sources.datasets.rows)
            desired = config_body(sent, sources.secrets.values, cluster=self._tenancy.cluster)
            if not deleting:
                check_config(benchmark, desired, self._tenancy)
                paths = [f"config.{path}" for path in sources.secrets.values]
                check_hosts({"config": desired}, self._hosts, secret_paths=paths)
        except (SecretMissing, ConfigMapMissing) as error:
            await self._tell(
                benchmark, benchmark_status.source_missing(benchmark, _now(), error.reason, str(error))
            )
            raise RetryLater(at_most=SECRET_RECHECK_SECONDS) from error
        except UnusableSpec as error:
            invalid = benchmark_status.invalid(benchmark, _now(), str(error), reason=error.reason)
            await self._tell(benchmark, invalid)
            # A ConfigMap is not watched: that it was corrected is noticed by reading it again.
            return spread(SOURCES_RESYNC_SECONDS) if isinstance(error, UnusableDataset) else None
        chosen = await self._choose(benchmark)
        if isinstance(chosen, EvaluatorUnusable) and benchmark.metadata.deletion_timestamp is None:
            await self._tell(benchmark, benchmark_status.without_evaluator(benchmark, _now(), chosen))
            return spread(EVALUATOR_RECHECK_SECONDS)
        used = chosen if isinstance(chosen, EvaluatorUsed) else None
        put_in_lane(self._queue.states, key_of(benchmark), used)
        evaluator = self._evaluators.find(used) if used is not None else None
        if evaluator is not None:
            await self._queue.enter(key_of(benchmark), lane_at(evaluator.used))
            remember(evaluator.client, key_of(benchmark), sources.secrets.given)
        facts = await self._facts.gather(benchmark, desired, sources, evaluator)
        return await self._step_by_step(benchmark, facts, evaluator)

    async def _choose(self, benchmark: NemoBenchmark) -> EvaluatorUsed | EvaluatorUnusable:
        try:
            async with limit(release_benchmark_seconds(benchmark, _now())):
                return await self._resolver.of_benchmark(benchmark)
        except EvaluatorError as error:
            return EvaluatorUnusable(Reason.INTERNAL_ERROR, error.detail)

    async def _step_by_step(
        self, benchmark: NemoBenchmark, facts: BenchmarkFacts, evaluator: Evaluator | None
    ) -> float | None:
        for _ in range(MAX_STEPS):
            facts = replace(facts, now=_now())
            match decide_benchmark(benchmark, facts):
                case RequeueAfter(seconds):
                    self._wake_jobs(key_of(benchmark))
                    return None if seconds is None else spread(seconds)
                case WriteStatus():
                    benchmark = await self._record(benchmark, facts)
                case AddFinalizer():
                    benchmark = await self._objects.claim(benchmark, facts.evaluator)
                case RemoveFinalizer(left_behind):
                    await self._objects.remove_finalizer(benchmark, left_behind=left_behind)
                    return None
                case step:
                    if evaluator is None:
                        # It became another one since it was chosen.
                        raise RetryLater
                    try:
                        async with limit(release_benchmark_seconds(benchmark, _now())):
                            client = evaluator.client.about(key_of(benchmark))
                            facts = await do_config_step(step, client, benchmark, facts)
                    except EvaluatorError as error:
                        if benchmark.metadata.deletion_timestamp is None:
                            return await self._put_off(benchmark, evaluator, error, operation_of(step))
                        await self._learn_of_failure(benchmark, evaluator, error, operation_of(step))
                        facts = replace(facts, failed=True)
        logger.error("%s did not converge after %d steps", key_of(benchmark), MAX_STEPS)
        raise RetryLater

    async def _record(self, benchmark: NemoBenchmark, facts: BenchmarkFacts) -> NemoBenchmark:
        """Write the status that was decided; where others wrote the object, on what they wrote."""

        def decided(latest: NemoBenchmark) -> BenchmarkStatus:
            step = decide_benchmark(latest, facts)
            return step.status if isinstance(step, WriteStatus) else latest.status

        recorded = await self._outcomes.record(benchmark, decided)
        self._wake_jobs_of_change(benchmark, recorded)
        if moved := event_of_moved_config(benchmark.status, recorded.status):
            await self._objects.post_event(recorded, moved)
        return recorded

    async def _learn_of_failure(
        self, benchmark: NemoBenchmark, evaluator: Evaluator, error: EvaluatorError, operation: Operation
    ) -> None:
        """Record a failure during a deletion, so that other deletions do not wait for the same evaluator."""
        logger.info("%s: %s", key_of(benchmark), error)
        if release_benchmark_seconds(benchmark, _now()):
            await evaluator.breaker.record_failure(error, operation)

    async def _put_off(
        self, benchmark: NemoBenchmark, evaluator: Evaluator, error: EvaluatorError, operation: Operation
    ) -> float:
        """Write what the error means; return the seconds until the next look, or raise RetryLater."""
        meaning = meaning_of(error, operation)
        await evaluator.breaker.record_failure(error, operation)
        if evaluator.breaker.outage is not None:
            evaluator.breaker.wait(key_of(benchmark))
        # An evaluator that has refused the config itself is reported as that, however its connection stands.
        stalled = None if meaning.blames_object else await self._resolver.stalled(evaluator.used)

        def outcome(latest: NemoBenchmark) -> BenchmarkStatus:
            if stalled is None:
                return benchmark_status.failing(latest, _now(), error, operation)
            return benchmark_status.without_evaluator(latest, _now(), stalled)

        recorded = await self._outcomes.record(benchmark, outcome)
        self._wake_jobs_of_change(benchmark, recorded)
        if meaning.retry is Retry.NEVER:
            return RESYNC_SECONDS
        raise RetryLater(meaning.retry_seconds) from error

    async def _tell(self, benchmark: NemoBenchmark, status: BenchmarkStatus) -> None:
        """Write why the config is not in the evaluator; the jobs that wait for it repeat that."""
        self._wake_jobs_of_change(benchmark, await self._objects.record(benchmark, status))

    def _wake_jobs_of_change(self, before: NemoBenchmark, after: NemoBenchmark) -> None:
        """Wake the waiting jobs where a reason is new; another message alone is not worth as many writes."""

        def seen_by_jobs(status: BenchmarkStatus) -> tuple[object, ...]:
            return status.observed_generation, reason_of(status.conditions)

        if seen_by_jobs(before.status) != seen_by_jobs(after.status):
            self._wake_jobs(key_of(after))

    def _wake_jobs(self, benchmark: ObjectKey) -> None:
        for job in self._waiting.take(benchmark):
            self._queue.add(job)


def _now() -> datetime:
    return datetime.now(UTC)

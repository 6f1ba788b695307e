"""The benchmark that a job refers to, if the job can be run with it now."""

from __future__ import annotations

from pydantic import ValidationError

from nemo_eval_operator.kube import KubeClient, ObjectKey, ObjectTooLarge, key_of
from nemo_eval_operator.lifecycle.benchmark import (
    has_new_config_maps,
    has_new_secrets,
    was_ready,
    was_reconciled,
)
from nemo_eval_operator.lifecycle.job import BenchmarkUnusable
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile.datasets import DatasetReader
from nemo_eval_operator.reconcile.objects import first_problem
from nemo_eval_operator.reconcile.secrets import SecretReader
from nemo_eval_operator.reconcile.waiters import BenchmarkWaiters
from nemo_eval_operator.resources import BENCHMARK_PLURAL, NemoBenchmark, NemoEvalJob
from nemo_eval_operator.workqueue import WorkQueue

__all__ = ["BenchmarkOfJob"]


class BenchmarkOfJob:
    """Reads benchmarks afresh. A job waits for an unusable one, and is woken when it is ready."""

    def __init__(
        self, kube: KubeClient, queue: WorkQueue, waiting: BenchmarkWaiters, secrets: SecretReader
    ) -> None:
        self._kube = kube
        self._queue = queue
        self._waiting = waiting
        self._secrets = secrets
        self._datasets = DatasetReader(kube)

    async def read(self, job: NemoEvalJob) -> NemoBenchmark | BenchmarkUnusable | None:
        """Return the job's benchmark; None where the job brings its own config. Raises KubeError."""
        if job.spec.benchmark_ref is None:
            return None
        key = ObjectKey(BENCHMARK_PLURAL, job.metadata.namespace, job.spec.benchmark_ref.name)
        # Before the read: a benchmark that becomes ready in between would not wake the job.
        self._waiting.add(benchmark=key, job=key_of(job))
        try:
            document = await self._kube.get(key)
        except ObjectTooLarge as problem:
            return BenchmarkUnusable(Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {key.name}: {problem}")
        if document is None:
            return BenchmarkUnusable(
                Reason.BENCHMARK_NOT_FOUND, f"there is no NemoBenchmark {key.name} in {key.namespace}"
            )
        try:
            benchmark = NemoBenchmark.model_validate(document)
        except ValidationError as error:
            return BenchmarkUnusable(
                Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {key.name}: {first_problem(error)}"
            )
        if not was_reconciled(benchmark):
            said = "it has not been reconciled yet"
            return BenchmarkUnusable(
                Reason.BENCHMARK_RECONCILING, f"NemoBenchmark {key.name} is not ready: {said}"
            )
        if not was_ready(benchmark) or benchmark.metadata.deletion_timestamp is not None:
            said = benchmark.status.message or "it is not in the evaluator"
            return BenchmarkUnusable(
                Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {key.name} is not ready: {said}"
            )
        if has_new_secrets(benchmark, await self._secrets.versions(benchmark)):
            self._queue.add(key)
            said = "its Secrets were changed or deleted; it is being reconciled"
            return BenchmarkUnusable(
                Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {key.name} is not ready: {said}"
            )
        if has_new_config_maps(benchmark, await self._datasets.versions(benchmark)):
            self._queue.add(key)
            said = "its ConfigMaps were changed or deleted; it is being reconciled"
            return BenchmarkUnusable(
                Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {key.name} is not ready: {said}"
            )
        self._waiting.drop(benchmark=key, job=key_of(job))
        return benchmark

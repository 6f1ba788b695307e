"""Jobs that wait for a benchmark, so that they are reconciled when it becomes ready."""

from __future__ import annotations

from collections import defaultdict

from nemo_eval_operator.kube import ObjectKey

__all__ = ["BenchmarkWaiters"]


class BenchmarkWaiters:
    """Keys of jobs by the key of the benchmark that they wait for."""

    def __init__(self) -> None:
        self._jobs: defaultdict[ObjectKey, set[ObjectKey]] = defaultdict(set)

    def add(self, *, benchmark: ObjectKey, job: ObjectKey) -> None:
        self._jobs[benchmark].add(job)

    def drop(self, *, benchmark: ObjectKey, job: ObjectKey) -> None:
        self._jobs[benchmark].discard(job)
        if not self._jobs[benchmark]:
            del self._jobs[benchmark]

    def forget(self, job: ObjectKey) -> None:
        """The job is gone."""
        for benchmark in [waited for waited, jobs in self._jobs.items() if job in jobs]:
            self.drop(benchmark=benchmark, job=job)

    def take(self, benchmark: ObjectKey) -> set[ObjectKey]:
        """The jobs that wait for `benchmark`, which from now on do not."""
        return self._jobs.pop(benchmark, set())

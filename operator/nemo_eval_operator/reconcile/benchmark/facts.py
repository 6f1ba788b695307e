"""Facts about a NemoBenchmark: its Secrets, its ConfigMaps, and the jobs that use its config."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeClient, key_of
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.lifecycle.benchmark import BenchmarkFacts, is_used_by
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reconcile.datasets import DatasetReader, ReadDatasets
from nemo_eval_operator.reconcile.secrets import ReadSecrets, SecretReader
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoBenchmark
from nemo_eval_operator.sessions import Evaluator

__all__ = ["RESYNC_SECONDS", "SOURCES_RESYNC_SECONDS", "BenchmarkFactsReader", "Sources"]

RESYNC_SECONDS: Final = 300.0
"""Seconds between comparisons of an unchanged benchmark with the evaluator, one GET each: drift is rare."""

SOURCES_RESYNC_SECONDS: Final = 60.0
"""The same for a benchmark that refers to Secrets or ConfigMaps, which are not watched.

The submission of a job compares them as well.
"""


class Sources(NamedTuple):
    """Contents of the Secrets and ConfigMaps that a benchmark refers to."""

    secrets: ReadSecrets
    datasets: ReadDatasets


class BenchmarkFactsReader:
    """Reads the facts that decide_benchmark needs from the Kubernetes API."""

    def __init__(self, kube: KubeClient, secrets: SecretReader, tenancy: Tenancy) -> None:
        self._kube = kube
        self._secrets = secrets
        self._datasets = DatasetReader(kube)
        self._tenancy = tenancy

    async def read_sources(self, benchmark: NemoBenchmark) -> Sources:
        """Read the Secrets and ConfigMaps that the spec refers to. Raises SecretMissing, ConfigMapMissing."""
        if benchmark.metadata.deletion_timestamp is not None:
            # A deletion must not wait for a Secret or ConfigMap that was deleted with the namespace.
            return Sources(ReadSecrets({}, []), ReadDatasets())
        return Sources(await self._secrets.read(benchmark), await self._datasets.read(benchmark))

    async def gather(
        self,
        benchmark: NemoBenchmark,
        desired: JsonObject,
        sources: Sources,
        evaluator: Evaluator | None,
    ) -> BenchmarkFacts:
        """Return the facts known before the evaluator is called; for a deletion, also who uses the config."""
        secrets, datasets = sources
        unwatched = bool(benchmark.spec.values_from or datasets.versions)
        facts = BenchmarkFacts(
            now=datetime.now(UTC),
            desired=desired,
            tenancy=self._tenancy,
            secrets=secrets.versions,
            evaluator=evaluator.used if evaluator else None,
            datasets=datasets.rows,
            config_maps=datasets.versions,
            resync_seconds=SOURCES_RESYNC_SECONDS if unwatched else RESYNC_SECONDS,
        )
        if evaluator is not None:
            facts = replace(facts, hide=evaluator.client.known.of(key_of(benchmark)).hide_in_name)
        if benchmark.metadata.deletion_timestamp is None:
            return facts
        namespace = benchmark.metadata.namespace
        users: list[str] = []
        # Only names are kept: the jobs of a namespace may be larger than this process may grow.
        async for document in self._kube.list_all(EVALJOB_PLURAL, namespace):
            job, _ = read_job(document)
            if is_used_by(benchmark, job):
                users.append(job.metadata.name)
        failed = evaluator is None or evaluator.breaker.outage is not None
        return replace(facts, users=tuple(users), failed=failed)

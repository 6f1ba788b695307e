"""Reads what a report is made of, with the user's rights. What they do not suffice for is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from nemo_eval_operator.gates import Evidence
from nemo_eval_operator.json_types import JSON_OBJECT, JsonObject
from nemo_eval_operator.kept_evidence import EvidenceMissing, load_evidence
from nemo_eval_operator.kube import ConfigMap, KubeForbidden, KubeRefused, ObjectKey, Outdated
from nemo_eval_operator.lifecycle import read_benchmark, read_job
from nemo_eval_operator.lifecycle.requests import CONFIG_KEY
from nemo_eval_operator.plugin.access import Cluster, explain
from nemo_eval_operator.resources import (
    BENCHMARK_PLURAL,
    EVALJOB_PLURAL,
    BaselineUsed,
    EvidenceRef,
    NemoBenchmark,
    NemoEvalJob,
)

__all__ = ["Baseline", "Documents", "KeptResults", "RunDocuments", "read_documents"]

MAX_LISTED: Final = 5_000
"""Jobs of the namespace that the history is looked for in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptResults:
    """What is kept of a run's results."""

    run: str
    evidence: Evidence | None = None
    document: JsonObject | None = None
    config: str | None = None
    """The config that was measured, as JSON."""
    notes: tuple[str, ...] = ()
    """What could not be read, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocuments:
    """One run, its benchmark where it can be read, and what is kept of its results."""

    job: NemoEvalJob
    kept: KeptResults
    benchmark: NemoBenchmark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The baseline of a run's gate."""

    used: BaselineUsed
    kept: KeptResults
    job: NemoEvalJob | None = None
    """None: it was deleted or run again since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """All that a report is built from."""

    runs: tuple[RunDocuments, ...]
    baseline: Baseline | None = None
    """The baseline of the gate of the only run."""
    siblings: tuple[NemoEvalJob, ...] = ()
    """Runs of the same benchmarks that have scores, in no order."""
    notes: tuple[str, ...] = ()


async def read_documents(cluster: Cluster, names: Sequence[str], *, history: bool = True) -> Documents:
    """Return what the user may read of the runs. Raises CommandFailed, KubeError.

    `history` False: without the list of the namespace's other runs.
    """
    jobs = [await cluster.job(name) for name in dict.fromkeys(names)]
    runs = tuple([await _run(cluster, job) for job in jobs])
    baseline = await _baseline(cluster, jobs[0]) if len(jobs) == 1 else None
    try:
        siblings = await _siblings(cluster, jobs) if history else ()
    except (KubeForbidden, KubeRefused, Outdated) as error:
        note = f"The history is not shown: {explain(error)}"
        return Documents(runs=runs, baseline=baseline, notes=(note,))
    return Documents(runs=runs, baseline=baseline, siblings=siblings)


async def _run(cluster: Cluster, job: NemoEvalJob) -> RunDocuments:
    kept = await _kept(cluster, job, job.status.evidence_ref)
    return RunDocuments(job=job, kept=kept, benchmark=await _benchmark(cluster, job))


async def _kept(cluster: Cluster, job: NemoEvalJob, reference: EvidenceRef | None) -> KeptResults:
    notes: list[str] = []
    document, config = await _results(cluster, job, notes)
    evidence = await _evidence(cluster, job, reference, notes)
    return KeptResults(
        run=job.metadata.name,
        evidence=evidence,
        document=document,
        config=config,
        notes=tuple(dict.fromkeys(notes)),
    )


async def _results(
    cluster: Cluster, job: NemoEvalJob, notes: list[str]
) -> tuple[JsonObject | None, str | None]:
    reference = job.status.results_ref
    if reference is None or reference.config_map is None or reference.key is None:
        return None, None
    try:
        found = await cluster.kube.read_config_map(job.metadata.namespace, reference.config_map)
    except (KubeForbidden, KubeRefused) as error:
        notes.append(f"Results are not shown: {explain(error)}")
        return None, None
    if found is None or reference.key not in found.texts:
        notes.append(f"Results are not shown: ConfigMap {reference.config_map} has no {reference.key}")
        return None, None
    return await _parsed(found, reference.key, notes), found.texts.get(CONFIG_KEY)


async def _parsed(found: ConfigMap, key: str, notes: list[str]) -> JsonObject | None:
    try:
        return await asyncio.to_thread(JSON_OBJECT.validate_json, found.texts[key])
    except ValidationError:
        notes.append(f"Results are not shown: {key} is not a JSON object")
        return None


async def _evidence(
    cluster: Cluster, job: NemoEvalJob, reference: EvidenceRef | None, notes: list[str]
) -> Evidence | None:
    if reference is None and job.status.results_ref is None:
        return None
    try:
        return await load_evidence(cluster.kube, job.metadata.namespace, reference, job.status.results_ref)
    except EvidenceMissing as error:
        notes.append(f"Items are not shown: {error}")
    except (KubeForbidden, KubeRefused) as error:
        notes.append(f"Items are not shown: {explain(error)}")
    return None


async def _benchmark(cluster: Cluster, job: NemoEvalJob) -> NemoBenchmark | None:
    if job.spec.benchmark_ref is None:
        return None
    key = ObjectKey(BENCHMARK_PLURAL, job.metadata.namespace, job.spec.benchmark_ref.name)
    try:
        found, _ = await cluster.kube.read(key)
    except KubeForbidden:
        return None
    return None if found is None else read_benchmark(found)[0]


async def _baseline(cluster: Cluster, job: NemoEvalJob) -> Baseline | None:
    """Return the baseline of the run's gate: its evidence is kept even where the run was deleted."""
    used = job.status.gate.baseline if job.status.gate else None
    if used is None:
        return None
    copy = (
        EvidenceRef(config_map=used.config_map, digest=used.digest)
        if used.config_map and used.digest
        else None
    )
    try:
        found, _ = await cluster.kube.read(cluster.key(used.name))
    except KubeForbidden:
        found = None
    run = None if found is None else read_job(found)[0]
    if run is not None and (run.metadata.uid, run.status.attempt or 1) == (used.uid, used.attempt):
        return Baseline(used=used, kept=await _kept(cluster, run, copy or run.status.evidence_ref), job=run)
    notes = [] if copy else [f"{used.name} was deleted or evaluated again, and its scores are not kept"]
    evidence = await _evidence(cluster, job, copy, notes) if copy else None
    return Baseline(used=used, kept=KeptResults(run=used.name, evidence=evidence, notes=tuple(notes)))


async def _siblings(cluster: Cluster, jobs: Sequence[NemoEvalJob]) -> tuple[NemoEvalJob, ...]:
    names = {job.spec.benchmark_ref.name for job in jobs if job.spec.benchmark_ref is not None}
    found: list[NemoEvalJob] = []
    listed = 0
    if not names:
        return ()
    async for document in cluster.kube.list_all(EVALJOB_PLURAL, cluster.namespace):
        listed += 1
        if listed > MAX_LISTED:
            break
        match document:
            case {"spec": {"benchmarkRef": {"name": str(name)}}, "status": {"scores": [*_]}} if name in names:
                found.append(read_job(document)[0])
            case _:
                pass
    return tuple(found)

"""Checks of a new run against the cluster, before it is created."""

from __future__ import annotations

from collections.abc import Mapping

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeForbidden, ObjectKey
from nemo_eval_operator.lifecycle import read_benchmark
from nemo_eval_operator.resources import BENCHMARK_PLURAL, NemoBenchmark, NemoEvalJob

from .access import Cluster
from .gate_scores import check_scores, earlier_runs
from .run_checks import refuse_a_missing_target, refuse_a_model, refuse_another_config

__all__ = ["check_benchmark", "check_run"]


async def check_benchmark(cluster: Cluster, name: str) -> None:
    """Raise CommandFailed where a run without a target names a benchmark that needs one of recorded answers.

    Raises KubeError.
    """
    if (found := await _benchmark(cluster, name)) is not None:
        refuse_a_missing_target(found.spec)


async def check_run(
    cluster: Cluster, spec: JsonObject, *, like: NemoEvalJob | None, given: Mapping[str, str]
) -> list[str]:
    """Return warnings about a run with this spec.

    `like`: the run of that option. `given`: the options of what is measured, by the path that each sets.
    Raises CommandFailed where its benchmark or baseline does not exist, or where it would certainly fail, as
    far as the user may see what it refers to; KubeError.
    """
    benchmark = None
    match spec:
        case {"benchmarkRef": {"name": str(name)}}:
            benchmark = await _benchmark(cluster, name)
        case _:
            pass
    if benchmark is not None or "config" in spec:
        refuse_a_model(spec, benchmark.spec if benchmark else None)
    match spec:
        case {"gate": {"baseline": {"jobRef": {"name": str(name)}}}}:
            is_read = like is not None and like.metadata.name == name
            baseline = like if is_read else await _baseline(cluster, name)
            if baseline is not None:
                refuse_another_config(spec, baseline, like=like, given=given)
        case _:
            pass
    if "gate" not in spec:
        return []
    return check_scores(spec, await earlier_runs(cluster, spec, benchmark))


async def _benchmark(cluster: Cluster, name: str) -> NemoBenchmark | None:
    """Return the benchmark; None where the user may not read it."""
    key = ObjectKey(BENCHMARK_PLURAL, cluster.namespace, name)
    try:
        found, _ = await cluster.kube.read(key)
    except KubeForbidden:
        # The operator reports a name that does not exist, in the run's conditions.
        return None
    if found is None:
        raise await cluster.not_found(
            key, "NemoBenchmark", f"kubectl get nemobenchmarks -n {cluster.namespace}"
        )
    return read_benchmark(found)[0]


async def _baseline(cluster: Cluster, name: str) -> NemoEvalJob | None:
    """Return the run; None where the user may not read it."""
    try:
        return await cluster.job(name)
    except KubeForbidden:
        return None

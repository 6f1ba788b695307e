"""Checks of a new run against the cluster, before it is created."""

from __future__ import annotations

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeForbidden, ObjectKey
from nemo_eval_operator.lifecycle import read_benchmark
from nemo_eval_operator.resources import BENCHMARK_PLURAL, NemoBenchmark

from .access import Cluster
from .exit_codes import CommandFailed, ExitCode
from .gate_scores import check_scores, earlier_runs
from .run_checks import refuse_a_model, refuse_another_config

__all__ = ["check_run"]


async def check_run(cluster: Cluster, spec: JsonObject) -> list[str]:
    """Return warnings about a run with this spec.

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
            await _check_baseline(cluster, spec, name)
        case _:
            pass
    if "gate" not in spec:
        return []
    return check_scores(spec, await earlier_runs(cluster, spec, benchmark))


async def _benchmark(cluster: Cluster, name: str) -> NemoBenchmark | None:
    """Return the benchmark; None where the user may not read it."""
    try:
        found, _ = await cluster.kube.read(ObjectKey(BENCHMARK_PLURAL, cluster.namespace, name))
    except KubeForbidden:
        # The operator reports a name that does not exist, in the run's conditions.
        return None
    if found is None:
        raise CommandFailed(
            f"NemoBenchmark {name} was not found in namespace {cluster.namespace}; "
            f"list those that exist with `kubectl get nemobenchmarks -n {cluster.namespace}`",
            ExitCode.NOT_FOUND,
        )
    return read_benchmark(found)[0]


async def _check_baseline(cluster: Cluster, spec: JsonObject, name: str) -> None:
    try:
        baseline = await cluster.job(name)
    except KubeForbidden:
        return
    refuse_another_config(spec, baseline)

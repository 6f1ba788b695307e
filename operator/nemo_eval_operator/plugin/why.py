"""`kubectl nemoeval why`: reads a run with all that it refers to, and shows the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import CoreEvent, KubeError, KubeForbidden, ObjectKey
from nemo_eval_operator.lifecycle import read_benchmark, read_connection
from nemo_eval_operator.lifecycle.connection import connection_name, defaults_among, referred_connection
from nemo_eval_operator.resources import (
    BENCHMARK_PLURAL,
    CONNECTION_PLURAL,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
    ObjectMeta,
)

from .access import Cluster, explain
from .links import Facts, Unreadable

__all__ = ["read_facts"]


async def read_facts(cluster: Cluster, name: str) -> Facts:
    """Return what the user may read of the run. Raises CommandFailed, KubeError."""
    job = await cluster.job(name)
    benchmark = await _benchmark(cluster, job)
    connection, subject = await _connection(cluster, job, benchmark)
    metas = [job.metadata]
    metas += [one.metadata for one in (benchmark, connection) if one and not isinstance(one, Unreadable)]
    events, missing = await _events(cluster, metas)
    return Facts(
        job=job,
        benchmark=benchmark,
        connection=connection,
        connection_name=subject,
        events=events,
        events_missing=missing,
    )


async def _object(cluster: Cluster, plural: str, namespace: str, name: str) -> JsonObject | Unreadable:
    try:
        found, _ = await cluster.kube.read(ObjectKey(plural, namespace, name))
    except KubeForbidden as error:
        return Unreadable(str(explain(error)))
    return found or Unreadable(f"{namespace}/{name} does not exist", exists=False)


async def _benchmark(cluster: Cluster, job: NemoEvalJob) -> NemoBenchmark | Unreadable | None:
    ref = job.spec.benchmark_ref
    if ref is None:
        return None
    found = await _object(cluster, BENCHMARK_PLURAL, job.metadata.namespace, ref.name)
    return found if isinstance(found, Unreadable) else read_benchmark(found)[0]


async def _connection(
    cluster: Cluster, job: NemoEvalJob, benchmark: NemoBenchmark | Unreadable | None
) -> tuple[NemoEvaluatorConnection | Unreadable | None, str]:
    """Return the connection and its name; no connection and the URL where the operator's own is used."""
    owners: list[NemoEvalJob | NemoBenchmark] = [job]
    if isinstance(benchmark, NemoBenchmark):
        owners.append(benchmark)
    for owner in owners:
        if (used := owner.status.evaluator) is not None:
            return await _named(cluster, used.connection) if used.connection else (None, used.url)
        if (ref := owner.spec.evaluator_ref) is not None:
            return await _named(cluster, referred_connection(ref, owner.metadata.namespace))
    return await _default(cluster, job.metadata.namespace)


async def _named(cluster: Cluster, name: str) -> tuple[NemoEvaluatorConnection | Unreadable, str]:
    namespace, _, own = name.partition("/")
    found = await _object(cluster, CONNECTION_PLURAL, namespace, own)
    return (found if isinstance(found, Unreadable) else read_connection(found)[0]), name


async def _default(
    cluster: Cluster, namespace: str
) -> tuple[NemoEvaluatorConnection | Unreadable | None, str]:
    try:
        listed = [
            read_connection(one)[0] async for one in cluster.kube.list_all(CONNECTION_PLURAL, namespace)
        ]
    except KubeForbidden as error:
        return Unreadable(str(explain(error))), "default of the namespace"
    default = next(iter(defaults_among(listed)), None)
    return default, connection_name(default) if default else "the operator's NVIDIA_EVALUATOR_URL"


async def _events(
    cluster: Cluster, metas: list[ObjectMeta]
) -> tuple[Mapping[str, tuple[CoreEvent, ...]], str | None]:
    """Return events by uid, and the right that is missing for those that cannot be read."""

    async def of(meta: ObjectMeta) -> tuple[CoreEvent, ...] | KubeError:
        try:
            return tuple(await cluster.user.events_of(meta.namespace, meta.uid))
        except KubeError as error:
            return error

    found = await asyncio.gather(*map(of, metas))
    read = {meta.uid: events for meta, events in zip(metas, found, strict=True) if isinstance(events, tuple)}
    missing = next((str(explain(one)) for one in found if isinstance(one, KubeError)), None)
    return read, missing

"""Reads what `doctor` judges, with the user's rights. A right that is missing is a finding itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Final, TypeVar

from nemo_eval_operator import __version__
from nemo_eval_operator.kube import KubeError, KubeForbidden
from nemo_eval_operator.lifecycle import read_connection, read_job
from nemo_eval_operator.plugin.access import Cluster, explain
from nemo_eval_operator.resources import (
    CONNECTION_PLURAL,
    GROUP,
    VERSION,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)
from nemo_eval_operator.resources.crd import served_schema

from .activity import activity_finding
from .findings import Finding, Level
from .judging import (
    clock_finding,
    connection_finding,
    crd_findings,
    deployment_findings,
    lease_finding,
)

__all__ = ["examine"]

ResultT = TypeVar("ResultT")

LABEL: Final = "app.kubernetes.io/name=nemo-eval-operator"

JOBS: Final = NemoEvalJob.PLURAL

RIGHTS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("get", JOBS, GROUP, "wait, why, results and all other commands with a NAME"),
    ("list", JOBS, GROUP, "get"),
    ("create", JOBS, GROUP, "run"),
    ("patch", JOBS, GROUP, "cancel, suspend, resume and rerun"),
    ("get", NemoBenchmark.PLURAL, GROUP, "why, report and run"),
    ("get", CONNECTION_PLURAL, GROUP, "why and logs"),
    ("list", CONNECTION_PLURAL, GROUP, "why and doctor"),
    ("get", "configmaps", "", "results, rows, compare, report and export"),
    ("list", "events", "", "why"),
    ("get", "secrets", "", "logs, where the connection has credentials"),
)
"""Verb, resource and API group, and the commands that need it."""


async def examine(cluster: Cluster, *, operator_namespace: str, lease: str) -> list[Finding]:
    """Return all findings. Raises KubeError where the API server does not answer at all."""
    before = datetime.now(UTC)
    version, time = await cluster.user.version()
    clock = clock_finding(time, before, datetime.now(UTC))
    now = time or datetime.now(UTC)
    missing = await _missing_namespace(cluster)
    groups = await asyncio.gather(
        _guarded("CRDs", lambda: _crds(cluster)),
        _guarded("operator", lambda: _leases(cluster, operator_namespace, lease, now)),
        _guarded("operator", lambda: _deployments(cluster, operator_namespace)),
        *([] if missing else _checks_of_namespace(cluster, now)),
    )
    findings = (one for group in (missing, *groups) for one in group)
    return [Finding("Kubernetes", Level.OK, version), clock, *findings]


async def _missing_namespace(cluster: Cluster) -> list[Finding]:
    """Return a finding where the namespace certainly does not exist, in which nothing could be found."""
    if not await cluster.lacks_namespace():
        return []
    message = f"{cluster.namespace} does not exist: rights and connections in it were not checked"
    return [Finding("namespace", Level.ERROR, message, "Name another one with -n, or create it.")]


def _checks_of_namespace(cluster: Cluster, now: datetime) -> list[Coroutine[None, None, list[Finding]]]:
    return [
        _guarded("rights", lambda: _rights(cluster)),
        _guarded("connection", lambda: _connections(cluster, now)),
    ]


async def _guarded(check: str, read: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await read()
    except KubeForbidden as error:
        return [Finding(check, Level.WARNING, f"not checked: {explain(error)}")]
    except KubeError as error:
        return [Finding(check, Level.ERROR, f"not checked: {explain(error)}")]


async def _crds(cluster: Cluster) -> list[Finding]:
    kinds = (NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection)
    own = {kind.__name__: served_schema(kind) for kind in kinds}
    return list(crd_findings(own, await cluster.user.served_schemas(), f"{GROUP}/{VERSION}"))


async def _leases(cluster: Cluster, namespace: str, name: str, now: datetime) -> list[Finding]:
    found = await _anywhere(namespace, lambda where: cluster.leases.named(name, where))
    if found:
        return [lease_finding(found, now)]
    try:
        jobs = [read_job(one)[0] async for one in cluster.kube.list_all(JOBS, cluster.namespace)]
    except KubeForbidden:
        jobs = []
    return [activity_finding(jobs, cluster.namespace, now)]


async def _deployments(cluster: Cluster, namespace: str) -> list[Finding]:
    found = await _anywhere(namespace, lambda where: cluster.deployments.labelled(LABEL, where))
    events = {}
    for one in found:
        try:
            events[one.metadata.uid] = await cluster.user.events_of(one.metadata.namespace, one.metadata.uid)
        except KubeForbidden:
            # A user who may read the Deployment sees its pods, which say most.
            continue
    return list(deployment_findings(found, events, __version__))


async def _anywhere(namespace: str, read: Callable[[str | None], Awaitable[list[ResultT]]]) -> list[ResultT]:
    """Return what is in all namespaces, or in the operator's where the user may not read all."""
    try:
        return await read(None)
    except KubeForbidden:
        return await read(namespace)


async def _rights(cluster: Cluster) -> list[Finding]:
    allowed = await asyncio.gather(
        *(cluster.user.may(verb, name, group, cluster.namespace) for verb, name, group, _ in RIGHTS)
    )
    where = f"in namespace {cluster.namespace}"
    missing = [
        Finding(
            "rights",
            Level.WARNING,
            f"you may not {verb} {name} {where}. It is needed for {commands}",
            f"Ask for a Role with the verb {verb} on {'.'.join(filter(None, (name, group)))}.",
        )
        for (verb, name, group, commands), is_allowed in zip(RIGHTS, allowed, strict=True)
        if not is_allowed
    ]
    return missing or [Finding("rights", Level.OK, f"all that the commands need {where}")]


async def _connections(cluster: Cluster, now: datetime) -> list[Finding]:
    listed = cluster.kube.list_all(CONNECTION_PLURAL, cluster.namespace)
    found = [connection_finding(read_connection(one)[0], now) async for one in listed]
    none = f"none in namespace {cluster.namespace}: runs use another namespace's, or the operator's evaluator"
    return found or [Finding("connection", Level.OK, none)]

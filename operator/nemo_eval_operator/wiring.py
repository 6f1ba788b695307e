"""Builds the parts of a running operator and connects them; `app` runs what is built here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import httpx

from nemo_eval_operator.reconcile import (
    BenchmarkReconciler,
    BenchmarkWaiters,
    ConnectionReconciler,
    FastPath,
    JobIndex,
    JobReconciler,
    SecretReader,
    lane_of,
)
from nemo_eval_operator.runtime.heartbeats import Heartbeats
from nemo_eval_operator.runtime.leader import Election
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import (
    HEADERS,
    CredentialsReader,
    Evaluator,
    EvaluatorFactory,
    EvaluatorResolver,
    Evaluators,
    JobLists,
    SecretStore,
    SharedSlots,
)
from nemo_eval_operator.workqueue import ObjectStates, Shares, WorkQueue

from .handlers import Changes, Context, OwnWrites, WatchLiveness
from .kube import Credentials, KubeClient, ObjectKey, pod_namespace
from .resources import NemoBenchmark, NemoEvaluatorConnection
from .settings import Settings
from .transport import transport_to

__all__ = ["Inputs", "Operator", "build_operator", "evaluator_http"]

POLLER_CONNECTIONS: Final = 16
"""Connections to the evaluator in addition to one for each worker, so that no call waits for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the process provides to every part."""

    settings: Settings
    credentials: Credentials
    kube: KubeClient
    http: httpx.AsyncClient
    """Leads to the operator's own evaluator."""
    election: Election | None
    """The election that this process has won; None without leader election."""
    heartbeats: Heartbeats
    metrics: Metrics
    watch_liveness: WatchLiveness
    own_writes: OwnWrites
    start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    """Runs a loop, by its name, in the operator's task group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """The connected parts that `app` runs."""

    queue: WorkQueue
    shares: Shares
    evaluators: Evaluators
    connections: ConnectionReconciler
    fast_path: FastPath
    context: Context
    reconcile: Callable[[ObjectKey], Awaitable[float | None]]
    """Reconcile an object of any kind."""
    loops: list[asyncio.Task[None]]
    """Of the operator's own evaluator; they run already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queueing:
    queue: WorkQueue
    shares: Shares
    waiting: BenchmarkWaiters


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sessions:
    evaluators: Evaluators
    resolver: EvaluatorResolver
    secrets: SecretReader
    job_index: JobIndex
    loops: list[asyncio.Task[None]]


def build_operator(inputs: Inputs) -> Operator:
    """Build all parts and start the loops of the operator's own evaluator."""
    queueing = _queueing(inputs)
    sessions = _sessions(inputs, queueing)
    jobs = _jobs(inputs, queueing, sessions)
    benchmarks = _benchmarks(inputs, queueing, sessions)
    connections = _connections(inputs, queueing, sessions)
    changes = Changes()
    fast_path = FastPath(
        job_index=sessions.job_index,
        evaluators=sessions.evaluators,
        queue=queueing.queue,
        settle=timedelta(seconds=inputs.settings.settle_seconds),
        on_listed=changes.expect,
    )
    context = Context(
        queue=queueing.queue,
        credentials=inputs.credentials,
        is_noted=fast_path.is_noted,
        watch_liveness=inputs.watch_liveness,
        metrics=inputs.metrics,
        changes=changes,
        own_writes=inputs.own_writes,
    )
    inputs.own_writes.on_change = queueing.queue.add
    return Operator(
        queue=queueing.queue,
        shares=queueing.shares,
        evaluators=sessions.evaluators,
        connections=connections,
        fast_path=fast_path,
        context=context,
        reconcile=_by_kind(benchmarks, connections, jobs),
        loops=sessions.loops,
    )


def evaluator_http(settings: Settings, election: Election | None) -> httpx.AsyncClient:
    """Return the client for the operator's own evaluator; it sends nothing without the lease."""
    url, connections = str(settings.evaluator_url), settings.workers + POLLER_CONNECTIONS
    context = httpx.create_ssl_context()
    return httpx.AsyncClient(
        base_url=url,
        transport=transport_to(url, context, connections=connections),
        headers=HEADERS,
        timeout=httpx.Timeout(settings.request_timeout_seconds, connect=5.0, pool=5.0),
        follow_redirects=False,
        event_hooks={"request": [election.refuse_unless_held]} if election else {},
    )


def _queueing(inputs: Inputs) -> _Queueing:
    settings, states = inputs.settings, ObjectStates()
    states.on_forget(inputs.kube.forget)
    shares = Shares(workers=settings.workers, per_evaluator=settings.workers_per_evaluator)
    queue = WorkQueue(shares=shares, lane_of=partial(lane_of, states), states=states)
    inputs.metrics.show_queue(depth=queue.depth, oldest_wait=queue.oldest_wait)
    return _Queueing(queue=queue, shares=shares, waiting=BenchmarkWaiters())


def _sessions(inputs: Inputs, queueing: _Queueing) -> _Sessions:
    settings, kube = inputs.settings, inputs.kube
    slots = SharedSlots(
        queueing.queue,
        limit=settings.max_running_jobs,
        own_url=str(inputs.http.base_url),
        namespace=pod_namespace(),
    )
    factory = _factory(inputs, queueing.queue, slots)
    own, loops = factory.own(inputs.http)
    store = SecretStore(kube, require_label=settings.require_secret_label)
    evaluators = Evaluators(
        own,
        queue=queueing.queue,
        credentials=CredentialsReader(kube, store, loopback=settings.allow_loopback_connections),
        open_connection=factory.connection,
        slots=slots,
    )
    _show_slots(inputs.metrics, evaluators)
    return _Sessions(
        evaluators=evaluators,
        resolver=EvaluatorResolver(kube, evaluators),
        secrets=SecretReader(kube, store),
        job_index=JobIndex(evaluators=evaluators, waiting=queueing.waiting, scores=inputs.metrics.scores),
        loops=[*loops, *factory.watch_slots(own, evaluators)],
    )


def _factory(inputs: Inputs, queue: WorkQueue, slots: SharedSlots) -> EvaluatorFactory:
    settings = inputs.settings
    return EvaluatorFactory(
        settings=settings,
        kube=inputs.kube,
        queue=queue,
        slots=slots,
        lists=JobLists(inputs.kube, settings.namespaces, settings.selector),
        heartbeats=inputs.heartbeats,
        metrics=inputs.metrics,
        guards=[inputs.election.refuse_unless_held] if inputs.election else [],
        start=inputs.start,
    )


def _show_slots(metrics: Metrics, evaluators: Evaluators) -> None:
    def total(count: Callable[[Evaluator], int]) -> float:
        return sum(map(count, evaluators))

    metrics.show_slots(
        taken=lambda: total(lambda evaluator: evaluator.slot_pool.running),
        waiting=lambda: total(lambda evaluator: evaluator.slot_pool.waiting),
    )


def _jobs(inputs: Inputs, queueing: _Queueing, sessions: _Sessions) -> JobReconciler:
    settings = inputs.settings
    return JobReconciler(
        kube=inputs.kube,
        evaluators=sessions.evaluators,
        resolver=sessions.resolver,
        queue=queueing.queue,
        job_index=sessions.job_index,
        waiting=queueing.waiting,
        secrets=sessions.secrets,
        metrics=inputs.metrics,
        selector=settings.selector,
        settle=timedelta(seconds=settings.settle_seconds),
        tenancy=settings.tenancy,
        hosts=settings.allowed_model_hosts,
    )


def _benchmarks(inputs: Inputs, queueing: _Queueing, sessions: _Sessions) -> BenchmarkReconciler:
    settings = inputs.settings
    return BenchmarkReconciler(
        kube=inputs.kube,
        evaluators=sessions.evaluators,
        resolver=sessions.resolver,
        queue=queueing.queue,
        waiting=queueing.waiting,
        secrets=sessions.secrets,
        metrics=inputs.metrics,
        selector=settings.selector,
        tenancy=settings.tenancy,
        hosts=settings.allowed_model_hosts,
    )


def _connections(inputs: Inputs, queueing: _Queueing, sessions: _Sessions) -> ConnectionReconciler:
    settings = inputs.settings
    return ConnectionReconciler(
        kube=inputs.kube,
        evaluators=sessions.evaluators,
        resolver=sessions.resolver,
        queue=queueing.queue,
        metrics=inputs.metrics,
        selector=settings.selector,
        namespaces=settings.namespaces,
    )


def _by_kind(
    benchmarks: BenchmarkReconciler, connections: ConnectionReconciler, jobs: JobReconciler
) -> Callable[[ObjectKey], Awaitable[float | None]]:
    async def reconcile(key: ObjectKey) -> float | None:
        match key.plural:
            case NemoBenchmark.PLURAL:
                return await benchmarks.reconcile(key)
            case NemoEvaluatorConnection.PLURAL:
                return await connections.reconcile(key)
            case _:
                return await jobs.reconcile(key)

    return reconcile

"""The running operator: watches, workers and the loops of each evaluator, in one task group.

Watches (`watching`) and loops of evaluators (`reconcile.bulkhead`) are restarted when they fail. If anything
else fails, all stop and the process ends, and so it is when the lease is lost: a pod that restarts is better
than one that does nothing and looks healthy.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import httpx

from nemo_eval_operator.reconcile import (
    BenchmarkReconciler,
    BenchmarkWaiters,
    ConnectionReconciler,
    FastPath,
    JobIndex,
    JobReconciler,
    Lanes,
    SecretReader,
)
from nemo_eval_operator.runtime.leader import Election, LeaseConfig
from nemo_eval_operator.runtime.leader_thread import Leadership, leading
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.runtime.probes import Health, State, serve_probes
from nemo_eval_operator.runtime.standby import Takeover
from nemo_eval_operator.sessions import (
    HEADERS,
    CredentialsReader,
    EvaluatorFactory,
    EvaluatorResolver,
    Evaluators,
    JobLists,
    SecretStore,
    SharedSlots,
)
from nemo_eval_operator.workqueue import Shares, WorkQueue

from .handlers import Changes, Context, WatchLiveness, keep_forgetting_vanished
from .kube import Credentials, KubeClient, KubeUnavailable, LeaseClient, ObjectKey, http_client, pod_namespace
from .resources import NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from .settings import Settings
from .transport import transport_to
from .watching import watch_until_stopped

__all__ = ["run_operator"]

logger = logging.getLogger(__name__)

RECURSION_LIMIT: Final = 60_000
"""The API server takes objects that are 10,000 levels deep, and Kopf reads and copies what it watches, at up
to four calls a level. At Python's own limit one such object would end the watch, and with it the operator."""

CRD_RECHECK_SECONDS: Final = 2.0

DRAIN_MARGIN_SECONDS: Final = 5.0
"""Beyond the longest call to the evaluator, for writing down what came of it."""

POLLER_CONNECTIONS: Final = 16
"""Connections to the evaluator beside one for each worker, so that nobody waits for one."""

LOOP_LAG_SECONDS: Final = 1.0
"""Between two looks at how late the event loop is."""

COUNTS_LIMIT_SECONDS: Final = 10.0
"""For looking at a few numbers in memory."""

NOTES_HEAD_START_SECONDS: Final = 5.0
"""For reading the list of jobs before they are watched; the rest of a longer one is read while they are."""

RECONCILIATION_SECONDS: Final = 3600.0
"""Before a worker counts as stuck. A look-up is the longest that it does: two lists, of 15 minutes
each at most (`evaluator.client`), and 5 for the cancellation of duplicates (`reconcile.submission`)."""


async def run_operator(settings: Settings, credentials: Credentials) -> None:
    """Run until cancelled or told to stop by a signal. Raises what made a part of it fail."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    _cancel_on_signals()
    health, metrics = Health(), Metrics(object_names=settings.metrics_object_names)
    async with AsyncExitStack() as stack:
        if settings.health_port:
            probes = serve_probes(
                settings.health_port, health, metrics, token_file=settings.metrics_token_file
            )
            await stack.enter_async_context(probes)
        kube = KubeClient(await stack.enter_async_context(http_client(credentials)))
        await _until_served(kube, credentials.server)
        leadership = None
        if settings.leader_elect:
            takeover = Takeover(lease_seconds=settings.lease_renew_deadline_seconds)
            health.obstacle, health.state = takeover.obstacle, State.STANDBY
            async with takeover.checked(kube, settings.namespaces):
                election = partial(_election, settings, credentials, takeover)
                leadership = await stack.enter_async_context(leading(election))
        health.state = State.ACTIVE
        _log_scope(settings, credentials.server)
        await _work(settings, credentials, health, metrics, leadership)


async def _work(
    settings: Settings,
    credentials: Credentials,
    health: Health,
    metrics: Metrics,
    leadership: Leadership | None,
) -> None:
    """Until a signal. When this returns or raises, nothing of it goes on."""
    election = leadership.election if leadership else None
    heartbeats = health.heartbeats
    watch_liveness = WatchLiveness(heartbeats, namespaces=bool(settings.namespaces))
    async with AsyncExitStack() as stack:
        kube = KubeClient(
            await stack.enter_async_context(http_client(credentials)), on_write=watch_liveness.expect
        )
        http = await stack.enter_async_context(_evaluator_http(settings, election))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        lanes, waiting = Lanes(), BenchmarkWaiters()
        shares = Shares(workers=settings.workers, per_evaluator=settings.workers_per_evaluator)
        queue = WorkQueue(shares=shares, lane_of=lanes.lane_of)
        metrics.show_queue(depth=queue.depth, oldest_wait=queue.oldest_wait)
        slots = SharedSlots(
            queue,
            limit=settings.max_running_jobs,
            own_url=str(http.base_url),
            namespace=pod_namespace(),
        )
        factory = EvaluatorFactory(
            settings=settings,
            kube=kube,
            queue=queue,
            slots=slots,
            lists=JobLists(kube, settings.namespaces, settings.selector),
            heartbeats=heartbeats,
            metrics=metrics,
            guards=[election.refuse_unless_held] if election else [],
            start=lambda loop, name: tasks.create_task(loop, name=name),
        )
        own, background = factory.own(http)
        store = SecretStore(kube, require_label=settings.require_secret_label)
        evaluators = Evaluators(
            own,
            queue=queue,
            credentials=CredentialsReader(kube, store, loopback=settings.allow_loopback_connections),
            open_connection=factory.connection,
            slots=slots,
        )
        stack.push_async_callback(evaluators.aclose)
        metrics.show_slots(
            taken=lambda: sum(evaluator.slot_pool.running for evaluator in evaluators),
            waiting=lambda: sum(evaluator.slot_pool.waiting for evaluator in evaluators),
        )
        job_index = JobIndex(evaluators=evaluators, waiting=waiting, lanes=lanes)
        resolver, secrets = EvaluatorResolver(kube, evaluators), SecretReader(kube, store)
        settle, tenancy = timedelta(seconds=settings.settle_seconds), settings.tenancy
        benchmarks = BenchmarkReconciler(
            kube=kube,
            evaluators=evaluators,
            resolver=resolver,
            queue=queue,
            waiting=waiting,
            lanes=lanes,
            secrets=secrets,
            metrics=metrics,
            selector=settings.selector,
            tenancy=tenancy,
            hosts=settings.allowed_model_hosts,
        )
        jobs = JobReconciler(
            kube=kube,
            evaluators=evaluators,
            resolver=resolver,
            queue=queue,
            job_index=job_index,
            waiting=waiting,
            secrets=secrets,
            metrics=metrics,
            selector=settings.selector,
            settle=settle,
            tenancy=tenancy,
            hosts=settings.allowed_model_hosts,
        )
        connections = ConnectionReconciler(
            kube=kube,
            evaluators=evaluators,
            resolver=resolver,
            queue=queue,
            metrics=metrics,
            selector=settings.selector,
            namespaces=settings.namespaces,
        )

        reconcile = _by_kind(benchmarks, connections, jobs)
        counts = connections.keep_counts(heartbeats.add("connections", limit=COUNTS_LIMIT_SECONDS))
        background += [
            *factory.watch_slots(own, evaluators),
            tasks.create_task(counts, name="connections"),
            tasks.create_task(_measure_loop_lag(metrics), name="loop-lag"),
        ]
        for name in (f"worker-{number}" for number in range(shares.loops)):
            heartbeat = heartbeats.add(name, limit=RECONCILIATION_SECONDS)
            background.append(tasks.create_task(queue.work(reconcile, heartbeat=heartbeat), name=name))
        if leadership is not None:
            # Beside the workers: its failure cancels them at once, while Kopf takes its time.
            background.append(tasks.create_task(leadership.lost(), name="lease"))
        changes = Changes()
        notes = FastPath(
            job_index=job_index, evaluators=evaluators, queue=queue, settle=settle, on_listed=changes.expect
        )
        context = Context(
            queue=queue,
            credentials=credentials,
            is_noted=notes.is_noted,
            watch_liveness=watch_liveness,
            metrics=metrics,
            changes=changes,
        )
        noting = tasks.create_task(notes.take_all(kube, settings.namespaces, settings.selector), name="notes")
        background.append(noting)
        comparing = keep_forgetting_vanished(context, kube, settings.namespaces, settings.selector)
        background.append(tasks.create_task(comparing, name="vanished"))
        await asyncio.wait({noting}, timeout=NOTES_HEAD_START_SECONDS)
        await watch_until_stopped(
            context,
            namespaces=settings.namespaces,
            selector=settings.selector,
            on_restart=lambda: metrics.loop_restarted("watch"),
            until_served=lambda: _until_served(kube, credentials.server),
        )
        _cancel_on_signals()
        health.state = State.STOPPING
        await queue.drain(settings.request_timeout_seconds + DRAIN_MARGIN_SECONDS)
        evaluators.stop()
        for task in background:
            task.cancel()


def _log_scope(settings: Settings, server: str) -> None:
    plural = "" if len(settings.namespaces) == 1 else "s"
    namespaces = (
        f"namespace{plural} {', '.join(settings.namespaces)}" if settings.namespaces else "all namespaces"
    )
    selected = f" that match {settings.selector.text}" if settings.selector.text else ""
    watched = f"jobs, benchmarks and connections in {namespaces}{selected}"
    evaluator = str(httpx.URL(str(settings.evaluator_url)).copy_with(userinfo=b"")).rstrip("/")
    logger.info("watching %s at %s, evaluator %s", watched, server, evaluator)


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


async def _measure_loop_lag(metrics: Metrics) -> None:
    """For ever."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_LAG_SECONDS
        await asyncio.sleep(LOOP_LAG_SECONDS)
        metrics.loop_lag(loop.time() - due)


def _cancel_on_signals() -> None:
    """End this task on SIGTERM and Ctrl-C; while the operator watches, they end that."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@asynccontextmanager
async def _election(
    settings: Settings, credentials: Credentials, takeover: Takeover
) -> AsyncIterator[Election]:
    async with http_client(credentials) as http:
        yield Election(LeaseClient(http), _terms(settings), on_reached=takeover.lease_reached)


def _terms(settings: Settings) -> LeaseConfig:
    return LeaseConfig(
        namespace=settings.lease_namespace or pod_namespace() or "default",
        name=settings.lease_name,
        identity=f"{socket.gethostname()}_{uuid.uuid4()}",
        duration=settings.lease_duration_seconds,
        renew_deadline=settings.lease_renew_deadline_seconds,
        retry=settings.lease_retry_seconds,
    )


async def _until_served(kube: KubeClient, server: str) -> None:
    """Wait for the CRDs: Kopf would never watch a kind that comes after it."""
    logged = None
    for plural in (NemoEvaluatorConnection.PLURAL, NemoBenchmark.PLURAL, NemoEvalJob.PLURAL):
        while missing := await _missing(kube, server, plural):
            if missing != logged:
                logger.warning("%s", missing)
            logged = missing
            await asyncio.sleep(CRD_RECHECK_SECONDS)


async def _missing(kube: KubeClient, server: str, plural: str) -> str | None:
    try:
        served = await kube.serves(plural)
    except KubeUnavailable as error:
        return f"waiting for the Kubernetes API at {server}: {error}"
    return None if served else f"the API server does not serve {plural} yet: apply crds/"


def _evaluator_http(settings: Settings, election: Election | None) -> httpx.AsyncClient:
    url, connections = str(settings.evaluator_url), settings.workers + POLLER_CONNECTIONS
    context = httpx.create_ssl_context()
    return httpx.AsyncClient(
        base_url=url,
        transport=transport_to(url, context, connections=connections),
        verify=context,
        headers=HEADERS,
        timeout=httpx.Timeout(settings.request_timeout_seconds, connect=5.0, pool=5.0),
        limits=httpx.Limits(max_connections=connections),
        follow_redirects=False,
        event_hooks={"request": [election.refuse_unless_held]} if election else {},
    )

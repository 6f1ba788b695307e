"""Supervises the running operator: watches, workers and the loops of each evaluator, in one task group.

`wiring` builds the parts. Watches (`watching`) and loops of evaluators (`sessions.bulkhead`) are restarted
when they fail. If anything else fails, or the lease is lost, all stop and the process ends: a pod that
restarts is better than one that does nothing and looks healthy.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import httpx

from nemo_eval_operator.runtime.leader import Election, LeaseConfig
from nemo_eval_operator.runtime.leader_thread import Leadership, leading
from nemo_eval_operator.runtime.lease_alarm import LeaseAlarm
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.runtime.probes import Health, State, serve_probes
from nemo_eval_operator.runtime.standby import Takeover

from .handlers import OwnWrites, WatchLiveness, keep_forgetting_vanished
from .kube import Credentials, KubeClient, KubeUnavailable, LeaseClient, http_client, pod_namespace
from .resources import NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from .settings import Settings
from .watching import watch_until_stopped
from .wiring import Inputs, Operator, build_operator, evaluator_http

__all__ = ["run_operator"]

logger = logging.getLogger(__name__)

RECURSION_LIMIT: Final = 60_000
"""The API server takes objects that are 10,000 levels deep, and Kopf reads and copies what it watches, at up
to four calls a level. At Python's own limit one such object would end the watch, and with it the operator."""

CRD_RECHECK_SECONDS: Final = 2.0

DRAIN_MARGIN_SECONDS: Final = 5.0
"""Seconds beyond the longest call to the evaluator, for writing its outcome."""

LOOP_LAG_SECONDS: Final = 1.0
"""Seconds between two measurements of the event loop's delay."""

COUNTS_LIMIT_SECONDS: Final = 10.0
"""Seconds for a loop that compares a few numbers in memory."""

NOTES_HEAD_START_SECONDS: Final = 15.0
"""Seconds for reading the list of jobs before the watch starts; the rest is read during it.

What the watch shows before it was read here is read once more, alone, which costs the API server and the
operator four times as much. 10,000 jobs take some 5 s, but on a busy machine twice that.
"""

RECONCILIATION_SECONDS: Final = 3600.0
"""Seconds after which a worker counts as stuck. A look-up is its longest work: two lists, of 15 minutes
each at most (`evaluator/http`), and 5 for the cancellation of duplicates (`reconcile/job/job_finder.py`)."""


async def run_operator(settings: Settings, credentials: Credentials) -> None:
    """Run until cancelled or stopped by a signal. Raises the exception of the part that failed."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    _cancel_on_signals()
    health = Health()
    metrics = Metrics(object_names=settings.metrics_object_names, score_series=settings.metrics_score_series)
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
                election = partial(_election, settings, credentials, takeover, LeaseAlarm())
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
    """Watch and reconcile until a signal. When this returns or raises, nothing of it goes on."""
    election = leadership.election if leadership else None
    watch_liveness = WatchLiveness(health.heartbeats, namespaces=bool(settings.namespaces))
    own_writes = OwnWrites(on_write=watch_liveness.expect)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(http_client(credentials))
        http = await stack.enter_async_context(evaluator_http(settings, election))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        inputs = Inputs(
            settings=settings,
            credentials=credentials,
            kube=KubeClient(api, observer=own_writes),
            http=http,
            election=election,
            heartbeats=health.heartbeats,
            metrics=metrics,
            watch_liveness=watch_liveness,
            own_writes=own_writes,
            start=lambda loop, name: tasks.create_task(loop, name=name),
        )
        operator = build_operator(inputs)
        stack.push_async_callback(operator.evaluators.aclose)
        background = operator.loops + _start_loops(inputs, operator, leadership)
        noting = _start_listing(inputs, operator)
        background += noting
        await asyncio.wait(noting[:1], timeout=NOTES_HEAD_START_SECONDS)
        await _watch(inputs, operator)
        _cancel_on_signals()
        health.state = State.STOPPING
        await operator.queue.drain(settings.request_timeout_seconds + DRAIN_MARGIN_SECONDS)
        operator.evaluators.stop()
        for task in background:
            task.cancel()


def _start_loops(
    inputs: Inputs, operator: Operator, leadership: Leadership | None
) -> list[asyncio.Task[None]]:
    """Start the workers and what runs in addition to them."""
    heartbeats, start = inputs.heartbeats, inputs.start
    counts = heartbeats.add("connections", limit=COUNTS_LIMIT_SECONDS)
    loops = [
        start(operator.connections.keep_counts(counts), "connections"),
        start(_measure_loop_lag(inputs.metrics), "loop-lag"),
    ]
    for name in (f"worker-{number}" for number in range(operator.shares.loops)):
        heartbeat = heartbeats.add(name, limit=RECONCILIATION_SECONDS)
        loops.append(start(operator.queue.work(operator.reconcile, heartbeat=heartbeat), name))
    if leadership is not None:
        # Beside the workers: its failure cancels them at once, while Kopf takes its time.
        loops.append(start(leadership.lost(), "lease"))
    return loops


def _start_listing(inputs: Inputs, operator: Operator) -> list[asyncio.Task[None]]:
    """Start to read the first list of jobs, and to compare the known objects with lists now and then."""
    kube, settings = inputs.kube, inputs.settings
    scope = (kube, settings.namespaces, settings.selector)
    return [
        inputs.start(operator.fast_path.take_all(*scope), "notes"),
        inputs.start(keep_forgetting_vanished(operator.context, *scope), "vanished"),
    ]


async def _watch(inputs: Inputs, operator: Operator) -> None:
    """Run Kopf until a signal."""
    settings = inputs.settings
    await watch_until_stopped(
        operator.context,
        namespaces=settings.namespaces,
        selector=settings.selector,
        on_restart=lambda: inputs.metrics.loop_restarted("watch"),
        until_served=lambda: _until_served(inputs.kube, inputs.credentials.server),
    )


def _log_scope(settings: Settings, server: str) -> None:
    plural = "" if len(settings.namespaces) == 1 else "s"
    namespaces = (
        f"namespace{plural} {', '.join(settings.namespaces)}" if settings.namespaces else "all namespaces"
    )
    selected = f" that match {settings.selector.text}" if settings.selector.text else ""
    watched = f"jobs, benchmarks and connections in {namespaces}{selected}"
    evaluator = str(httpx.URL(str(settings.evaluator_url)).copy_with(userinfo=b"")).rstrip("/")
    logger.info("watching %s at %s, evaluator %s", watched, server, evaluator)


async def _measure_loop_lag(metrics: Metrics) -> None:
    """Run until cancelled."""
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
    settings: Settings, credentials: Credentials, takeover: Takeover, alarm: LeaseAlarm
) -> AsyncIterator[Election]:
    async with http_client(credentials) as http:
        leases, terms = LeaseClient(http), _terms(settings)
        yield Election(leases, terms, on_reached=takeover.lease_reached, on_held=alarm.set)


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

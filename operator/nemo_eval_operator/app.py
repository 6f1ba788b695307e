"""The running operator: Kopf, the workers, the poller and the gate, supervised together.

If one of them fails, all stop and the process ends: a pod that restarts is better
than one that no longer polls and looks healthy.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import httpx
import kopf

from . import __version__
from .evaluator import EvaluatorClient, KnownSecrets
from .handlers import Context, build_registry
from .kube import Credentials, KubeClient, KubeUnavailable, ObjectKey, http_client
from .metrics import Metrics
from .polling import Poller
from .probes import serve_probes
from .reconcile import (
    BenchmarkReconciler,
    EvaluatorGate,
    Following,
    JobReconciler,
    SecretReader,
    Waiting,
    WorkQueue,
)
from .resources import NemoBenchmark, NemoEvalJob
from .settings import Settings

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


async def run_operator(settings: Settings, credentials: Credentials) -> None:
    """Run until cancelled or told to stop by a signal. Raises what made a part of it fail."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    async with AsyncExitStack() as stack:
        kube = KubeClient(await stack.enter_async_context(http_client(credentials)))
        known = KnownSecrets()
        evaluator = EvaluatorClient(
            await stack.enter_async_context(_evaluator_http(settings)),
            deadline=settings.request_timeout_seconds,
            known=known,
        )
        await _until_served(kube)
        metrics = Metrics()
        if settings.health_port:
            await stack.enter_async_context(serve_probes(settings.health_port, metrics))
        queue, following, waiting = WorkQueue(), Following(), Waiting()
        gate = EvaluatorGate(evaluator, queue, following)
        secrets = SecretReader(kube, known)
        benchmarks = BenchmarkReconciler(
            kube=kube,
            evaluator=evaluator,
            queue=queue,
            gate=gate,
            waiting=waiting,
            secrets=secrets,
            metrics=metrics,
        )
        jobs = JobReconciler(
            kube=kube,
            evaluator=evaluator,
            queue=queue,
            gate=gate,
            following=following,
            waiting=waiting,
            secrets=secrets,
            metrics=metrics,
            settle=timedelta(seconds=settings.settle_seconds),
        )
        poller = Poller(
            evaluator=evaluator,
            following=following,
            queue=queue,
            gate=gate,
            interval=settings.poll_interval_seconds,
        )

        async def reconcile(key: ObjectKey) -> float | None:
            reconciler = benchmarks if key.plural == NemoBenchmark.PLURAL else jobs
            return await reconciler.reconcile(key)

        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        background = [
            tasks.create_task(poller.run(), name="poller"),
            tasks.create_task(gate.run(), name="gate"),
            *(tasks.create_task(queue.work(reconcile), name=f"worker-{n}") for n in range(settings.workers)),
        ]
        # Kopf cancels, when it ends, every task that was started after it: ours have to run before.
        await asyncio.sleep(0)
        await _watch(settings, Context(queue=queue, credentials=credentials))
        await queue.drain(settings.request_timeout_seconds + DRAIN_MARGIN_SECONDS)
        for task in background:
            task.cancel()


async def _until_served(kube: KubeClient) -> None:
    """Wait for the CRDs: Kopf would never watch a kind that comes after it."""
    for plural in (NemoBenchmark.PLURAL, NemoEvalJob.PLURAL):
        while not await _serves(kube, plural):
            logger.warning("the API server does not serve %s yet: apply crds/", plural)
            await asyncio.sleep(CRD_RECHECK_SECONDS)


async def _serves(kube: KubeClient, plural: str) -> bool:
    try:
        return await kube.serves(plural)
    except KubeUnavailable as error:
        logger.warning("%s", error)
        return False


async def _watch(settings: Settings, context: Context) -> None:
    await kopf.operator(
        registry=build_registry(),
        settings=kopf_settings(),
        memo=context,
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf as a watcher for very many objects of two kinds."""
    settings = kopf.OperatorSettings()
    settings.watching.chunk_size = 500
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.queueing.idle_timeout = 1.0
    return settings


def _evaluator_http(settings: Settings) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=str(settings.evaluator_url),
        headers={"Accept": "application/json", "User-Agent": f"nemo-eval-operator/{__version__}"},
        timeout=httpx.Timeout(settings.request_timeout_seconds, connect=5.0, pool=5.0),
        limits=httpx.Limits(max_connections=settings.workers + POLLER_CONNECTIONS),
        follow_redirects=False,
    )

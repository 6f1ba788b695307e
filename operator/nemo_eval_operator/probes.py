"""What the kubelet and Prometheus ask over HTTP: /healthz, /readyz and /metrics, on one port.

Not Kopf's own endpoint: it is there only while Kopf runs, so not in a standby, and knows only Kopf's probes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from .heartbeats import Heartbeats
from .metrics import Metrics

__all__ = ["Health", "State", "serve_probes"]


class State(StrEnum):
    """How far the process has come."""

    STARTING = "starting"  # the CRDs are not served yet
    STANDBY = "standby"  # another process holds the lease
    ACTIVE = "active"
    STOPPING = "stopping"


READY = {State.STANDBY, State.ACTIVE}
"""A standby is ready: it does what it is there for, and a rolling update ends the leader only after that."""


class Health:
    """What the probes tell of the process."""

    def __init__(self) -> None:
        self.state = State.STARTING
        self.heartbeats = Heartbeats()


@asynccontextmanager
async def serve_probes(port: int, health: Health, metrics: Metrics) -> AsyncIterator[None]:
    """Answer on `port` of all interfaces, IPv4 and IPv6, until the context ends."""

    async def healthz(_request: web.Request) -> web.Response:
        late = health.heartbeats.late()
        overdue = {name: round(seconds, 1) for name, seconds in late.items()}
        return web.json_response({"overdueSeconds": overdue}, status=503 if late else 200)

    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"state": health.state}, status=200 if health.state in READY else 503)

    async def exposition(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", exposition)]
    )
    app.on_response_prepare.append(_close_connection)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        # The kubelet asks the pod's first address, which is an IPv6 address in some clusters.
        await web.TCPSite(runner, None, port).start()
        yield
    finally:
        await runner.cleanup()


async def _close_connection(_request: web.Request, response: web.StreamResponse) -> None:
    # One that is kept alive is a task, and Kopf waits at its end for every task that began after it.
    response.force_close()

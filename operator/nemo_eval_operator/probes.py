"""What the kubelet and Prometheus ask over HTTP: /healthz and /metrics, on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from .metrics import Metrics

__all__ = ["serve_probes"]


@asynccontextmanager
async def serve_probes(port: int, metrics: Metrics) -> AsyncIterator[None]:
    """Answer on `port` of all interfaces meanwhile. That the event loop answers is what /healthz says."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({})

    async def exposition(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", exposition)])
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - in a pod, as the kubelet asks from outside
        yield
    finally:
        await runner.cleanup()

"""HTTP endpoints for the kubelet and Prometheus: /healthz, /readyz and /metrics, on one port.

Every client that reaches the port is answered, so the answers hold no names of objects; /metrics may hold
them, and then a token can be required for it.

Not Kopf's own endpoint: it is there only while Kopf runs, so not in a standby, and knows only Kopf's probes.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from .heartbeats import Heartbeats
from .metrics import Metrics

__all__ = ["Health", "State", "serve_probes"]

logger = logging.getLogger(__name__)


class State(StrEnum):
    """State of the process, shown by /readyz."""

    STARTING = "starting"  # the CRDs are not served yet
    STANDBY = "standby"  # another process holds the lease
    ACTIVE = "active"
    STOPPING = "stopping"


READY = {State.STANDBY, State.ACTIVE}
"""A standby that could take over is ready, so a rolling update ends the leader only after that."""


class Health:
    """Health of the process, as the probes report it."""

    def __init__(self) -> None:
        self.state = State.STARTING
        self.heartbeats = Heartbeats()
        self.obstacle: Callable[[], str | None] = lambda: None
        """Returns what keeps a standby from taking over at once, without names of objects; None: nothing."""


@asynccontextmanager
async def serve_probes(
    port: int, health: Health, metrics: Metrics, *, token_file: Path | None = None
) -> AsyncIterator[None]:
    """Answer on `port` of all interfaces, IPv4 and IPv6, until the context ends.

    With `token_file`, /metrics is answered only where a request carries the token that it holds.
    """

    async def healthz(_request: web.Request) -> web.Response:
        late = health.heartbeats.late()
        if late:
            logger.error("loops are late: %s", ", ".join(f"{name} by {late[name]:.1f}s" for name in late))
        # A loop of a connection is called "poller NAMESPACE/NAME"; the name is for the log only. Its
        # evaluator may delay it, and must not have the operator of all tenants restarted.
        overdue: dict[str, float] = {}
        stuck = any("/" not in name for name in late)
        for name, seconds in late.items():
            loop = name.partition(" ")[0]
            overdue[loop] = max(overdue.get(loop, 0.0), round(seconds, 1))
        return web.json_response({"overdueSeconds": overdue}, status=503 if stuck else 200)

    async def readyz(_request: web.Request) -> web.Response:
        obstacle = health.obstacle() if health.state is State.STANDBY else None
        ready = health.state in READY and obstacle is None
        document = {"state": health.state} | ({} if obstacle is None else {"obstacle": obstacle})
        return web.json_response(document, status=200 if ready else 503)

    async def exposition(request: web.Request) -> web.Response:
        if token_file is not None and not _is_bearer_of(request.headers.get("Authorization"), token_file):
            return web.Response(
                status=401,
                text="/metrics needs the header Authorization: Bearer TOKEN\n",
                headers={"WWW-Authenticate": "Bearer"},
            )
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


def _is_bearer_of(authorization: str | None, token_file: Path) -> bool:
    """Return whether the header carries the file's token; it is read each time, as a Secret may change."""
    try:
        token = token_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("/metrics is not served, as %s cannot be read: %s", token_file, error)
        return False
    kind, _, given = (authorization or "").partition(" ")
    matches = hmac.compare_digest(given.strip().encode(errors="replace"), token.encode())
    return bool(token) and kind.lower() == "bearer" and matches


async def _close_connection(_request: web.Request, response: web.StreamResponse) -> None:
    # One that is kept alive is a task, and Kopf waits at its end for every task that began after it.
    response.force_close()

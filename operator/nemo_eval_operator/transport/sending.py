"""Connections that send nothing of a request after it was given up, since it could start a second job."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from contextvars import ContextVar
from typing import Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from typing_extensions import override

__all__ = ["KEEPALIVE_SECONDS", "Connector", "abort", "connection_used"]

KEEPALIVE_SECONDS: Final = 4.0
"""An idle connection is closed before the server does: uvicorn waits for 5 s. A request that meets a
connection at its end may have arrived or not."""

RESET_ON_CLOSE: Final = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Socket option by which unsent data is dropped when the connection is closed, also by the process' end."""

KERNEL_MARGIN_SECONDS: Final = 1.0
"""Seconds after a request's own time-out at which the kernel gives up what was not acknowledged."""

connection_used: ContextVar[asyncio.Transport | None] = ContextVar("connection_used", default=None)
"""The connection of the current task's request, which aiohttp does not show where a request fails."""


class Connector(aiohttp.TCPConnector):
    """Leaves in `connection_used` what a request is sent on.

    Raises ClientConnectorError or TimeoutError, and nothing else, where there is no connection.
    """

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        try:
            connection = await super().connect(req, traces, timeout)
        except (aiohttp.ClientConnectorError, TimeoutError):
            raise
        except (aiohttp.ClientError, OSError) as error:
            failure = _failure_of_tunnel(error)
        else:
            if connection.transport is not None:
                connection_used.set(connection.transport)
                _limit_sending(connection.transport.get_extra_info("socket"), timeout.sock_read)
            return connection
        # Outside of `except`: as its context, an answer of the proxy would be taken for one of the server.
        raise aiohttp.ClientConnectorError(req.connection_key, failure) from failure


def _failure_of_tunnel(error: Exception) -> OSError:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(errno.ECONNREFUSED, f"the proxy answered with status {error.status}")
    return OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def _limit_sending(connected: socket.socket, seconds: float | None) -> None:
    """Let the kernel send nothing after the end of a request, even if this process is frozen or killed.

    Its own limit is some 15 minutes, after which the process may long have been replaced.
    """
    connected.setsockopt(*RESET_ON_CLOSE)
    if seconds is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int((seconds + KERNEL_MARGIN_SECONDS) * 1000)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def abort(transport: asyncio.Transport | None) -> None:
    """Close a connection without sending what is left of a request, as closing it otherwise would."""
    if transport is not None:
        transport.abort()

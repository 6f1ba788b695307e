"""Connections that send nothing of a request after it was given up, since it could start a second job."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import sys
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from typing_extensions import override

if sys.platform == "linux":
    import fcntl
    import termios

__all__ = ["KEEPALIVE_SECONDS", "Connector", "Sending", "sending_now"]

KEEPALIVE_SECONDS: Final = 4.0
"""An idle connection is closed before the server does: uvicorn waits for 5 s. A request that meets a
connection at its end may have arrived or not."""

RESET_ON_CLOSE: Final = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Socket option by which unsent data is dropped when the connection is closed, also by the process' end."""

KERNEL_MARGIN_SECONDS: Final = 1.0
"""Seconds, beyond a request's own time-out, without progress after which the kernel gives up what is left."""

CLOSE_IN_ORDER: Final = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
"""The same option for a connection on which nothing is left to send: the server sees an orderly end."""

sending_now: ContextVar[Sending | None] = ContextVar("sending_now", default=None)
"""The current task's request, whose connection aiohttp does not show where a request fails."""


class Connector(aiohttp.TCPConnector):
    """Leaves in `sending_now` what a request is sent on.

    Raises ClientConnectorError or TimeoutError, and nothing else, where there is no connection.
    """

    @override
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.under_way: set[Sending] = set()

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
            try:
                sending_now.set(Sending(connection, timeout.sock_read, self.under_way))
            except OSError as error:
                # Nothing was sent. macOS refuses options of a connection that the server has reset.
                connection.close()
                raise aiohttp.ClientConnectorError(req.connection_key, error) from error
            return connection
        # Outside of `except`: as its context, an answer of the proxy would be taken for one of the server.
        raise aiohttp.ClientConnectorError(req.connection_key, failure) from failure

    def give_up(self) -> None:
        """Give up all requests that are under way."""
        for sending in list(self.under_way):
            sending.give_up()


def _failure_of_tunnel(error: Exception) -> OSError:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(errno.ECONNREFUSED, f"the proxy answered with status {error.status}")
    return OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


class Sending:
    """A request on its connection, until the connection is given back. Raises OSError where that is lost."""

    def __init__(self, connection: Connection, seconds: float | None, under_way: set[Sending]) -> None:
        if connection.transport is None or connection.protocol is None:
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self._protocol = connection.protocol
        self._lowest = _lowest(connection.transport)
        self._socket: socket.socket = connection.transport.get_extra_info("socket")
        self._under_way = under_way
        _limit_sending(self._socket, seconds)
        under_way.add(self)
        connection.add_callback(self._end)

    def give_up(self) -> None:
        """Close the connection without sending what is left, as closing it otherwise would.

        The event loop closes the socket in its next turn, before another request begins.
        """
        self._lowest.abort()

    def _end(self) -> None:
        """Keep a connection only if all of its request has arrived; an answer may come before that."""
        self._under_way.discard(self)
        if self._lowest.is_closing() or self._lowest.get_write_buffer_size():
            unsent: int | None = 1
        else:
            unsent = _unacknowledged(self._socket)
        if unsent:
            self._protocol.force_close()
            self.give_up()
        elif unsent == 0:
            self._socket.setsockopt(*CLOSE_IN_ORDER)


def _lowest(transport: asyncio.Transport) -> asyncio.Transport:
    """Return what writes to the socket, and has a buffer; TLS above it forgets it when it is closed."""
    while True:
        # Private, since asyncio shows it nowhere.
        below: Any = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
        if below is None:
            return transport
        transport = below


def _unacknowledged(connected: socket.socket) -> int | None:
    """Return how many bytes the kernel still keeps for sending; None where it does not say."""
    if sys.platform == "linux":
        kept = fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(kept, sys.byteorder)
    return None


def _limit_sending(connected: socket.socket, seconds: float | None) -> None:
    """Let the kernel send nothing after the end of a request, even if this process is frozen or killed.

    By itself it tries for some 15 minutes, after which the process may long have been replaced. The limit
    counts from the last progress: a server that reads on, little by little, is still sent to.
    """
    connected.setsockopt(*RESET_ON_CLOSE)
    if seconds is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int((seconds + KERNEL_MARGIN_SECONDS) * 1000)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

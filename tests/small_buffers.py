"""A listening socket whose clients can send little ahead, so that most of a request waits to be read."""

from __future__ import annotations

import socket
from typing import Final

READ_BYTES: Final = 1024
"""Bytes to be read ahead, and the size of the receive buffer that the kernel is asked for."""

SEGMENT_BYTES: Final = 536
"""Size of TCP segments. The kernel sizes a client's send buffer by it: with loopback's own, to megabytes."""

BODY_BYTES: Final = 200_000
"""More than what the kernel takes of a request while nothing of it is read."""

KERNEL_BYTES: Final = 20_000
"""A body that the kernel takes whole, and of which most is still to be sent."""


def listen_with_small_buffers() -> socket.socket:
    """Listen on a free port of loopback."""
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BYTES)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener

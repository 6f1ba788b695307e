"""TCP connections of loopback, by the kernel's table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TABLE = Path("/proc/net/tcp")
ESTABLISHED = "01"

needs_connection_table = pytest.mark.skipif(
    not TABLE.exists(), reason="the kernel has no table of connections"
)


class _Row(NamedTuple):
    ports: tuple[int, int]
    """Ports of the end that the row is about and of the other end."""
    state: str
    unsent: int
    """Bytes that wait to be sent, or to be acknowledged."""


def bytes_unsent(port: int) -> int:
    """Return the bytes that wait to be sent to this port of loopback, or to be acknowledged."""
    return sum(row.unsent for row in _rows() if row.ports[1] == port)


def is_established(port: int, other_port: int) -> bool:
    """Return whether the kernel has the end at `port` of a connection to `other_port`."""
    return any(row.ports == (port, other_port) and row.state == ESTABLISHED for row in _rows())


def _rows() -> Iterator[_Row]:
    for line in TABLE.read_text().splitlines()[1:]:
        _, end, other_end, state, queues, *_ = line.split()
        yield _Row((_port(end), _port(other_end)), state, int(queues.partition(":")[0], 16))


def _port(end: str) -> int:
    return int(end.partition(":")[2], 16)

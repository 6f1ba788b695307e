"""How much the kernel has still to send, by its table of connections."""

from __future__ import annotations

from pathlib import Path

import pytest

TABLE = Path("/proc/net/tcp")

needs_connection_table = pytest.mark.skipif(
    not TABLE.exists(), reason="the kernel has no table of connections"
)


def bytes_unsent(port: int) -> int:
    """Return the bytes that wait to be sent to this port of loopback, or to be acknowledged."""
    rows = [line.split() for line in TABLE.read_text().splitlines()[1:]]
    return sum(int(row[4].partition(":")[0], 16) for row in rows if row[2].endswith(f":{port:04X}"))

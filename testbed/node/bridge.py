"""TCP between this machine and a node: listens on one side, connects on the other.

    python -m testbed.node.bridge PID out|in LISTEN_ADDRESS LISTEN_PORT ADDRESS PORT

PID is that of the first process of the node. `out` listens here and connects in the node, `in` the reverse.
A socket stays in the network namespace that it was made in, so one process can do both. READY is printed when
it listens.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path
from typing import Final

__all__ = ["READY"]

READY: Final = "listening"

_CLONE_NEWNET: Final = 0x40000000  # <linux/sched.h>
_CHUNK: Final = 1 << 16
_libc: Final = ctypes.CDLL(None, use_errno=True)


class NetworkNamespace:
    """The network namespace of a process."""

    def __init__(self, pid: str) -> None:
        self._file = os.open(Path("/proc", pid, "ns", "net"), os.O_RDONLY)

    def enter(self) -> None:
        """Make the sockets that are created from now on belong to it. Raises OSError."""
        if _libc.setns(self._file, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(server: socket.socket, address: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    async with await asyncio.start_server(connected, sock=server) as serving:
        print(READY, flush=True)
        await serving.serve_forever()


def main() -> None:
    pid, direction, listen_address, listen_port, address, port = sys.argv[1:]
    here, node = NetworkNamespace("self"), NetworkNamespace(pid)
    listening, connecting = (here, node) if direction == "out" else (node, here)
    listening.enter()
    family = socket.AF_INET6 if ":" in listen_address else socket.AF_INET
    server = socket.create_server((listen_address, int(listen_port)), family=family)
    connecting.enter()
    asyncio.run(_serve(server, address, int(port)))


if __name__ == "__main__":
    main()

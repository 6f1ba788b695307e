"""A model endpoint on loopback that answers after a while, however many ask, and counts them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["SlowEndpoint", "slow_endpoint"]

_REPLY = json.dumps({"choices": [{"message": {"role": "assistant", "content": "an answer"}}]}).encode()


@dataclass
class SlowEndpoint:
    delay: float
    """Seconds."""
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, with as many requests as come."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(_length(head))
                if head.startswith(b"POST"):
                    await self._think()
                size = len(_REPLY)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n%b" % (size, _REPLY))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _think(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.delay)
        self.at_once -= 1


@contextmanager
def slow_endpoint(*, delay: float) -> Iterator[SlowEndpoint]:
    """Served by a thread of its own, so that whoever measures may block."""
    endpoint = SlowEndpoint(delay)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
        endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        ready.set()
        await stop.wait()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        thread = threading.Thread(target=runner.run, args=(serve(),), daemon=True)
        thread.start()
        ready.wait()
        try:
            yield endpoint
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0

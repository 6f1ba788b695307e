"""What a process has used, from /proc; and how long its event loop keeps a health check waiting."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx

TICKS: Final = os.sysconf("SC_CLK_TCK")
PROBE_SECONDS: Final = 0.1


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_rss_mib(pid: int) -> float:
    return _status_mib(pid, "VmHWM")


def rss_mib(pid: int) -> float:
    return _status_mib(pid, "VmRSS")


def _status_mib(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


async def until_idle(pid: int, *, share: float, seconds: float, limit: float) -> float | None:
    """Seconds until it used less than `share` of a core for `seconds` in a row; None after `limit`."""
    started = time.monotonic()
    last_submission_at, used = started, cpu_seconds(pid)
    while time.monotonic() - started < limit:
        await asyncio.sleep(0.5)
        now = cpu_seconds(pid)
        if now - used > share * 0.5:
            last_submission_at = time.monotonic()
        used = now
        if time.monotonic() - last_submission_at >= seconds:
            return last_submission_at - started
    return None


class Lag:
    """How long the health endpoint took to answer, as a probe every 0.1 s saw it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextlib.asynccontextmanager
    async def probing(self, url: str) -> AsyncIterator[None]:
        task = asyncio.create_task(self._probe(url))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _probe(self, url: str) -> None:
        async with httpx.AsyncClient(timeout=120) as http:
            while True:
                started = time.monotonic()
                with contextlib.suppress(httpx.HTTPError):
                    await http.get(url)
                    self.seconds.append(time.monotonic() - started)
                await asyncio.sleep(PROBE_SECONDS)

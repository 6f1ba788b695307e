"""Program: POSTs to the port `argv[1]`, and freezes itself in the middle of that once stdin has a line.

By then its alarm is set, and with `argv[2]` "released" set back. It prints the time for which it was set.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time

import httpx

from nemo_eval_operator.runtime.lease_alarm import LeaseAlarm
from nemo_eval_operator.transport import AiohttpTransport
from tests.small_buffers import BODY_BYTES


def freeze(alarm: LeaseAlarm, lease: str) -> None:
    sys.stdin.readline()
    at = time.monotonic() + 0.5
    alarm.set(at)
    if lease == "released":
        alarm.set(None)
    print(at, flush=True)  # noqa: T201 - the parent reads it
    os.kill(os.getpid(), signal.SIGSTOP)


async def send(port: int, lease: str) -> None:
    threading.Thread(target=freeze, args=(LeaseAlarm(), lease), daemon=True).start()
    transport = AiohttpTransport(None, connections=1)
    async with httpx.AsyncClient(transport=transport, timeout=60) as http:
        await http.post(f"http://127.0.0.1:{port}/v1/evaluation/jobs", content=b"x" * BODY_BYTES)


if __name__ == "__main__":
    asyncio.run(send(int(sys.argv[1]), sys.argv[2]))

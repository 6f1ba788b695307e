"""Renewal of the lease in a thread of its own, with its own event loop and connections.

A renewal must not wait for the work of the operator: an event loop that is busy for seconds would
cost the lease. The work's clients still ask `Election.held` before each request, which compares monotonic
times and so needs no event loop: a process that was frozen sends nothing once its lease has run out. A leader
whose work hangs goes on renewing; /healthz, which the same event loop answers, has it restarted.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, NoReturn, TypeVar

from .leader import RELEASE_SECONDS, Election, LeaseLost

__all__ = ["Leadership", "leading"]

END_SECONDS: Final = RELEASE_SECONDS + 3.0
"""Seconds for the thread to release the lease and end. A thread that takes longer ends with the process."""

ValueT = TypeVar("ValueT")

Connect = Callable[[], AbstractAsyncContextManager[Election]]
"""Makes the election, with its HTTP client, inside the event loop that uses them."""


class Leadership:
    """A lease that is held, and renewed by another thread."""

    def __init__(self, election: Election, ended: asyncio.Future[BaseException | None]) -> None:
        self.election = election
        self._ended = ended

    async def lost(self) -> NoReturn:
        """Wait until the lease cannot be renewed. Raises LeaseLost, or what else ended the thread."""
        raise await asyncio.shield(self._ended) or LeaseLost("it is not renewed any more")


@asynccontextmanager
async def leading(connect: Connect) -> AsyncIterator[Leadership]:
    """The block begins when the lease is acquired. At its end the lease is released."""
    keeper = _Keeper(connect)
    keeper.start()
    try:
        await asyncio.wait((keeper.acquired, keeper.ended), return_when=asyncio.FIRST_COMPLETED)
        if not keeper.acquired.done():
            raise keeper.ended.result() or LeaseLost("it was never acquired")
        yield Leadership(keeper.acquired.result(), keeper.ended)
    finally:
        keeper.stop()
        await asyncio.wait({keeper.ended}, timeout=END_SECONDS)


class _Keeper:
    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._home = asyncio.get_running_loop()
        self.acquired: asyncio.Future[Election] = self._home.create_future()
        self.ended: asyncio.Future[BaseException | None] = self._home.create_future()
        self._lock = threading.Lock()
        self._stopped = False
        self._own: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="lease", daemon=True).start()

    def stop(self) -> None:
        """End the thread, wherever it is."""
        with self._lock:
            self._stopped = True
            if self._own is not None:
                loop, task = self._own
                loop.call_soon_threadsafe(task.cancel)

    def _run(self) -> None:
        outcome: BaseException | None = None
        try:
            asyncio.run(self._keep())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the work is
            outcome = error
        finally:
            with self._lock:
                self._own = None
        self._resolve(self.ended, outcome)

    async def _keep(self) -> None:
        task = asyncio.current_task()
        with self._lock:
            if self._stopped or task is None:
                return
            self._own = asyncio.get_running_loop(), task
        async with self._connect() as election, election.leading():
            self._resolve(self.acquired, election)
            await election.renew()

    def _resolve(self, future: asyncio.Future[ValueT], value: ValueT) -> None:
        def resolve() -> None:
            if not future.done():
                future.set_result(value)

        # Closed where the work ended without waiting for this thread.
        with suppress(RuntimeError):
            self._home.call_soon_threadsafe(resolve)

"""The worker processes. Where a call ends its worker, or has to, a new one takes its place."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from nemo_local_evaluator.processes import process_context
from nemo_local_evaluator.wire.errors import SampleFailed

from .limits import ENDED_BY_ALARM, STEP_SECONDS, STEPS_BEFORE_END, prepare_worker

__all__ = ["ScoringPool"]

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE: Final = 60
"""Times the CPU time of a call, on the clock: for a worker that hangs, but not one on a busy machine, nor one
that compares the longest texts."""


class ScoringPool:
    def __init__(self, *, workers: int, step_seconds: float = STEP_SECONDS) -> None:
        self.workers = workers
        self._step_seconds = step_seconds
        self._pool = ProcessPool(
            max_workers=workers,
            initializer=prepare_worker,
            initargs=(step_seconds,),
            context=process_context(),
        )

    def start(self) -> None:
        """Have workers ready before they are needed: the first one imports for seconds."""
        self._pool.schedule(os.getpid)

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`function` in a worker, for one step. Raises what it raises; SampleFailed where it is cut off."""
        return await self.call_for(1, function, *args, **kwargs)

    async def call_for(self, steps: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a call of so many steps, each within its own limit."""
        timeout = (steps + STEPS_BEFORE_END) * self._step_seconds * _PATIENCE
        future = self._pool.schedule(function, args=args, kwargs=kwargs, timeout=timeout)
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise SampleFailed(f"template or metric took more than {timeout:g} s") from error
        except ProcessExpired as error:
            if error.exitcode == ENDED_BY_ALARM:
                seconds = STEPS_BEFORE_END * self._step_seconds
                msg = f"template or metric took more than {seconds:g} s of CPU time without a pause"
            else:
                msg = f"template or metric ended their worker (exit code {error.exitcode})"
            raise SampleFailed(msg) from error

    def close(self) -> None:
        """Ends all workers, whatever they do."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

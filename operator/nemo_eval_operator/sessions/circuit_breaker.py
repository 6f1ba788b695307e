"""Circuit breaker of one evaluator.

A failed call trips it, and calls for new work wait. One probe, with backoff, resets it, and the waiting
objects are queued. Without it each waiting job would call an unreachable evaluator.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError, Unavailable
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle import BreakerAction, Operation, meaning_of
from nemo_eval_operator.runtime.backoff import pauses
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.steady_clock import steady_now
from nemo_eval_operator.workqueue import WorkQueue

from .tracker import JobTracker

__all__ = ["CircuitBreaker"]

logger = logging.getLogger(__name__)

FIRST_PROBE_SECONDS: Final = 1.0
MAX_PROBE_SECONDS: Final = 30.0

CONFIRM_SECONDS: Final = 10.0
"""Seconds for a confirming probe after a call without an answer; if it fails the breaker trips."""

REPORT_AFTER_PROBES: Final = 3
"""Failed probes, about 5 s, after which the status of running jobs shows the outage."""


class CircuitBreaker:
    """Tripped with an error, or not; keys that `wait` are queued again when it is reset."""

    def __init__(
        self,
        evaluator: EvaluatorClient,
        queue: WorkQueue,
        tracker: JobTracker,
        heartbeat: Heartbeat,
        *,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._on_change = on_change or (lambda: None)
        self._evaluator = evaluator
        self._heartbeat = heartbeat
        self._queue = queue
        self._tracker = tracker
        self._waiting: set[ObjectKey] = set()
        self._tripped = asyncio.Event()
        self._intact = asyncio.Event()
        self._intact.set()
        self._retry_after = 0.0
        self._hurry = asyncio.Event()
        self.error: EvaluatorError | None = None
        """Error that tripped it; None while it is not tripped."""
        self.outage: str | None = None
        self.reachable_since = steady_now()
        """When the evaluator was last reached again, or since when this session has existed."""

    def trip(self, error: EvaluatorError) -> None:
        """Stop calls for new work until a probe has reached the evaluator."""
        if self.outage is None:
            logger.warning("evaluator unreachable: %s", error)
        changed = self.error is None or (type(error), error.fault) != (type(self.error), self.error.fault)
        self.error, self.outage = error, error.detail
        wished = error.retry_after if isinstance(error, Unavailable) else None
        self._retry_after = wished or 0.0
        self._intact.clear()
        self._tripped.set()
        if changed:
            self._on_change()

    async def record_failure(self, error: EvaluatorError, operation: Operation) -> None:
        """Trip, probe first or do nothing, as `lifecycle.evaluator_errors` says."""
        match meaning_of(error, operation).breaker:
            case BreakerAction.TRIP:
                self.trip(error)
            case BreakerAction.PROBE:
                await self._trip_if_unreachable(error)
            case BreakerAction.LEAVE:
                pass

    async def _trip_if_unreachable(self, error: EvaluatorError) -> None:
        """Probe once, and trip unless the evaluator answers: one job's trouble need not be another's.

        While the breaker is tripped already, `run` probes for all.
        """
        if self.outage is not None:
            return
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._evaluator.check()
        except EvaluatorError as confirmed:
            self.trip(confirmed)
        except TimeoutError:
            self.trip(error)
        else:
            logger.warning("a call failed, yet the evaluator answers: %s", error)

    def wait(self, key: ObjectKey) -> None:
        self._waiting.add(key)

    def forget(self, key: ObjectKey) -> None:
        """Do not queue the object when the evaluator is reachable again."""
        self._waiting.discard(key)

    def probe_soon(self) -> None:
        """Probe without waiting for the backoff, since the cause of the outage may be corrected."""
        self._hurry.set()

    async def until_reset(self) -> None:
        await self._intact.wait()

    async def run(self) -> None:
        """Probe while the breaker is tripped, until cancelled."""
        while True:
            self._heartbeat.rest()
            await self._tripped.wait()
            await self._probe_until_reached()
            self._reset()

    async def _probe_until_reached(self) -> None:
        for probes, pause in enumerate(pauses(first=FIRST_PROBE_SECONDS, longest=MAX_PROBE_SECONDS), start=1):
            seconds = max(self._retry_after, pause)
            self._heartbeat.rest(seconds)
            await self._pause(seconds)
            self._retry_after = 0.0
            try:
                await self._evaluator.check()
            except EvaluatorError as error:
                self.trip(error)
            else:
                return
            if probes == REPORT_AFTER_PROBES:
                for key in self._tracker.tracked_keys():
                    self.wait(key)
                    self._queue.add(key)

    async def _pause(self, seconds: float) -> None:
        self._hurry.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    def _reset(self) -> None:
        logger.warning("evaluator reachable again")
        self.error = self.outage = None
        self.reachable_since = steady_now()
        self._tripped.clear()
        self._intact.set()
        woken, self._waiting = self._waiting, set()
        for key in woken:
            self._queue.add(key)
        self._on_change()

"""Bulkhead around the loops of one evaluator: failed loops are restarted, and do not affect other evaluators.

A loop that raises is logged with its trace, counted, and started again after a pause that grows. Until it
has run for a while, `failure` says so in the status of the evaluator's connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from nemo_eval_operator.runtime.backoff import RestartPauses
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.traces import trace_of

__all__ = ["Bulkhead"]

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 300.0

PROVEN_SECONDS: Final = 60.0
"""A loop that has run for so long counts as recovered."""


class Bulkhead:
    """Runs the loops of one evaluator.

    `on_failure` is called with the name of a loop that failed, `on_change` when `failure` has become another.
    """

    def __init__(
        self,
        evaluator: str = "",
        *,
        on_failure: Callable[[str], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
        first_pause: float = FIRST_PAUSE_SECONDS,
        proven: float = PROVEN_SECONDS,
    ) -> None:
        self._evaluator = evaluator
        self._on_failure = on_failure
        self._on_change = on_change
        self._first_pause = first_pause
        self._proven = proven
        self._failing: dict[str, str] = {}
        """Names of loops, each with the type of the exception that it raised last."""

    @property
    def failure(self) -> str | None:
        """Return which loops fail, as a sentence for users; None while all of them run."""
        if not self._failing:
            return None
        loops = ", ".join(f"{name} ({kind})" for name, kind in sorted(self._failing.items()))
        return (
            f"internal error: the operator's loops for this evaluator fail and are restarted: {loops}. "
            "The operator's log has the traces, please report them"
        )

    async def run(
        self, name: str, start: Callable[[], Coroutine[Any, Any, None]], heartbeat: Heartbeat
    ) -> None:
        """Run the loop that `start` returns until it ends or this is cancelled, however often it fails."""
        clock = asyncio.get_running_loop()
        pauses = RestartPauses(first=self._first_pause, longest=MAX_PAUSE_SECONDS, proven=self._proven)
        while True:
            begun = clock.time()
            proven = clock.call_later(self._proven, self._recover, name)
            try:
                await start()
            except Exception as error:  # noqa: BLE001 - logged by _note
                failure: BaseException = error
            except asyncio.CancelledError as error:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                # Something that the loop waited for was cancelled, not the loop.
                failure = error
            else:
                self._recover(name)
                return
            finally:
                proven.cancel()
            pause = pauses.after(clock.time() - begun)
            self._note(name, failure, pause)
            heartbeat.rest(pause)
            await asyncio.sleep(pause)

    def _note(self, name: str, error: BaseException, pause: float) -> None:
        logger.error(
            "%s of evaluator %s failed, restarting it in %.0f s: %s",
            name,
            self._evaluator,
            pause,
            trace_of(error),
        )
        self._on_failure(name)
        kind = type(error).__name__
        if self._failing.get(name) != kind:
            self._failing[name] = kind
            self._on_change()

    def _recover(self, name: str) -> None:
        if self._failing.pop(name, None) is not None:
            logger.warning("%s of evaluator %s runs again", name, self._evaluator)
            self._on_change()

"""Start and end of worker processes, which are forked from a server that has imported what they need."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from multiprocessing.context import ForkServerContext
from types import FrameType
from typing import Final

__all__ = ["exit_on_sigterm", "process_context"]

_PRELOADED: Final = ["nemo_local_evaluator.scoring.preload", "nemo_local_evaluator.datasets.parquet_process"]
"""Modules that the fork server imports when the first process is started, whichever that is: some take
seconds, which would count as CPU time of a worker's first call."""


def process_context() -> ForkServerContext:
    """Return the context for processes and pools.

    Not fork: the server's process has threads, whose locks a forked child would inherit.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def exit_on_sigterm() -> None:
    """Make SIGTERM end this process as an exit does, which removes the temporary directory of its workers.

    uvicorn raises the signal once more after it has shut down. By default that ends the process at once.
    """

    def handler(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, handler)

"""Start of worker processes: they are forked from a server that has imported the modules that they need."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext
from typing import Final

__all__ = ["process_context"]

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

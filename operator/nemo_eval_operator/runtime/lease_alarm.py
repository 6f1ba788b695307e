"""A timer of the kernel that ends the process when its lease has run out.

A process may be frozen at any instruction: by SIGSTOP, by the freezer of its cgroup, or while it is swapped
out. Meanwhile another process takes over. When the first one wakes, a request that was half sent, or checked
and not yet sent, would still go out, and could start a job a second time. The timer goes on while the process
is frozen, and its signal is handled before the event loop sends anything else.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from types import FrameType
from typing import Final

__all__ = ["LeaseAlarm"]

logger = logging.getLogger(__name__)

EXIT_CODE: Final = 1
"""Exit code of a process that lost its lease, as of one that could not renew it."""

SHORTEST_SECONDS: Final = 0.001
"""Delay of a timer for a time that has passed."""


class LeaseAlarm:
    """Ends this process at a time that each renewal of the lease postpones. There is one for each process."""

    def __init__(self) -> None:
        """Handle the signal of the timer. Has to be called in the main thread.

        The default action would not do: the kernel ignores it in a container's first process.
        """
        signal.signal(signal.SIGALRM, _end)

    def set(self, at: float | None) -> None:
        """End the process at this monotonic time instead of the former one, or not at all: in any thread."""
        # A delay of 0 would disarm the timer.
        delay = 0.0 if at is None else max(at - time.monotonic(), SHORTEST_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, delay)


def _end(_number: int, _frame: FrameType | None) -> None:
    try:
        logger.critical("stopped at once: the lease ran out while this process was frozen or busy")
    finally:
        os._exit(EXIT_CODE)

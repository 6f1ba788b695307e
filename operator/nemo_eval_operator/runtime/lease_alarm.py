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

EXIT_CODE: Final = 1
"""Exit code of a process that lost its lease, as of one that could not renew it."""

SHORTEST_SECONDS: Final = 0.001
"""Delay of a timer for a time that has passed."""

MESSAGE: Final = "stopped at once: the lease ran out while this process was frozen or busy"

STDERR: Final = 2
"""File descriptor of the log."""


class LeaseAlarm:
    """Ends this process at a time that each renewal of the lease postpones. There is one for each process."""

    def __init__(self) -> None:
        """Handle the signal of the timer. Has to be called in the main thread, with logging configured.

        The default action would not do: the kernel ignores it in a container's first process.
        """
        formatters = (handler.formatter for handler in logging.getLogger().handlers)
        self._formatter = next(filter(None, formatters), logging.Formatter())
        signal.signal(signal.SIGALRM, self._end)
        # A process inherits which signals its parent has blocked.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

    def set(self, at: float | None) -> None:
        """End the process at this monotonic time instead of the former one, or not at all: in any thread."""
        # A delay of 0 would disarm the timer.
        delay = 0.0 if at is None else max(at - time.monotonic(), SHORTEST_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, delay)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        try:
            # Not by a logger: another thread may hold the lock of its handler.
            record = logging.LogRecord(__name__, logging.CRITICAL, __file__, 0, MESSAGE, None, None)
            _write_without_waiting(f"{self._formatter.format(record)}\n".encode())
        finally:
            os._exit(EXIT_CODE)


def _write_without_waiting(line: bytes) -> None:
    """Write to stderr, or raise OSError where its reader has to make room first."""
    blocking = os.get_blocking(STDERR)
    os.set_blocking(STDERR, False)
    try:
        os.write(STDERR, line)
    finally:
        # Other processes may share it, such as the shell of a terminal.
        os.set_blocking(STDERR, blocking)

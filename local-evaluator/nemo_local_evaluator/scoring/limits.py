"""Limits of a worker: CPU time for one step, bytes for all of them.

An alarm raises where Python is at work. Code in C notices it only when it is done, and some never would be: a
second alarm ends the process.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nemo_local_evaluator.wire.errors import SampleFailed

__all__ = ["ENDED_BY_ALARM", "STEPS_BEFORE_END", "STEP_SECONDS", "limited", "prepare_worker"]

STEP_SECONDS: Final = 5.0
"""CPU time for the templates and patterns of one prompt, or of one metric of one sample; not for comparing
texts, whose lengths are bounded instead."""

STEPS_BEFORE_END: Final = 2
ENDED_BY_ALARM: Final = -signal.SIGVTALRM
"""The exit code of a worker that heeded no alarm for as long as that many steps may take."""

MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""Address space beyond what a fresh worker has; a row is at most a few MiB."""


class _OutOfTime(BaseException):
    """Not an Exception: Jinja and metrics catch those."""


@dataclass
class _Worker:
    step_seconds: float = STEP_SECONDS


_worker = _Worker()


def prepare_worker(step_seconds: float) -> None:
    """The first thing that a worker does."""
    _worker.step_seconds = step_seconds
    # Ctrl-C reaches the whole process group; the server decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Pebble's own handler would wait, as the alarm does, for code in C to be done.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, _out_of_time)
    if sys.platform == "linux":  # macOS counts shared mappings, which no limit could tell from ours
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@contextmanager
def limited(*, time: bool = True) -> Iterator[None]:
    """Raise SampleFailed where the block takes more time (if `time` is true) or memory than one step may."""
    try:
        _set_alarms(_worker.step_seconds if time else 0)
        try:
            yield
        finally:
            _set_alarms(0)
    except _OutOfTime as error:
        raise SampleFailed(
            f"template or metric took more than {_worker.step_seconds:g} s of CPU time"
        ) from error
    except MemoryError as error:
        raise SampleFailed(f"template or metric needed more than {MEMORY_BYTES // 2**20} MiB") from error
    except RecursionError as error:
        raise SampleFailed("template or metric exceeded the recursion limit") from error


def _set_alarms(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, STEPS_BEFORE_END * seconds)


def _out_of_time(_number: int, _frame: object) -> None:
    raise _OutOfTime

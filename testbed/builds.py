"""Builds that take minutes: they show their progress, and their log only when they fail."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from testbed.processes import ProcessError, Processes, Program, log_tail

__all__ = ["progress_text", "run_build"]

_REPORT_SECONDS: Final = 15
"""Time between two lines about the progress, in seconds."""

_LEAST_FRACTION: Final = 0.02
"""Part of a build that has to be done before its end is estimated."""


def run_build(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    progress: Callable[[], float] | None = None,
) -> None:
    """Run a compiler to its end. `progress` returns the part that is done, 0 to 1.

    Raises ProcessError if the compiler fails.
    """
    started = time.monotonic()
    log.unlink(missing_ok=True)
    with Processes() as processes:
        build = processes.start(Program(argv[0], argv, env=env or {}, cwd=cwd, log=log))
        while (code := build.wait(_REPORT_SECONDS)) is None:
            done = progress() if progress else 0.0
            print(f"  … {progress_text(done, time.monotonic() - started)}", flush=True)
    if code != 0:
        msg = f"`{' '.join(argv)}` failed with exit code {code}:\n{log_tail(log)}"
        raise ProcessError(msg)
    print(f"  done in {_duration(time.monotonic() - started)}", flush=True)


def progress_text(done: float, elapsed: float) -> str:
    """Return how far a build is and when it ends, if it goes on as fast as so far."""
    if done < _LEAST_FRACTION:
        return f"building, {_duration(elapsed)} so far"
    left = elapsed * (1 - done) / done
    return f"{done:3.0%}, {_duration(elapsed)} so far, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"

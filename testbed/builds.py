"""Builds that take minutes: announced, with signs of life, and with their log shown only when they fail."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from testbed.processes import ProcessError, Processes, Program, log_tail

__all__ = ["run_build"]

_REPORT_SECONDS: Final = 15


def run_build(
    announcement: str,
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a compiler to its end; ProcessError if it fails."""
    print(announcement, flush=True)
    started = time.monotonic()
    log.unlink(missing_ok=True)
    with Processes() as processes:
        build = processes.start(Program(argv[0], argv, env=env or {}, cwd=cwd, log=log))
        while (code := build.wait(_REPORT_SECONDS)) is None:
            print(f"  … still building, {_elapsed(started)}", flush=True)
    if code != 0:
        msg = f"`{' '.join(argv)}` failed with exit code {code}:\n{log_tail(log)}"
        raise ProcessError(msg)
    print(f"  done in {_elapsed(started)}", flush=True)


def _elapsed(since: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - since), 60)
    return f"{minutes} min {seconds:02} s"

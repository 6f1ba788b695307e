"""Cgroups of a node: one in each hierarchy of version 1, which the node takes for the whole of it."""

import contextlib
import os
import select
import time
from pathlib import Path
from typing import Final

__all__ = ["CONTROLLERS", "HIERARCHIES", "Cgroups"]

HIERARCHIES: Final = Path("/sys/fs/cgroup")
CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")

_REMOVE_SECONDS: Final = 10.0
"""How long the kernel may take to end the processes in a cgroup."""


class Cgroups:
    """The cgroups of the node whose first process has this pid outside."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._directories = [HIERARCHIES / name / f"nemo-node-{pid}" for name in CONTROLLERS]

    def create(self) -> None:
        """Create them, with all CPUs and memory nodes."""
        for directory in self._directories:
            directory.mkdir()
            if directory.parent.name == "cpuset":
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (directory / name).write_text((directory.parent / name).read_text())

    def enter(self) -> None:
        """Move this process into them."""
        for directory in self._directories:
            (directory / "cgroup.procs").write_text(str(os.getpid()))

    def exist(self) -> bool:
        """Whether one of them is left."""
        return any(directory.exists() for directory in self._directories)

    def remove_at_end(self) -> None:
        """Wait for the end of the node's first process, and remove them."""
        with contextlib.suppress(ProcessLookupError):
            ended = os.pidfd_open(self._pid)
            select.select([ended], [], [])
        deadline = time.monotonic() + _REMOVE_SECONDS
        while self.exist() and time.monotonic() < deadline:
            for directory in self._directories:
                _remove(directory)
            time.sleep(0.05)


def _remove(directory: Path) -> None:
    for path, _, _ in os.walk(directory, topdown=False):
        # Not empty yet: processes that were killed are still there.
        with contextlib.suppress(OSError):
            Path(path).rmdir()

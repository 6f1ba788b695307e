"""Why a node cannot be started on this machine."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["NAMESPACES", "why_not_node"]

NAMESPACES: Final = ("--cgroup", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
"""Options of unshare: the node sees and changes nothing of the machine outside these namespaces."""

_PROGRAMS: Final = ("unshare", "nsenter", "ip", "mount", "apt-get", "dpkg", "go")


@functools.cache
def why_not_node() -> str | None:
    """Return why a node cannot be started here; None if it can."""
    if sys.platform != "linux":
        return "a node needs Linux"
    if os.geteuid() != 0:
        return "a node needs root"
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        return f"a node needs {', '.join(missing)}, which this machine does not have"
    if not Path("/sys/fs/cgroup/memory/cgroup.procs").exists():
        return "a node needs the cgroup v1 hierarchies, which this machine does not have"
    if not os.access("/sys/fs/cgroup/memory", os.W_OK):
        return "a node needs to create cgroups, which this machine does not allow"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "--mount-proc", "--propagation", "private", "true"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return f"a node needs namespaces: {tried.stderr.strip()}" if tried.returncode != 0 else None

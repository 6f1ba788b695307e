"""Why a node cannot be started on this machine."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from testbed.cache import cache_dir
from testbed.node.cgroups import CONTROLLERS, HIERARCHIES
from testbed.node.layout import HIDDEN

__all__ = ["MOUNTS", "NAMESPACES", "hidden_path", "missing_hierarchies", "why_not_node"]

NAMESPACES: Final = ("--cgroup", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
"""Options of unshare: the node sees and changes nothing of the machine outside these namespaces."""

MOUNTS: Final = ("--mount-proc", "--propagation", "private")
"""Further options of unshare: the node's mounts are not seen outside."""

_ROOT: Final = Path(__file__).parents[2]
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
    if hierarchies := missing_hierarchies(HIERARCHIES):
        return f"a node needs to create cgroups (version 1) in {', '.join(map(str, hierarchies))}"
    needed = [_ROOT, Path(sys.base_prefix), Path(sys.prefix), cache_dir(), Path(tempfile.gettempdir())]
    if (path := hidden_path(needed)) is not None:
        return f"a node needs {path}, and has an empty directory in place of {' and '.join(HIDDEN)}"
    return _why_not_namespaces() or _why_not_overlay(cache_dir()) or _why_not_overlay(tempfile.gettempdir())


def missing_hierarchies(root: Path) -> list[Path]:
    """Return those of the hierarchies that a node needs in which this process cannot create a cgroup."""
    return [root / name for name in CONTROLLERS if not os.access(root / name / "cgroup.procs", os.W_OK)]


def hidden_path(paths: Iterable[Path]) -> Path | None:
    """Return the first of these paths that would not be seen inside a node; None if all are."""
    return next((path for path in paths for hidden in HIDDEN if path.resolve().is_relative_to(hidden)), None)


def _why_not_namespaces() -> str | None:
    tried = _run("unshare", *NAMESPACES, *MOUNTS, "true")
    return f"a node needs namespaces: {tried.stderr.strip()}" if tried.returncode != 0 else None


def _why_not_overlay(parent: Path | str) -> str | None:
    """Return why layers of images cannot be mounted below a directory: it may be on an overlay itself."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        layers = {name: Path(directory, name) for name in ("upperdir", "workdir")}
        mounted = Path(directory, "mounted")
        for path in (*layers.values(), mounted):
            path.mkdir()
        options = ",".join(["lowerdir=/", *(f"{name}={path}" for name, path in layers.items())])
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(mounted)]
        tried = _run("unshare", "--mount", "--propagation", "private", *mount)
    # mount goes on with general advice in further lines.
    first = tried.stderr.partition("\n")[0]
    return f"a node needs overlays in {parent}: {first}" if tried.returncode != 0 else None


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False)

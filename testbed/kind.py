"""A throw-away kind cluster, where a Docker engine answers."""

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from testbed.processes import ProcessError

__all__ = ["kind_cluster", "why_not_kind"]


@functools.cache
def why_not_kind() -> str | None:
    """Why kind cannot be used here; None if it can."""
    if shutil.which("kind") is None:
        return "kind is not installed"
    if (docker := shutil.which("docker")) is None:
        return "docker is not installed"
    try:
        answer = subprocess.run([docker, "info"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    return None if answer.returncode == 0 else "no Docker engine is running"


@contextlib.contextmanager
def kind_cluster(workdir: Path) -> Iterator[Path]:
    """Create a cluster and delete it at the end; yields its kubeconfig and touches no other."""
    name = f"nemo-eval-operator-{os.getpid()}"
    kubeconfig = workdir / "kubeconfig"
    common = ["--name", name, "--kubeconfig", str(kubeconfig)]
    try:
        print(
            f"Creating the kind cluster {name}: about a minute, more when its image has to be pulled.",
            flush=True,
        )
        created = _kind("create", "cluster", "--wait", "180s", *common)
        if created.returncode != 0:
            msg = f"kind could not create a cluster:\n{created.stderr}"
            raise ProcessError(msg)
        yield kubeconfig
    finally:
        _kind("delete", "cluster", *common)


def _kind(*args: str) -> subprocess.CompletedProcess[str]:
    # A group of its own: Ctrl-C must not kill the deletion that it causes.
    return subprocess.run(
        ["kind", *args],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        process_group=0,
    )

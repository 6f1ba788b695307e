"""A throw-away kind cluster, where a Docker engine answers.

`python -m testbed.kind` says why there can be none, and then fails.
"""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.processes import ProcessError

__all__ = ["HostAddress", "host_address", "kind_cluster", "load_image", "why_not_kind"]


@dataclass(frozen=True)
class HostAddress:
    """Where a server on this machine has to listen, and the host name by which pods reach it."""

    listen: str
    from_pods: str

    @classmethod
    def of_network(cls, gateways: str) -> "HostAddress":
        """From the gateways of kind's Docker network, separated by blanks: IPv4, as a rule IPv6 too."""
        for address in gateways.split():
            if "." in address:
                return cls(listen=address, from_pods=address)
        msg = f"Docker's network kind has no IPv4 gateway, only {gateways.split()}."
        raise ProcessError(msg)


def host_address() -> HostAddress:
    """How pods of a kind cluster reach this machine; a cluster has to be there already."""
    if sys.platform != "linux":
        # Docker Desktop has its engine in a virtual machine, and this name for what is outside.
        return HostAddress(listen="127.0.0.1", from_pods="host.docker.internal")
    gateways = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
    return HostAddress.of_network(_run("docker", "network", "inspect", "kind", "--format", gateways))


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
    name = _cluster_name()
    kubeconfig = workdir / "kubeconfig"
    common = ["--name", name, "--kubeconfig", str(kubeconfig)]
    try:
        print(
            f"Creating the kind cluster {name}: about a minute, more when its image has to be pulled.",
            flush=True,
        )
        _run("kind", "create", "cluster", "--wait", "180s", *common)
        yield kubeconfig
    finally:
        with contextlib.suppress(ProcessError):
            _run("kind", "delete", "cluster", *common)


def load_image(image: str) -> None:
    """Give an image of the Docker engine to the cluster of kind_cluster, which then need not pull it."""
    _run("kind", "load", "docker-image", image, "--name", _cluster_name())


def _cluster_name() -> str:
    return f"nemo-eval-operator-{os.getpid()}"


def _run(*argv: str) -> str:
    # A group of its own: Ctrl-C must not kill the deletion that it causes.
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, process_group=0)
    if done.returncode != 0:
        msg = f"`{' '.join(argv)}` failed:\n{done.stderr}"
        raise ProcessError(msg)
    return done.stdout


if __name__ == "__main__":
    sys.exit(why_not_kind())

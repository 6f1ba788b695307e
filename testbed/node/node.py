"""Starts a node, and reaches it from outside."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from testbed.binaries import kubernetes
from testbed.cache import cache_dir, locked
from testbed.cluster import Cluster
from testbed.go_programs import GoProgram
from testbed.node.bridge import READY
from testbed.node.cgroups import Cgroups
from testbed.node.layout import IPV4, NODE_NAME, Layout, Network
from testbed.node.obstacles import why_not_node
from testbed.node.packages import unpacked_packages
from testbed.node.runtime import CTR, PAUSE_IMAGE
from testbed.oci_archive import write_archive
from testbed.processes import Child, ProcessError, Processes, Program, free_port

__all__ = ["Node", "start_node"]

_START_SECONDS: Final = 180
"""Time for all programs of a node to start and for its images to be imported: 15 s on two idle cores."""

_CGROUPS_SECONDS: Final = 15.0
"""How long removing a node's cgroups may take."""

_ROOT: Final = Path(__file__).parents[2]
_PAUSE: Final = GoProgram(
    name="pause",
    package="./pause",
    announcement="Building a pause container from tests/programs.",
    instead="Install Go: the pause container is built with it.",
)


@dataclass(frozen=True)
class Node:
    """A running node and its cluster."""

    cluster: Cluster
    layout: Layout
    processes: Processes
    first_pid: int
    """The first process of the node's namespaces, as this machine counts."""

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program of this machine inside the node; returns what it prints."""
        namespaces = ["--mount", "--net", "--pid", "--ipc", "--uts"]
        entered = ["nsenter", "--target", str(self.first_pid), *namespaces, "env", f"PATH={self.layout.path}"]
        done = subprocess.run([*entered, *argv], capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode != 0:
            raise ProcessError(f"`{' '.join(argv)}` failed in the node: {done.stderr.strip()}")
        return done.stdout

    def container_pid(self, namespace: str, pod: str) -> int:
        """Return the process, as the node counts, of the first container of a pod."""
        asked = "jsonpath={.status.containerStatuses[0].containerID}"
        answer = self.cluster.kubectl("get", "pod", pod, "-n", namespace, "-o", asked).stdout
        container = urlsplit(answer).netloc
        for line in self.run(*CTR, "task", "ls").splitlines():
            if (words := line.split())[0] == container:
                return int(words[1])
        raise ProcessError(f"Pod {pod} has no running container {container}.")

    def signal(self, namespace: str, pod: str, name: str) -> None:
        """Send a signal, such as KILL, to the first process of a pod's container."""
        self.run("kill", f"-{name}", str(self.container_pid(namespace, pod)))

    def forward(self, port: int, *, to: str) -> None:
        """Let programs in the node reach `to`, a URL on this machine's loopback, by this port of the node."""
        target = urlsplit(to)
        listen = [self.layout.network.node, str(port)]
        _bridge(self, "in", listen, [target.hostname or "", str(target.port)])


@contextlib.contextmanager
def start_node(
    processes: Processes, workdir: Path, *, images: Sequence[Path] = (), network: Network = IPV4
) -> Iterator[Node]:
    """A node that is ready, with these images, for the duration of the block; its files are in `workdir`.

    Raises ProcessError where it cannot be started; `why_not_node` says beforehand if it never can.
    """
    if reason := why_not_node():
        raise ProcessError(reason)
    workdir = workdir.resolve()
    layout = Layout(workdir, kubernetes(), unpacked_packages(), (_pause_image(), *images), network)
    layout.logs.mkdir(parents=True)
    document = workdir / "layout.json"
    document.write_text(layout.to_json())
    argv = [sys.executable, "-m", "testbed.node.entry", str(document)]
    env = {"PYTHONPATH": str(_ROOT)}
    log = layout.logs / "node.log"
    # Without time to end by itself: unshare ignores SIGTERM.
    entry = processes.start(
        Program("node", argv, env=env, log=log, ready=layout.up.exists, timeout=_START_SECONDS, grace=0)
    )
    try:
        yield _reached(processes, layout, _first_pid(entry.pid))
    finally:
        _stop(entry)


def _reached(processes: Processes, layout: Layout, first_pid: int) -> Node:
    """Return the node with a kubeconfig that leads to it from outside, when it is ready."""
    inside = json.loads((layout.workdir / "controlplane" / "kubeconfig").read_text())
    cluster = inside["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    port = free_port()
    cluster["server"] = f"https://127.0.0.1:{port}"
    cluster["tls-server-name"] = server.hostname
    kubeconfig = layout.workdir / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(json.dumps(inside))
    administered = Cluster(
        kubeconfig, "a node of this machine", layout.workdir, (str(layout.kubernetes), "kubectl")
    )
    node = Node(administered, layout, processes, first_pid)
    _bridge(node, "out", ["127.0.0.1", str(port)], [server.hostname or "", str(server.port)])
    administered.kubectl("wait", "--for=create", f"node/{NODE_NAME}", "--timeout=60s")
    administered.kubectl("wait", "--for=condition=Ready", f"node/{NODE_NAME}", "--timeout=60s")
    return node


def _bridge(node: Node, direction: str, listen: list[str], target: list[str]) -> None:
    argv = [sys.executable, "-m", "testbed.node.bridge", str(node.first_pid), direction, *listen, *target]
    log = node.layout.logs / f"bridge-{direction}-{listen[1]}.log"

    def ready() -> bool:
        return READY in log.read_text()

    env = {"PYTHONPATH": str(_ROOT)}
    node.processes.start(Program("bridge", argv, env=env, log=log, ready=ready, grace=1))


def _first_pid(entry: int) -> int:
    """Return the child of unshare, which is the first process in the new namespaces."""
    children = Path(f"/proc/{entry}/task/{entry}/children").read_text().split()
    # The other child removes the cgroups, and is in a session of its own.
    for child in map(int, children):
        if os.getsid(child) != child:
            return child
    raise ProcessError("The node has no first process.")


def _stop(entry: Child) -> None:
    # Its end is that of the whole node.
    entry.kill()
    deadline = time.monotonic() + _CGROUPS_SECONDS
    cgroups = Cgroups(entry.pid)
    while cgroups.exist():
        if time.monotonic() > deadline:
            raise ProcessError(f"Cgroups of the node with pid {entry.pid} are left.")
        time.sleep(0.05)


def _pause_image() -> Path:
    program = _PAUSE.built()
    archive = cache_dir() / f"{program.name}.tar"
    with locked("image-pause"):
        if not archive.exists():
            root = cache_dir() / f"{program.name}-root"
            root.mkdir(exist_ok=True)
            (root / "pause").write_bytes(program.read_bytes())
            (root / "pause").chmod(0o755)
            write_archive(root, archive, reference=PAUSE_IMAGE, config={"Entrypoint": ["/pause"]})
    return archive

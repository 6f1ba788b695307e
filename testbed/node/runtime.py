"""The container runtime of the node, with its images and its pod network."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from testbed.node.layout import Layout
from testbed.processes import ProcessError, Processes, Program

__all__ = ["CTR", "PAUSE_IMAGE", "SOCKET", "importing", "start_runtime"]

SOCKET: Final = "/run/containerd/containerd.sock"
PAUSE_IMAGE: Final = "localhost/pause:1"

CTR: Final = ("ctr", "--address", SOCKET, "--namespace", "k8s.io")
"""The runtime's own command line, for what the kubelet sees."""

_CONFIG: Final = """\
version = 2
root = "{data}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without the capability SYS_RESOURCE runc could not set the value that it is asked for.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def start_runtime(processes: Processes, layout: Layout) -> None:
    """Start containerd and return when it answers."""
    networks = layout.workdir / "networks"
    networks.mkdir()
    (networks / "10-bridge.conflist").write_text(json.dumps(_pod_network(layout)))
    config = layout.workdir / "containerd.toml"
    config.write_text(
        _CONFIG.format(
            data=layout.workdir / "containerd",
            socket=SOCKET,
            pause=PAUSE_IMAGE,
            plugins=layout.packages / "usr" / "lib" / "cni",
            networks=networks,
        )
    )

    def ready() -> bool:
        answer = subprocess.run([*CTR, "version"], capture_output=True, check=False)
        return answer.returncode == 0

    log = layout.logs / "containerd.log"
    # Found by the PATH that this process has set.
    argv = ["containerd", "--config", str(config)]
    processes.start(Program("containerd", argv, env={"PATH": os.environ["PATH"]}, log=log, ready=ready))


@contextlib.contextmanager
def importing(archives: tuple[Path, ...]) -> Iterator[None]:
    """Give the runtime the images in these files, during the block: it has them at the end."""
    command = [*CTR, "images", "import"]
    imports = [subprocess.Popen([*command, archive], stdout=subprocess.DEVNULL) for archive in archives]
    yield
    for archive, one in zip(archives, imports, strict=True):
        if (code := one.wait()) != 0:
            raise ProcessError(f"the import of the image in {archive} ended with exit code {code}")


def _pod_network(layout: Layout) -> dict[str, object]:
    """Return the configuration of the pods' network: a bridge, on which the node has the first address."""
    everywhere = "::/0" if layout.network.is_ipv6 else "0.0.0.0/0"
    return {
        "cniVersion": "1.0.0",
        "name": "node",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": layout.network.pods}]],
                    "routes": [{"dst": everywhere}],
                    "dataDir": "/run/cni-ipam",
                },
            }
        ],
    }

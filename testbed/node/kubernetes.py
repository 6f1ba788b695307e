"""Kubernetes' programs on the node: a control plane that knows nodes, kubelet, proxy and cluster DNS."""

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from testbed.binaries import programs_in
from testbed.controlplane import Serving, start_controlplane
from testbed.node.layout import NODE_NAME, NODE_TOKEN_USER, Layout
from testbed.node.runtime import SOCKET
from testbed.processes import Processes, Program

__all__ = ["start_kubernetes"]

_NOTHING_HELD_BACK: Final = {
    "memory.available": "100Mi",
    **dict.fromkeys(
        ("nodefs.available", "imagefs.available", "nodefs.inodesFree", "imagefs.inodesFree"), "0%"
    ),
}
"""When pods are evicted: this machine's disk is not the node's own."""


def start_kubernetes(processes: Processes, layout: Layout) -> None:
    """Start all programs; the administrator's kubeconfig is then in the working directory."""
    binary = str(layout.kubernetes)
    programs = programs_in(binary, description="a node", kubectl=binary)
    token = secrets.token_urlsafe()
    directory = layout.workdir / "controlplane"
    kubeconfig = start_controlplane(processes, programs, directory, _serving(layout, token))
    of_the_node = layout.workdir / "kubelet.kubeconfig"
    of_the_node.write_text(_with_token(kubeconfig, token))
    for name, flags in (
        ("kube-scheduler", _scheduler(kubeconfig, directory)),
        ("kubelet", _kubelet(layout, of_the_node)),
        ("kube-proxy", _proxy(layout, kubeconfig)),
    ):
        log = layout.logs / f"{name}.log"
        processes.start(Program(name, [binary, name, *flags], log=log))
    dns = [sys.executable, "-m", "testbed.node.dns", str(kubeconfig), layout.network.node]
    processes.start(Program("dns", dns, log=layout.logs / "dns.log"))


def _serving(layout: Layout, token: str) -> Serving:
    network = layout.network
    directory = layout.workdir / "controlplane"
    return Serving(
        bind=network.every,
        address=network.node,
        services=network.services,
        tokens=[f"{token},{NODE_TOKEN_USER},{NODE_NAME},system:nodes"],
        apiserver=[
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--kubelet-preferred-address-types=InternalIP",
        ],
        controllers=["*", "-node-ipam-controller"],
        manager=[
            f"--root-ca-file={directory / 'certificates' / 'apiserver.crt'}",
            "--use-service-account-credentials",
            f"--flex-volume-plugin-dir={layout.workdir / 'plugins'}",
        ],
    )


def _with_token(kubeconfig: Path, token: str) -> str:
    config = json.loads(kubeconfig.read_text())
    config["users"][0]["user"]["token"] = token
    return json.dumps(config)


def _scheduler(kubeconfig: Path, directory: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={directory / 'scheduler'}",
    ]


def _kubelet(layout: Layout, kubeconfig: Path) -> list[str]:
    resolver = layout.workdir / "resolv.conf"
    resolver.write_text(f"nameserver {layout.network.node}\n")
    config = _write(
        layout.workdir / "kubelet.json",
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "failSwapOn": False,
            # It checks the settings that it finds, and changes none.
            "protectKernelDefaults": True,
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            # Nothing outside the node's namespaces reaches it.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": layout.network.node,
            "clusterDNS": [layout.network.node],
            "clusterDomain": "cluster.local",
            "resolvConf": str(resolver),
            "podLogsDir": str(layout.logs / "pods"),
            "volumePluginDir": str(layout.workdir / "plugins"),
            "evictionHard": _NOTHING_HELD_BACK,
            # An image that is deleted does not come back without a registry.
            "imageGCHighThresholdPercent": 100,
        },
    )
    return [
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={layout.network.node}",
        "--root-dir=/var/lib/kubelet",
    ]


def _proxy(layout: Layout, kubeconfig: Path) -> list[str]:
    config = _write(
        layout.workdir / "proxy.json",
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clusterCIDR": layout.network.pods,
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            # These settings of the kernel cannot be written in a network namespace; 0 leaves them.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "hostnameOverride": NODE_NAME,
        },
    )
    return [f"--config={config}"]


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(document))
    return path

"""What the node has of a machine: mounts, kernel settings and network interfaces, in its namespaces."""

import subprocess
from pathlib import Path
from typing import Final

from testbed.node.cgroups import CONTROLLERS, HIERARCHIES
from testbed.node.layout import HIDDEN, NODE_NAME, Layout, Network

__all__ = ["KERNEL_SETTINGS", "prepare_machine"]

KERNEL_SETTINGS: Final = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
"""What a kubelet wants of the whole machine. It sees these values; the machine keeps its own."""

_NETFILTER_TOOLS: Final = (
    *("conntrack", "nft", "iptables", "iptables-restore", "iptables-save"),
    *("ip6tables", "ip6tables-restore", "ip6tables-save"),
)


def prepare_machine(layout: Layout) -> None:
    """Mount what a node needs, set up its network, and write the wrappers of its tools."""
    _run("hostname", NODE_NAME)
    _mount_cgroups()
    for directory in HIDDEN:
        _mount("tmpfs", directory, "-o", "mode=755")
    kubelet = layout.workdir / "kubelet"
    for path in (kubelet, layout.wrappers, Path("/var/lib/kubelet")):
        path.mkdir(parents=True)
    _run("mount", "--bind", str(kubelet), "/var/lib/kubelet")
    for number, (name, value) in enumerate(KERNEL_SETTINGS.items()):
        own = Path(f"/run/setting-{number}")
        own.write_text(f"{value}\n")
        _run("mount", "--bind", str(own), f"/proc/sys/{name}")
    _write_wrappers(layout)
    _connect(layout.network)


def _mount_cgroups() -> None:
    _mount("sysfs", "/sys")
    _mount("tmpfs", str(HIERARCHIES), "-o", "mode=755")
    for name in CONTROLLERS:
        (HIERARCHIES / name).mkdir()
        options = "none,name=systemd" if name == "systemd" else name
        _mount("cgroup", str(HIERARCHIES / name), "-o", options)


def _write_wrappers(layout: Layout) -> None:
    """Let the unpacked tools find their libraries, which are not where the linker looks."""
    libraries = next((layout.packages / "usr" / "lib").glob("*-linux-gnu*"))
    for name in _NETFILTER_TOOLS:
        program = (
            layout.packages / "usr" / "sbin" / name.replace("tables", "tables-nft")
        )  # nft, conntrack: as they are
        wrapper = layout.wrappers / name
        environment = f"LD_LIBRARY_PATH={libraries} XTABLES_LIBDIR={libraries}/xtables"
        wrapper.write_text(f'#!/bin/sh\nexec env {environment} {program} "$@"\n')
        wrapper.chmod(0o755)


def _connect(network: Network) -> None:
    """Give the node its address, on one end of a cable whose other end leads nowhere."""
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "node0", "type", "veth", "peer", "name", "node0-peer")
    for kind in ("node0", "node0-peer", "default"):
        # An address would be tentative for a second, and programs could not listen on it.
        Path(f"/proc/sys/net/ipv6/conf/{kind}/accept_dad").write_text("0")
    address = ["addr", "add", f"{network.node}/{network.prefix}", "dev", "node0"]
    _ip(*address, *(["nodad"] if network.is_ipv6 else []))
    for name in ("node0-peer", "node0"):
        _ip("link", "set", name, "up")
    _ip("-6" if network.is_ipv6 else "-4", "route", "add", "default", "via", network.gateway, "dev", "node0")
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "bridge/bridge-nf-call-iptables"):
        Path("/proc/sys/net", setting).write_text("1")
    if network.is_ipv6:
        Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables").write_text("1")


def _mount(kind: str, directory: str, *options: str) -> None:
    _run("mount", "-t", kind, *options, kind, directory)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)

"""What the processes of a node agree on: addresses, programs and places of files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

__all__ = ["HIDDEN", "IPV4", "IPV6", "NODE_NAME", "NODE_TOKEN_USER", "Layout", "Network"]

HIDDEN: Final = ("/run", "/var/lib", "/var/log")
"""Directories that programs write to by fixed paths: the node has empty ones in their place."""

NODE_NAME: Final = "node-1"
NODE_TOKEN_USER: Final = f"system:node:{NODE_NAME}"
"""User of the kubelet, whom the API server's authorizer lets read what its pods need."""


@dataclass(frozen=True)
class Network:
    """The addresses of a node, its pods and the Services, of one family."""

    node: str
    prefix: int
    gateway: str
    pods: str
    services: str
    every: str
    """The address that stands for all of this family."""

    @property
    def is_ipv6(self) -> bool:
        """Whether the family is IPv6."""
        return ":" in self.node

    def url(self, scheme: str, port: int) -> str:
        """Return the URL of a port of the node."""
        return f"{scheme}://[{self.node}]:{port}" if self.is_ipv6 else f"{scheme}://{self.node}:{port}"


IPV4: Final = Network("10.250.0.1", 24, "10.250.0.254", "10.244.0.0/24", "10.96.0.0/16", "0.0.0.0")  # noqa: S104
IPV6: Final = Network("fd00:250::1", 64, "fd00:250::fe", "fd00:244::/64", "fd00:96::/112", "::")


@dataclass(frozen=True)
class Layout:
    """What the first process of the node's namespaces is started with."""

    workdir: Path
    kubernetes: Path
    """The program that is the kubelet and all others of Kubernetes."""
    packages: Path
    """Directory below which the packages of the runtime are unpacked."""
    images: tuple[Path, ...]
    network: Network

    @property
    def logs(self) -> Path:
        """The directory of all logs."""
        return self.workdir / "logs"

    @property
    def wrappers(self) -> Path:
        """The directory of programs that are started with libraries of `packages`."""
        return self.workdir / "bin"

    @property
    def path(self) -> str:
        """The value of PATH inside."""
        unpacked = [self.packages / "usr" / name for name in ("bin", "sbin")]
        return ":".join(map(str, (self.wrappers, *unpacked, "/usr/sbin", "/usr/bin", "/sbin", "/bin")))

    @property
    def up(self) -> Path:
        """The file that exists as soon as all programs have been started."""
        return self.workdir / "up"

    def to_json(self) -> str:
        """Return the layout as JSON."""
        return _LAYOUT.dump_json(self).decode()

    @classmethod
    def of_json(cls, text: str) -> "Layout":
        """Return the layout that `to_json` wrote."""
        return _LAYOUT.validate_json(text)


_LAYOUT: Final = TypeAdapter(Layout)

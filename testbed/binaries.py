"""The programs of a Kubernetes API: those in KUBEBUILDER_ASSETS, or ours, built once into the cache."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.go_programs import PROGRAMS, GoProgram
from testbed.processes import ProcessError

__all__ = ["OLDEST_KUBERNETES", "Binaries", "built", "envtest", "kubernetes", "programs_in"]

_KUBERNETES_VERSION: Final = "v1.37.2"  # of k8s.io/kubernetes in tests/programs/go.mod
_KUBERNETES: Final = GoProgram(
    name="kubernetes",
    package="./kubernetes",
    ldflags=f"-s -w -X k8s.io/component-base/version.gitVersion={_KUBERNETES_VERSION}",
    announcement=(
        f"Building Kubernetes {_KUBERNETES_VERSION} from tests/programs: about 12 minutes on two cores, once."
    ),
    instead=(
        "There is no cluster to use and no Go to build one with: install Go, or kind with Docker, "
        "or name a kubeconfig in NEMO_TEST_KUBECONFIG."
    ),
)

OLDEST_KUBERNETES: Final = "v1.29.15"
"""The oldest version that the operator supports, of k8s.io/kubernetes in tests/programs/oldest/go.mod."""

_OLDEST: Final = GoProgram(
    name="kubernetes-oldest",
    package=".",
    module=PROGRAMS / "oldest",
    ldflags=f"-s -w -X k8s.io/component-base/version.gitVersion={OLDEST_KUBERNETES}",
    announcement=(
        f"Building Kubernetes {OLDEST_KUBERNETES} from tests/programs/oldest: "
        "about 8 minutes on two cores, once."
    ),
    instead="Install Go: the oldest supported Kubernetes is built with it.",
)


@dataclass(frozen=True)
class Binaries:
    """The command that each program starts with."""

    description: str
    etcd: tuple[str, ...]
    apiserver: tuple[str, ...]
    kubectl: tuple[str, ...]
    # envtest ships none: owner references are then not collected, namespaces stay Terminating.
    controller_manager: tuple[str, ...] | None = None


def envtest() -> Binaries | None:
    """The programs in KUBEBUILDER_ASSETS, as envtest has it; None where that is not set."""
    if not (assets := os.environ.get("KUBEBUILDER_ASSETS")):
        return None
    directory = Path(assets)
    for name in ("etcd", "kube-apiserver", "kubectl"):
        if not (directory / name).is_file():
            msg = f"KUBEBUILDER_ASSETS={directory} holds no {name}."
            raise ProcessError(msg)
    manager = directory / "kube-controller-manager"
    return Binaries(
        description=f"envtest binaries in {directory}",
        etcd=(str(directory / "etcd"),),
        apiserver=(str(directory / "kube-apiserver"),),
        kubectl=(str(directory / "kubectl"),),
        controller_manager=(str(manager),) if manager.is_file() else None,
    )


def kubernetes() -> Path:
    """Return the program that all of Kubernetes' programs are subcommands of, compiled on first use."""
    return _KUBERNETES.built()


def built() -> Binaries:
    """The programs of tests/programs: one binary, compiled on first use.

    NEMO_TEST_KUBERNETES=oldest names those of the oldest version that the operator supports.
    """
    newest = str(kubernetes())
    version, binary = _KUBERNETES_VERSION, newest
    if os.environ.get("NEMO_TEST_KUBERNETES") == "oldest":
        version, binary = OLDEST_KUBERNETES, str(_OLDEST.built())
    return programs_in(binary, description=f"Kubernetes {version} API as local processes", kubectl=newest)


def programs_in(binary: str, *, description: str, kubectl: str) -> Binaries:
    """Return the programs that are subcommands of one binary; `kubectl` is the binary that has kubectl."""
    return Binaries(
        description=description,
        etcd=(binary, "etcd"),
        apiserver=(binary, "kube-apiserver"),
        kubectl=(kubectl, "kubectl"),
        controller_manager=(binary, "kube-controller-manager"),
    )

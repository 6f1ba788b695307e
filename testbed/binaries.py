"""The programs of a Kubernetes API: those in KUBEBUILDER_ASSETS, or ours, built once into the cache."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.cache import cache_dir, locked
from testbed.processes import ProcessError

__all__ = ["Binaries", "built", "envtest"]

_SOURCE: Final = Path(__file__).parent.parent / "tests" / "controlplane"
_KUBERNETES_VERSION: Final = "v1.37.2"  # of k8s.io/kubernetes in its go.mod
_LDFLAGS: Final = f"-s -w -X k8s.io/component-base/version.gitVersion={_KUBERNETES_VERSION}"


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


def built() -> Binaries:
    """The programs of tests/controlplane: one binary, compiled on first use."""
    binary = str(_build())
    return Binaries(
        description=f"Kubernetes {_KUBERNETES_VERSION} API as local processes",
        etcd=(binary, "etcd"),
        apiserver=(binary, "kube-apiserver"),
        kubectl=(binary, "kubectl"),
        controller_manager=(binary, "kube-controller-manager"),
    )


def _build() -> Path:
    if shutil.which("go") is None:
        raise ProcessError(
            "There is no cluster to use and no Go to build one with: install Go, or kind with Docker, "
            "or name a kubeconfig in NEMO_TEST_KUBECONFIG."
        )
    target = cache_dir() / f"controlplane-{_key()}"
    if target.exists():
        return target
    with locked("controlplane"):
        if not target.exists():  # another process may have built it while we waited
            _compile(target)
    return target


def _key() -> str:
    """Changes with everything that the binary depends on."""
    toolchain = subprocess.run(
        ["go", "env", "-json", "GOVERSION", "GOOS", "GOARCH"],  # noqa: S607
        cwd=_SOURCE,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    digest = hashlib.sha256()
    for part in (*sorted(json.loads(toolchain).items()), _LDFLAGS):
        digest.update(repr(part).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((_SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def _compile(target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    run_build(
        f"Building a Kubernetes {_KUBERNETES_VERSION} control plane from tests/controlplane: "
        "about 11 minutes on two cores, once.",
        ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", _LDFLAGS, "-o", str(unfinished), "."],
        env={"CGO_ENABLED": "0"},
        cwd=_SOURCE,
        log=cache_dir() / "controlplane-build.log",
    )
    unfinished.rename(target)

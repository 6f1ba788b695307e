"""One Kubernetes API for tests and demo, the best that this machine offers.

In this order: the kubeconfig named by NEMO_TEST_KUBECONFIG; kind, where a Docker engine answers; the binaries
in KUBEBUILDER_ASSETS; our own control plane (tests/programs). The current kubectl context is neither
read nor changed.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from testbed import binaries
from testbed.controlplane import start_controlplane
from testbed.kind import kind_cluster, why_not_kind
from testbed.processes import ProcessError, Processes

__all__ = ["Cluster", "KubectlError", "prepare", "start_cluster"]

_CRDS: Final = Path(__file__).parents[1] / "crds"

_OWN_TIMEOUT: Final = re.compile(r"--timeout=(\d+)s")

_EXIT_SECONDS: Final = 10.0
"""From the end of kubectl's own --timeout until it has printed that and ended."""


class KubectlError(subprocess.CalledProcessError):
    """kubectl failed; what it said is part of the message."""

    @override
    def __str__(self) -> str:
        return f"{' '.join(self.cmd)}: {self.stderr.strip()}"


@dataclass(frozen=True)
class Cluster:
    """A running Kubernetes API, as its administrator sees it."""

    kubeconfig: Path
    description: str
    workdir: Path
    kubectl_command: tuple[str, ...]
    # Whether owner references are garbage-collected and namespaces end; not so with plain envtest binaries.
    has_controllers: bool = True
    # Whether this process has started it and ends it.
    throwaway: bool = True

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run has for it
        check: bool = True,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against this cluster, whatever the user's own configuration says.

        It is ended after `timeout` seconds, but not before its own time-out, given as `--timeout=90s`.
        """
        argv = [*self.kubectl_command, *args]
        own = [float(found[1]) + _EXIT_SECONDS for arg in args if (found := _OWN_TIMEOUT.fullmatch(arg))]
        result = subprocess.run(
            argv,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=max([timeout, *own]),
            check=False,
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "KUBECACHEDIR": str(self.workdir / "kube-cache"),
            },
        )
        if check and result.returncode != 0:
            raise KubectlError(result.returncode, ["kubectl", *args], result.stdout, result.stderr)
        return result

    def apply_crds(self, *, seconds: int = 30) -> None:
        """Apply this repository's CRDs, and wait at most `seconds` until the API server serves them."""
        crds = str(_CRDS)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", crds)
        self.kubectl("wait", "--for=condition=Established", f"--timeout={seconds}s", "-f", crds)

    def in_namespace(self, namespace: str) -> "Cluster":
        """The same cluster by a kubeconfig of our own, whose context says NAMESPACE."""
        config = self._own_kubeconfig()
        for context in config["contexts"]:
            context["context"]["namespace"] = namespace
        return replace(self, kubeconfig=self._write_kubeconfig(f"kubeconfig-{namespace}", config))

    def create_account(self, namespace: str, name: str, rules: Sequence[Mapping[str, Any]]) -> Path:
        """Create a service account whose only rights are `rules` in its namespace; its kubeconfig."""
        api, meta = "rbac.authorization.k8s.io", {"name": name, "namespace": namespace}
        manifests = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta, "rules": [*rules]},
            {
                "apiVersion": f"{api}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", **meta}],
            },
        ]
        for manifest in manifests:
            self.kubectl("apply", "-f", "-", input=json.dumps(manifest))
        return self.service_account_kubeconfig(namespace, name)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig whose user is a service account, by a token that lasts a day."""
        token = self.kubectl(
            "create", "token", name, "--namespace", namespace, "--duration", "24h"
        ).stdout.strip()
        config = self._own_kubeconfig()
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        return self._write_kubeconfig(f"kubeconfig-{namespace}-{name}", config)

    def _own_kubeconfig(self) -> dict[str, Any]:
        """The current context, complete with certificates and credentials."""
        shown = self.kubectl("config", "view", "--minify", "--flatten", "-o", "json").stdout
        config: dict[str, Any] = json.loads(shown)
        return config

    def _write_kubeconfig(self, name: str, config: Mapping[str, Any]) -> Path:
        path = self.workdir / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))  # JSON is YAML too
        return path


def prepare() -> None:
    """Build what start_cluster needs; the progress is printed."""
    if os.environ.get("NEMO_TEST_KUBECONFIG") or why_not_kind() is None:
        _kubectl_command()
    elif binaries.envtest() is None:
        binaries.built()


@contextlib.contextmanager
def start_cluster(processes: Processes, workdir: Path) -> Iterator[Cluster]:
    """A cluster for the duration of the block; its files are in WORKDIR."""
    workdir = workdir.resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    if named := os.environ.get("NEMO_TEST_KUBECONFIG"):
        kubeconfig = Path(named).expanduser().resolve()
        if not kubeconfig.is_file():
            msg = f"NEMO_TEST_KUBECONFIG={named}: there is no such file."
            raise ProcessError(msg)
        description = f"cluster of {kubeconfig}"
        yield Cluster(kubeconfig, description, workdir, _kubectl_command(), throwaway=False)
    elif why_not_kind() is None:
        with kind_cluster(workdir) as kubeconfig:
            yield Cluster(kubeconfig, "kind", workdir, _kubectl_command())
    else:
        programs = binaries.envtest() or binaries.built()
        kubeconfig = start_controlplane(processes, programs, workdir)
        yield Cluster(
            kubeconfig,
            programs.description,
            workdir,
            programs.kubectl,
            has_controllers=programs.controller_manager is not None,
        )


def _kubectl_command() -> tuple[str, ...]:
    found = shutil.which("kubectl")
    return (found,) if found else binaries.built().kubectl

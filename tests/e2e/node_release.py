"""The chart on a real node: installed with Helm, and looked at as pods."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from testbed.chart import CHART, helm, helm_homes
from testbed.node import Node
from tests.e2e.scenario import eventually

_PROJECT: Final = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
_TAG: Final = _PROJECT["version"]

OPERATOR_IMAGE: Final = f"docker.io/library/nemo-eval-operator:{_TAG}"
EVALUATOR_IMAGE: Final = f"docker.io/library/nemo-local-evaluator:{_TAG}"
"""The images' names in the chart, as a container runtime completes them."""

_VALUES: Final = (
    "settings.pollIntervalSeconds=1",
    # As the defaults, but sooner.
    "minReadySeconds=2",
    "livenessProbe.periodSeconds=3",
    "livenessProbe.timeoutSeconds=3",
)


@dataclass(frozen=True)
class Release:
    """One release of the chart."""

    node: Node
    home: Path
    namespace: str = "nemo-eval-system"
    name: str = "nemo-eval-operator"

    def helm(self, *args: str) -> str:
        env = {"KUBECONFIG": str(self.node.cluster.kubeconfig), **helm_homes(self.home)}
        return helm(*args, "--namespace", self.namespace, env=env, timeout=240, with_log=True)

    def install(self, *options: str) -> str:
        """Install it, or change it to exactly these values; returns when only new pods are left and ready."""
        own = [option for value in _VALUES for option in ("--set", value)]
        waiting = ["--install", "--wait", "--timeout", "180s", "--reset-values"]
        notes = self.helm("upgrade", self.name, str(CHART), *waiting, *own, *options)
        # Helm waits for the new pods only: the former leader still submits jobs, with its own settings.
        self.kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=120s")
        eventually(lambda: not self._ending(), "the former pods have ended", seconds=120)
        return notes

    def uninstall(self) -> str:
        return self.helm("uninstall", self.name, "--wait", "--timeout", "180s")

    def kubectl(self, *args: str) -> str:
        return self.node.cluster.kubectl("--namespace", self.namespace, *args, timeout=120).stdout

    def pods(self) -> list[dict[str, Any]]:
        """The operator's pods that are not being deleted."""
        return [pod for pod in self._all_pods() if "deletionTimestamp" not in pod["metadata"]]

    def _ending(self) -> list[dict[str, Any]]:
        return [pod for pod in self._all_pods() if "deletionTimestamp" in pod["metadata"]]

    def _all_pods(self) -> list[dict[str, Any]]:
        selector = "app.kubernetes.io/name=nemo-eval-operator"
        found = json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))
        return list(found["items"])

    def leader(self) -> str:
        """The name of the pod that holds the Lease."""

        def holder() -> str | None:
            lease = json.loads(self.kubectl("get", "lease", self.name, "-o", "json"))
            identity = str(lease["spec"].get("holderIdentity") or "")
            names = [pod["metadata"]["name"] for pod in self.pods()]
            return next((name for name in names if identity.startswith(name)), None)

        return eventually(holder, "a pod holds the Lease", seconds=60)

    def another_leads(self, than: str) -> None:
        eventually(lambda: self.leader() != than, f"another pod than {than} leads", seconds=60)

    def restarts(self, pod: str) -> int:
        found = json.loads(self.kubectl("get", "pod", pod, "-o", "json"))
        (status,) = found["status"]["containerStatuses"]
        return int(status["restartCount"])

    def is_ready(self, pod: str) -> bool:
        found = json.loads(self.kubectl("get", "pod", pod, "-o", "json"))
        return all(status["ready"] for status in found["status"]["containerStatuses"])

"""The parts that both demos evaluate on: the model, the namespace, the time limit and the running stack.

The stack itself is started by testbed.demo as processes, and by testbed.kind_demo in a cluster of kind.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from testbed.cluster import Cluster
from testbed.model import MODEL_ID, ModelEndpoint, start_model
from testbed.processes import Processes, Program

__all__ = [
    "DEMO_NAMESPACE",
    "OPERATOR",
    "SAMPLES",
    "DemoError",
    "Stack",
    "demo_namespace",
    "follow_log",
    "limit",
    "ready",
    "served_model",
]

SAMPLES: Final = Path(__file__).parent.parent / "deploy" / "samples"
DEMO_NAMESPACE: Final = "nemo-demo"
OPERATOR: Final = "deployment/nemo-eval-operator"
"""The operator in a cluster, as kubectl names it."""

# All is local and takes about a minute on two cores; an endpoint of the user's may think longer.
_LIMIT_SECONDS: Final = 300
_LIMIT_SECONDS_OWN_MODEL: Final = 1800


class DemoError(Exception):
    """Something did not end as it should."""


@dataclass(frozen=True)
class Stack:
    """All the parts, up and ready for the samples."""

    processes: Processes
    cluster: Cluster
    evaluator_url: str
    model: ModelEndpoint

    @property
    def own_model(self) -> bool:
        """Whether the model is the user's."""
        return self.model.model_id != MODEL_ID


def _users_model() -> ModelEndpoint | None:
    url, model_id = os.environ.get("MODEL_URL"), os.environ.get("MODEL")
    if url and model_id:
        return ModelEndpoint(url, model_id, os.environ.get("MODEL_API_KEY"))
    if url or model_id:
        raise DemoError("MODEL_URL and MODEL go together: set both, or neither.")
    return None


def limit() -> None:
    """Raise DemoError if the demo takes longer than it should from now on; main cancels the alarm."""
    seconds = _LIMIT_SECONDS_OWN_MODEL if _users_model() else _LIMIT_SECONDS

    def handler(_number: int, _frame: FrameType | None) -> None:
        msg = f"it has taken more than {seconds} s"
        raise DemoError(msg)

    signal.signal(signal.SIGALRM, handler)
    signal.alarm(seconds)


def served_model(processes: Processes, workdir: Path) -> ModelEndpoint:
    """Return the user's endpoint, or else start the small model."""
    if model := _users_model():
        return model
    model = start_model(processes, workdir)
    ready(f"SmolLM2-135M-Instruct, served by llama.cpp at {model.url}")
    return model


def ready(what: str) -> None:
    """Print that a part is up."""
    print(f"  ready: {what}", flush=True)


@contextlib.contextmanager
def demo_namespace(cluster: Cluster) -> Iterator[Cluster]:
    """Create a namespace for the samples; in a lasting cluster, delete it before the operator stops."""
    cluster.kubectl("create", "namespace", DEMO_NAMESPACE)
    try:
        yield cluster.in_namespace(DEMO_NAMESPACE)
    finally:
        if not cluster.throwaway:
            cluster.kubectl("delete", "namespace", DEMO_NAMESPACE, "--timeout=60s", check=False, timeout=90)


def follow_log(processes: Processes, cluster: Cluster, workdir: Path, *, namespace: str) -> None:
    """Follow the log of the operator's pod as that of a process: its end is shown when the demo fails."""
    argv = [*cluster.kubectl_command, "logs", "--follow", OPERATOR, "--namespace", namespace]
    env = {"KUBECONFIG": str(cluster.kubeconfig)}
    processes.start(Program("operator", argv, env=env, log=workdir / "operator.log"))

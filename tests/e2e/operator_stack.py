"""For tests that stop and start the parts themselves: an evaluator of its own, and operators against it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from testbed.cluster import Cluster
from testbed.model import ModelEndpoint
from testbed.processes import Child, Processes, free_port
from testbed.stack import start_evaluator, start_operator
from tests.e2e.stub_model import StubModel


@dataclass
class OperatorStack:
    """One namespace's operator and evaluator, each of which may be killed, halted and started again."""

    cluster: Cluster
    namespace: str
    processes: Processes
    workdir: Path
    datasets: Path
    stub_model: StubModel
    port: int = field(default_factory=free_port)
    health: str = ""

    @property
    def evaluator_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_evaluator(self) -> Child:
        models = {"parrot": ModelEndpoint(self.stub_model.url, "parrot-1")}
        start_evaluator(self.processes, self.workdir, datasets=self.datasets, models=models, port=self.port)
        return list(self.processes)[-1]

    def start_operator(
        self, env: Mapping[str, str] | None = None, *, evaluator_url: str | None = None
    ) -> Child:
        """Start an operator against the evaluator, or against what stands before it at `evaluator_url`."""
        # An evaluator's first job may keep it busy for seconds on a machine that has others to serve.
        quick = {"NEMO_SETTLE_SECONDS": "15", "NEMO_REQUEST_TIMEOUT_SECONDS": "10"}
        self.health = start_operator(
            self.processes,
            self.workdir,
            kubeconfig=self.cluster.kubeconfig,
            evaluator_url=evaluator_url or self.evaluator_url,
            namespaces=[self.namespace],
            env=quick | dict(env or {}),
        )
        return list(self.processes)[-1]

    def kill(self, child: Child) -> None:
        child.kill()
        self.processes.remove(child)

    def metric(self, sample: str) -> float:
        """The value of one sample, written as in Prometheus' format."""
        text = httpx.get(self.health.replace("/healthz", "/metrics"), timeout=10).text
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(sample))


@contextmanager
def halted(child: Child) -> Iterator[None]:
    """The process neither runs nor ends: its connections are accepted, and no answer comes."""
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)

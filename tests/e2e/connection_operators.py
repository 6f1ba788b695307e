"""Operators whose evaluators are reached by NemoEvaluatorConnections only, and objects for their tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.processes import Child, Processes, free_port
from testbed.stack import start_operator
from tests.e2e.scenario import Scenario, data_benchmark, data_job

CONNECTION = "nemoevaluatorconnection"


@dataclass(frozen=True)
class Start:
    """Starts operators whose own evaluator does not exist, so that only connections lead to one."""

    processes: Processes
    cluster: Cluster
    namespace: str
    workdir: Path

    def __call__(self, *others: str, env: Mapping[str, str] | None = None) -> Child:
        start_operator(
            self.processes,
            self.workdir,
            kubeconfig=self.cluster.kubeconfig,
            evaluator_url=f"http://127.0.0.1:{free_port()}",
            namespaces=[self.namespace, *others],
            env={"NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true"} | dict(env or {}),
        )
        return list(self.processes)[-1]

    def stop(self, operator: Child) -> None:
        operator.terminate()
        assert operator.wait(30) == 0
        self.processes.remove(operator)


def secret(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def by(name: str, **ref: str) -> dict[str, Any]:
    """Return the spec fields that refer to the connection `name`."""
    return {"evaluatorRef": {"name": name, **ref}}


def job_in_place(name: str, **spec: Any) -> dict[str, Any]:
    """Return a job with its own config instead of a benchmark."""
    job = data_job(name, config=data_benchmark()["spec"]["config"], **spec)
    del job["spec"]["benchmarkRef"]
    return job


def ready(scenario: Scenario, name: str) -> str:
    """Return the status of the connection's Ready condition."""
    return scenario.conditions(CONNECTION, name).get("Ready", "")

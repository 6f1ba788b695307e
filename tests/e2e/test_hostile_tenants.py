"""What one namespace writes, or leads the operator to, costs the others nothing that they notice."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cluster import Cluster
from testbed.processes import Child, Processes
from testbed.stack import start_operator
from tests.e2e.scenario import JOB, Scenario, connection, data_benchmark, data_job, eventually

CHART_VALUES = Path(__file__).parents[2] / "deploy" / "chart" / "values.yaml"

LARGE_OBJECTS = 4
"""Each takes a second of the API server's CPU, and some 50 MB of its memory."""

TARPITS = 40
"""More than there are workers."""


@pytest.fixture
def victim(cluster: Cluster, namespace: str, evaluator_url: str) -> Iterator[Scenario]:
    name = f"{namespace}-victim"
    cluster.kubectl("create", "namespace", name)
    yield Scenario(cluster, name, evaluator_url)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def attacker(cluster: Cluster, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


@pytest.fixture
def tarpit() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def processes(crds: None) -> Iterator[Processes]:
    with Processes() as processes:
        yield processes
        processes.check()


def started(processes: Processes, workdir: Path, attacker: Scenario, victim: Scenario) -> Child:
    start_operator(
        processes,
        workdir,
        kubeconfig=attacker.cluster.kubeconfig,
        evaluator_url=victim.evaluator_url,
        namespaces=[attacker.namespace, victim.namespace],
        env={"NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true", "NEMO_LEADER_ELECT": "true"}
        | {"NEMO_LEASE_NAMESPACE": attacker.namespace},
    )
    return list(processes)[-1]


def in_place(name: str, extra: object, **spec: Any) -> dict[str, Any]:
    config = data_benchmark()["spec"]["config"]
    job = data_job(name, config={**config, "params": {"extra": {"x": extra}}}, **spec)
    del job["spec"]["benchmarkRef"]
    return job


def memory_limit_mib() -> int:
    """The memory that the chart gives the operator's pod."""
    limit: str = yaml.safe_load(CHART_VALUES.read_text())["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    return int(limit.removesuffix("Mi"))


def peak_memory_mib(process: Child) -> float:
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(kilobytes) / 1024


def test_objects_that_are_too_large_are_refused_and_cost_the_others_nothing(
    processes: Processes, tmp_path: Path, attacker: Scenario, victim: Scenario
) -> None:
    names = [f"large-{number}" for number in range(LARGE_OBJECTS)]
    for name in names:
        attacker.kubectl("create", "-f", "-", input=json.dumps(in_place(name, [[]] * 430_000)))
    # At rest already when the operator starts, as after each of its restarts.
    operator = started(processes, tmp_path, attacker, victim)
    victim.apply(data_benchmark(), data_job("unharmed"))
    victim.until_phase("unharmed", "Succeeded", seconds=90)
    for churned in ("a", "b"):
        for name in names:
            attacker.kubectl("label", JOB, name, f"churned={churned}", "--overwrite")
    for name in names:
        status = attacker.until_reason(JOB, name, "ObjectTooLarge", seconds=180)
        assert "bytes, and at most 262,144 are read: make it smaller" in status["message"]
    assert attacker.conditions(JOB, names[0]) == {"Ready": "False", "Stalled": "True"}
    assert attacker.remote_jobs() == []

    assert peak_memory_mib(operator) < memory_limit_mib() / 2
    attacker.kubectl("delete", JOB, names[0], "--wait=false")
    attacker.until_gone(JOB, names[0])


def test_an_object_just_over_the_number_of_values_is_refused(
    processes: Processes, tmp_path: Path, attacker: Scenario, victim: Scenario
) -> None:
    started(processes, tmp_path, attacker, victim)
    attacker.apply(in_place("many", [0] * 10_001), in_place("not-so-many", [0] * 9_000))

    status = attacker.until_reason(JOB, "many", "ObjectTooLarge")
    assert re.search(r"spec has 10,0\d\d values, and at most 10,000 are read", status["message"])
    eventually(lambda: attacker.reason(JOB, "not-so-many") not in {None, "ObjectTooLarge"}, "read as before")


def test_no_number_of_connections_takes_all_workers(
    processes: Processes, tmp_path: Path, attacker: Scenario, victim: Scenario, tarpit: str
) -> None:
    started(processes, tmp_path, attacker, victim)
    attacker.apply(*(connection(f"tarpit-{number}", tarpit) for number in range(TARPITS)))
    attacker.apply(
        *(
            in_place(f"job-{number}", [], evaluatorRef={"name": f"tarpit-{number}"})
            for number in range(TARPITS)
        )
    )
    eventually(lambda: attacker.finalizers(JOB, "job-0"), "the first job is submitted to its tarpit")
    victim.apply(data_benchmark(), data_job("on-the-operators-own"))
    victim.apply(
        connection("own", victim.evaluator_url),
        in_place("on-its-connection", [], evaluatorRef={"name": "own"}),
    )

    victim.until_phase("on-the-operators-own", "Succeeded", seconds=20)
    victim.until_phase("on-its-connection", "Succeeded", seconds=20)

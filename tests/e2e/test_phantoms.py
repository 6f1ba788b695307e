"""Objects of which surely nothing is in an evaluator are deleted at once, without a false alarm."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.connection_operators import CONNECTION, Start, by
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    connection,
    data_benchmark,
    data_job,
    model_job,
)

FORBIDDEN = "http://169.254.169.254"
REFUSING = "http://127.0.0.1:{port}"
"""The address of a cloud's metadata, which no connection may lead to."""

SECONDS = 10
"""For a deletion that waits for nothing; with a finalizer and no evaluator it takes 60 s."""


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    with Processes() as processes:
        yield Start(processes, cluster, namespace, tmp_path)
        processes.check()


@pytest.fixture
def scenario(cluster: Cluster, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """A port that refuses connections, and that no other process can get: bound, and never listening."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        yield port


def assert_no_alarm(scenario: Scenario) -> None:
    events = json.loads(scenario.kubectl("get", "events", "-o", "json"))["items"]
    assert [event["message"] for event in events if event["reason"] == "LeftInEvaluator"] == []


def in_place(name: str, **spec: Any) -> dict[str, Any]:
    job = model_job(name, config=benchmark()["spec"]["config"], **spec)
    del job["spec"]["benchmarkRef"]
    return job


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param(REFUSING, "EvaluatorUnreachable", id="connection-refused"),
        pytest.param(FORBIDDEN, "EvaluatorUnreachable", id="forbidden-address"),
    ],
)
def test_what_never_reached_an_evaluator_is_deleted_at_once(
    url: str, reason: str, scenario: Scenario, start: Start, refusing_port: int
) -> None:
    start()
    scenario.apply(
        connection("nowhere", url.format(port=refusing_port)),
        data_benchmark("never", **by("nowhere")),
        data_job("waits", of="never"),
        in_place("alone", **by("nowhere")),
    )
    scenario.until_reason(BENCHMARK, "never", reason)
    scenario.until_reason(JOB, "alone", reason)
    scenario.until_reason(JOB, "waits", "BenchmarkNotReady")

    # One that was tried before the connection was known to be down has a finalizer.
    for kind, name in ((BENCHMARK, "never"), (JOB, "waits"), (JOB, "alone"), (CONNECTION, "nowhere")):
        scenario.kubectl("delete", kind, name, f"--timeout={SECONDS}s")

    assert_no_alarm(scenario)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param(
            {
                "valuesFrom": [
                    {
                        "secretKeyRef": {"name": "s", "key": "token"},
                        "targetPath": "target.model.api_endpoint.api_key",
                    }
                ]
            },
            "InvalidSpec",
            id="invalid",
        ),
        pytest.param(
            {
                "valuesFrom": [
                    {
                        "secretKeyRef": {"name": "missing", "key": "token"},
                        "targetPath": "config.params.extra.hf_token",
                    }
                ]
            },
            "SecretNotFound",
            id="without-its-secret",
        ),
    ],
)
def test_a_job_that_was_never_submitted_is_deleted_at_once_though_its_evaluator_is_gone(
    spec: dict[str, Any], reason: str, scenario: Scenario, start: Start, evaluator_url: str
) -> None:
    start()
    with AuthProxy(evaluator_url) as door:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"token": "hf_abcdefghijk"},
        }
        scenario.apply(secret, connection("own", door.url), benchmark("cap", **by("own")))
        scenario.until_reason(BENCHMARK, "cap", "ConfigReady")
        scenario.apply(model_job("never", of="cap", **spec))
        scenario.until_reason(JOB, "never", reason)
        assert scenario.finalizers(JOB, "never") == []

    scenario.kubectl("delete", JOB, "never", f"--timeout={SECONDS}s")

    assert_no_alarm(scenario)


def test_a_benchmark_that_has_a_config_holds_it_from_before_its_creation(
    scenario: Scenario, start: Start
) -> None:
    """The finalizer comes later than it did, and still first: the config goes with the object."""
    start()
    with AuthProxy(scenario.evaluator_url) as door:
        scenario.apply(connection("own", door.url), data_benchmark("qa", **by("own")))
        scenario.until_reason(BENCHMARK, "qa", "ConfigReady")
        assert scenario.finalizers(BENCHMARK, "qa") == ["evaluator.nemo.dev/finalizer"]

        scenario.kubectl("delete", BENCHMARK, "qa", f"--timeout={SECONDS}s")

    configs = httpx.get(f"{scenario.evaluator_url}/v1/evaluation/configs/{scenario.namespace}/qa", timeout=10)
    assert configs.status_code == httpx.codes.NOT_FOUND

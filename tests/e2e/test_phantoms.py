"""Objects of which surely nothing is in an evaluator are deleted at once, without a false alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes, free_port
from tests.e2e.doorman import Doorman
from tests.e2e.test_connections import CONNECTION, Start, by
from tests.e2e.world import (
    BENCHMARK,
    JOB,
    World,
    benchmark,
    connection,
    data_benchmark,
    data_job,
    model_job,
)

FORBIDDEN = "http://169.254.169.254"
"""The address of a cloud's metadata, which no connection may lead to."""

SECONDS = 10
"""For a deletion that waits for nothing; with a finalizer and no evaluator it takes 60 s."""


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    with Processes() as processes:
        yield Start(processes, cluster, namespace, tmp_path)
        processes.check()


@pytest.fixture
def world(cluster: Cluster, namespace: str, evaluator_url: str) -> World:
    return World(cluster, namespace, evaluator_url)


def assert_no_alarm(world: World) -> None:
    events = json.loads(world.kubectl("get", "events", "-o", "json"))["items"]
    assert [event["message"] for event in events if event["reason"] == "LeftInEvaluator"] == []


def in_place(name: str, **spec: Any) -> dict[str, Any]:
    job = model_job(name, config=benchmark()["spec"]["config"], **spec)
    del job["spec"]["benchmarkRef"]
    return job


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param(f"http://127.0.0.1:{free_port()}", "EvaluatorUnreachable", id="connection-refused"),
        pytest.param(FORBIDDEN, "EvaluatorUnreachable", id="forbidden-address"),
    ],
)
def test_what_never_reached_an_evaluator_is_deleted_at_once(
    url: str, reason: str, world: World, start: Start
) -> None:
    start()
    world.apply(
        connection("nowhere", url),
        data_benchmark("never", **by("nowhere")),
        data_job("waits", of="never"),
        in_place("alone", **by("nowhere")),
    )
    world.until_reason(BENCHMARK, "never", reason)
    world.until_reason(JOB, "alone", reason)
    world.until_reason(JOB, "waits", "BenchmarkNotReady")
    objects = ((BENCHMARK, "never"), (JOB, "waits"), (JOB, "alone"), (CONNECTION, "nowhere"))
    for kind, name in objects[:3]:
        assert world.finalizers(kind, name) == []

    for kind, name in objects:
        world.kubectl("delete", kind, name, f"--timeout={SECONDS}s")

    assert_no_alarm(world)


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
    spec: dict[str, Any], reason: str, world: World, start: Start, evaluator_url: str
) -> None:
    start()
    with Doorman(evaluator_url) as door:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"token": "hf_abcdefghijk"},
        }
        world.apply(secret, connection("own", door.url), benchmark("cap", **by("own")))
        world.until_reason(BENCHMARK, "cap", "ConfigReady")
        world.apply(model_job("never", of="cap", **spec))
        world.until_reason(JOB, "never", reason)
        assert world.finalizers(JOB, "never") == []

    world.kubectl("delete", JOB, "never", f"--timeout={SECONDS}s")

    assert_no_alarm(world)


def test_a_benchmark_that_has_a_config_holds_it_from_before_its_creation(world: World, start: Start) -> None:
    """The finalizer comes later than it did, and still first: the config goes with the object."""
    start()
    with Doorman(world.evaluator_url) as door:
        world.apply(connection("own", door.url), data_benchmark("qa", **by("own")))
        world.until_reason(BENCHMARK, "qa", "ConfigReady")
        assert world.finalizers(BENCHMARK, "qa") == ["evaluator.nemo.dev/finalizer"]

        world.kubectl("delete", BENCHMARK, "qa", f"--timeout={SECONDS}s")

    configs = httpx.get(f"{world.evaluator_url}/v1/evaluation/configs/{world.namespace}/qa", timeout=10)
    assert configs.status_code == httpx.codes.NOT_FOUND

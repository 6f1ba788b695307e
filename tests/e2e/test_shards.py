"""Operators with disjoint selectors share the objects; each object has one of them."""

from typing import Any

import pytest

from testbed.cluster import Cluster
from tests.e2e.replicas import Replicas
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, data_benchmark, data_job, eventually


@pytest.fixture
def scenario(cluster: Cluster, crds: None, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


def of_shard(shard: str, manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "labels": {"shard": shard}}}


def test_each_operator_submits_the_jobs_that_its_selector_matches(
    scenario: Scenario, replicas: Replicas
) -> None:
    one = replicas.start("one", {"NEMO_SELECTOR": "shard=one"})
    two = replicas.start("two", {"NEMO_SELECTOR": "shard in (two, three)"})
    # Before their benchmark, which for one of them is another operator's.
    scenario.apply(
        of_shard("one", data_job("first")), of_shard("two", data_job("second")), data_job("unmatched")
    )
    scenario.until_reason(JOB, "first", "BenchmarkNotFound")
    scenario.until_reason(JOB, "second", "BenchmarkNotFound")

    scenario.apply(of_shard("one", data_benchmark()))
    scenario.until_phase("first", "Succeeded")
    scenario.until_phase("second", "Succeeded")
    scenario.apply(of_shard("three", data_job("third")))
    scenario.until_phase("third", "Succeeded")

    assert one.submitted() == ["first"]
    assert two.submitted() == ["second", "third"]
    # Before a submission a config is read by every operator; only its owner writes it.
    writes = [request for request in two.sent if request.method != "GET" and "/configs" in request.path]
    assert writes == [], "configs have one owner"
    assert not scenario.status(JOB, "unmatched").get("phase")
    assert not (scenario.get(JOB, "unmatched") or {})["metadata"].get("finalizers")


def test_an_object_whose_label_changes_goes_over_to_the_other_operator(
    scenario: Scenario, replicas: Replicas
) -> None:
    replicas.start("one", {"NEMO_SELECTOR": "shard=one"})
    two = replicas.start("two", {"NEMO_SELECTOR": "shard!=one"})
    scenario.apply(of_shard("one", data_benchmark()))
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    assert scenario.remote_config("rows")

    scenario.kubectl("label", BENCHMARK, "rows", "shard=two", "--overwrite")
    eventually(lambda: two.sent, "the other one has looked at its config")
    scenario.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert scenario.remote_config("rows") is None

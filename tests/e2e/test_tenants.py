"""Two teams with accounts of their own share one evaluator: what one of them may try against the other."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from testbed.cluster import Cluster
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, benchmark, data_benchmark, data_job, model_job
from tests.e2e.stub_model import StubModel
from tests.e2e.tenants import tenant


@pytest.fixture
def attacker(cluster: Cluster, scenario: Scenario) -> Iterator[Scenario]:
    with tenant(cluster, f"{scenario.namespace}-b", scenario.evaluator_url) as attacker:
        yield attacker


@pytest.fixture
def team(cluster: Cluster, scenario: Scenario) -> Iterator[Scenario]:
    with tenant(cluster, f"{scenario.namespace}-a", scenario.evaluator_url) as team:
        yield team


def adopting(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["metadata"]["annotations"] = {"evaluator.nemo.dev/adopt": "true"}
    return manifest


def test_a_config_of_another_namespace_is_not_taken_over(team: Scenario, attacker: Scenario) -> None:
    """Not by its name and the annotation, and neither is it deleted with the object that names it."""
    team.apply(data_benchmark())
    team.until_reason(BENCHMARK, "rows", "ConfigReady")
    before = team.remote_config("rows")
    theft = {"type": "mmlu", "namespace": team.namespace, "name": "rows"}

    attacker.apply(adopting(data_benchmark("theft", config=theft)))
    status = attacker.until_reason(BENCHMARK, "theft", "ConfigExists")
    assert f"belongs to {team.namespace}/rows" in status["message"]
    assert "adopt=true" not in status["message"]
    attacker.kubectl("delete", BENCHMARK, "theft", "--timeout=20s")

    assert team.remote_config("rows") == before
    team.apply(data_job("after"))
    team.until_phase("after", "Succeeded")


def test_a_mask_is_refused_by_the_path_of_its_field(attacker: Scenario) -> None:
    """In an update it would keep a secret that is stored there."""
    config = {"type": "gsm8k", "params": {"extra": {"hf_token": "******"}}}
    attacker.apply(data_benchmark("masked", config=config))

    status = attacker.until_reason(BENCHMARK, "masked", "InvalidSpec")

    assert status["message"].startswith("spec.config.params.extra.hf_token is ******")
    assert attacker.remote_config("masked") is None
    attacker.kubectl("delete", BENCHMARK, "masked", "--timeout=20s")


def test_a_name_that_is_not_fit_for_a_path_is_refused_where_it_is_applied(attacker: Scenario) -> None:
    for name in ("..", "a/b", "a%2Fb", "a?b"):
        manifest = data_benchmark("path", config={"type": "gsm8k", "name": name})
        refused = attacker.kubectl("apply", "-f", "-", input=json.dumps(manifest), check=False)
        assert "name: begin it with a letter or digit" in refused, name


def test_a_config_that_was_changed_in_the_evaluator_is_restored_before_a_job_uses_it(team: Scenario) -> None:
    team.apply(data_benchmark())
    team.until_reason(BENCHMARK, "rows", "ConfigReady")
    url = f"{team.evaluator_url}/v1/evaluation/configs/{team.namespace}/rows"
    before = team.remote_config("rows") or {}
    falsified = {"params": {"limit_samples": 1}}
    httpx.patch(url, json=falsified, timeout=10).raise_for_status()

    team.apply(data_job("careful"))
    team.until_phase("careful", "Succeeded")

    (run,) = team.remote_jobs("careful")
    assert (run["config"].get("params") or {}).get("limit_samples") is None
    assert run["config"]["tasks"].keys() == before["tasks"].keys()
    assert not (team.remote_config("rows") or {}).get("params")


def test_results_that_were_made_beforehand_are_not_taken_for_the_operators(
    team: Scenario, pausable_model: StubModel
) -> None:
    """Labels, annotations and owner are copied: only content and immutability differ."""
    pausable_model.stop_answering()
    team.apply(benchmark(), model_job("honest"))
    job_id = team.until_phase("honest", "Running")["jobId"]
    uid = (team.get(JOB, "honest") or {})["metadata"]["uid"]
    owner = {"apiVersion": "evaluator.nemo.dev/v1alpha1", "kind": "NemoEvalJob", "name": "honest", "uid": uid}
    forged = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "honest-results",
            "labels": {"evaluator.nemo.dev/job": "honest"},
            "annotations": {"evaluator.nemo.dev/job-id": job_id},
            "ownerReferences": [owner | {"controller": True}],
        },
        "immutable": True,
        "data": {"results.json": json.dumps({"job": job_id, "tasks": {"qa": {"metrics": {}}}})},
    }
    team.apply(forged)

    pausable_model.answer_again()
    status = team.until_phase("honest", "Succeeded")

    kept = status["resultsRef"]["configMap"]
    assert kept == f"honest-{uid[:8]}-results"
    document = json.loads((team.get("configmap", kept) or {})["data"]["results.json"])
    assert document["tasks"]["qa"]["metrics"]

"""A NemoBenchmark is a config in the evaluator: created, kept as the object says, and deleted with it."""

import hashlib
import json

import httpx

from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel


def test_config_lives_and_dies_with_the_object(scenario: Scenario) -> None:
    scenario.apply(data_benchmark())
    status = scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    config = scenario.remote_config("rows")
    assert config is not None
    assert (status["config"], status["configId"]) == (f"{scenario.namespace}/rows", config["id"])
    assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "True"}

    scenario.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert scenario.remote_config("rows") is None


def test_an_academic_benchmark_passes_through(scenario: Scenario) -> None:
    extra = {"num_fewshot": 8, "hf_token": "hf_x", "apply_chat_template": True}
    params = {"limit_samples": 10, "temperature": 0.00001, "extra": extra}
    manifest = data_benchmark("gsm8k-chat", config={"type": "gsm8k", "params": params})
    scenario.apply(manifest)
    scenario.until_reason(BENCHMARK, "gsm8k-chat", "ConfigReady")

    found = scenario.remote_config("gsm8k-chat")

    assert found is not None
    assert found["type"] == "gsm8k"
    assert found["params"] == {**params, "extra": {**extra, "hf_token": "******"}}


def test_an_edit_reaches_the_evaluator_and_a_dropped_field_is_dropped_there(scenario: Scenario) -> None:
    manifest = data_benchmark()
    manifest["spec"]["config"]["params"] = {"limit_samples": 5, "parallelism": 3}
    scenario.apply(manifest)
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")

    manifest["spec"]["config"]["params"] = {"parallelism": 4}
    scenario.apply(manifest)

    eventually(
        lambda: (scenario.remote_config("rows") or {}).get("params") == {"parallelism": 4}, "config updated"
    )
    eventually(lambda: scenario.status(BENCHMARK, "rows")["observedGeneration"] == 2, "generation observed")


def test_a_config_changed_behind_our_back_is_put_right(scenario: Scenario) -> None:
    scenario.apply(data_benchmark())
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    url = f"{scenario.evaluator_url}/v1/evaluation/configs/{scenario.namespace}/rows"
    httpx.patch(url, json={"type": "mmlu"}, timeout=10).raise_for_status()

    scenario.kubectl("label", BENCHMARK, "rows", "look=again")

    eventually(lambda: (scenario.remote_config("rows") or {}).get("type") == "custom", "drift corrected")


def test_a_config_of_another_owner_is_overwritten_only_on_adoption(scenario: Scenario) -> None:
    theirs = {"type": "mmlu", "name": "rows", "namespace": scenario.namespace, "description": "theirs"}
    httpx.post(f"{scenario.evaluator_url}/v1/evaluation/configs", json=theirs, timeout=10).raise_for_status()
    scenario.apply(data_benchmark(), data_job("waits"))

    status = scenario.until_reason(BENCHMARK, "rows", "ConfigExists")

    command = f"kubectl annotate -n {scenario.namespace} nemobenchmark rows evaluator.nemo.dev/adopt=true"
    assert command in status["message"]
    assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "False", "Stalled": "True"}
    assert (scenario.remote_config("rows") or {})["type"] == "mmlu"
    scenario.until_reason(JOB, "waits", "BenchmarkNotReady")

    scenario.kubectl("annotate", BENCHMARK, "rows", "evaluator.nemo.dev/adopt=true")

    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    found = scenario.remote_config("rows") or {}
    assert found["type"] == "custom"
    assert "description" not in found
    scenario.until_phase("waits", "Succeeded")


def test_deleting_the_object_keeps_a_config_of_another_owner(scenario: Scenario) -> None:
    theirs = {"type": "mmlu", "name": "rows", "namespace": scenario.namespace}
    httpx.post(f"{scenario.evaluator_url}/v1/evaluation/configs", json=theirs, timeout=10).raise_for_status()
    scenario.apply(data_benchmark())
    scenario.until_reason(BENCHMARK, "rows", "ConfigExists")

    scenario.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert scenario.remote_config("rows") is not None


def test_deletion_policy_orphan_keeps_the_config(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(deletionPolicy="Orphan"))
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")

    scenario.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert scenario.remote_config("rows") is not None


def test_a_job_may_come_long_before_its_benchmark(scenario: Scenario) -> None:
    scenario.apply(data_job("early"))
    status = scenario.until_reason(JOB, "early", "BenchmarkNotFound")
    assert status["message"] == f"there is no NemoBenchmark rows in {scenario.namespace}"
    assert scenario.conditions(JOB, "early") == {"Ready": "False", "Reconciling": "True"}

    scenario.apply(data_benchmark())

    scenario.until_phase("early", "Succeeded")
    assert scenario.event("early", "BenchmarkNotFound")


def test_results_hold_the_config_that_was_submitted_though_the_benchmark_was_edited_since(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    submitted = benchmark()
    submitted["spec"]["config"]["params"]["extra"] = {"hf_token": "hf_plain-text"}
    scenario.apply(submitted, model_job("measured"))
    recorded = scenario.until_phase("measured", "Running")["benchmark"]
    assert (recorded["name"], recorded["generation"]) == ("qa", 1)

    scenario.patch(BENCHMARK, "qa", {"spec": {"config": {"params": {"parallelism": 1}}}})
    eventually(lambda: scenario.status(BENCHMARK, "qa")["observedGeneration"] == 2, "edit observed")
    pausable_model.answer_again()
    status = scenario.until_phase("measured", "Succeeded")

    assert status["benchmark"] == {key: recorded[key] for key in ("name", "generation", "hash")}
    data = json.loads(scenario.kubectl("get", "configmap", "measured-results", "-o", "json"))["data"]
    assert f"sha256:{hashlib.sha256(data['config.json'].encode()).hexdigest()}" == recorded["hash"]
    expected = submitted["spec"]["config"]
    expected["params"]["extra"]["hf_token"] = "******"
    assert json.loads(data["config.json"]) == expected

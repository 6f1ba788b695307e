"""A NemoBenchmark is a config in the evaluator: created, kept as the object says, and deleted with it."""

import hashlib
import json

import httpx

from tests.e2e.parrot import Parrot
from tests.e2e.world import (
    BENCHMARK,
    JOB,
    World,
    benchmark,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)


def test_config_lives_and_dies_with_the_object(world: World) -> None:
    world.apply(data_benchmark())
    status = world.until_reason(BENCHMARK, "rows", "ConfigReady")
    config = world.remote_config("rows")
    assert config is not None
    assert (status["config"], status["configId"]) == (f"{world.namespace}/rows", config["id"])
    assert world.conditions(BENCHMARK, "rows") == {"Ready": "True"}

    world.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert world.remote_config("rows") is None


def test_an_academic_benchmark_passes_through(world: World) -> None:
    extra = {"num_fewshot": 8, "hf_token": "hf_x", "apply_chat_template": True}
    params = {"limit_samples": 10, "temperature": 0.00001, "extra": extra}
    manifest = data_benchmark("gsm8k-chat", config={"type": "gsm8k", "params": params})
    world.apply(manifest)
    world.until_reason(BENCHMARK, "gsm8k-chat", "ConfigReady")

    found = world.remote_config("gsm8k-chat")

    assert found is not None
    assert found["type"] == "gsm8k"
    assert found["params"] == {**params, "extra": {**extra, "hf_token": "******"}}


def test_an_edit_reaches_the_evaluator_and_a_dropped_field_is_dropped_there(world: World) -> None:
    manifest = data_benchmark()
    manifest["spec"]["config"]["params"] = {"limit_samples": 5, "parallelism": 3}
    world.apply(manifest)
    world.until_reason(BENCHMARK, "rows", "ConfigReady")

    manifest["spec"]["config"]["params"] = {"parallelism": 4}
    world.apply(manifest)

    eventually(
        lambda: (world.remote_config("rows") or {}).get("params") == {"parallelism": 4}, "config updated"
    )
    eventually(lambda: world.status(BENCHMARK, "rows")["observedGeneration"] == 2, "generation observed")


def test_a_config_changed_behind_our_back_is_put_right(world: World) -> None:
    world.apply(data_benchmark())
    world.until_reason(BENCHMARK, "rows", "ConfigReady")
    url = f"{world.evaluator_url}/v1/evaluation/configs/{world.namespace}/rows"
    httpx.patch(url, json={"type": "mmlu"}, timeout=10).raise_for_status()

    world.kubectl("label", BENCHMARK, "rows", "look=again")

    eventually(lambda: (world.remote_config("rows") or {}).get("type") == "custom", "drift corrected")


def test_somebody_elses_config_is_not_overwritten_until_adoption_is_asked_for(world: World) -> None:
    theirs = {"type": "mmlu", "name": "rows", "namespace": world.namespace, "description": "theirs"}
    httpx.post(f"{world.evaluator_url}/v1/evaluation/configs", json=theirs, timeout=10).raise_for_status()
    world.apply(data_benchmark(), data_job("waits"))

    status = world.until_reason(BENCHMARK, "rows", "ConfigExists")

    command = f"kubectl annotate -n {world.namespace} nemobenchmark rows evaluator.nemo.dev/adopt=true"
    assert command in status["message"]
    assert world.conditions(BENCHMARK, "rows") == {"Ready": "False", "Stalled": "True"}
    assert (world.remote_config("rows") or {})["type"] == "mmlu"
    world.until_reason(JOB, "waits", "BenchmarkNotReady")

    world.kubectl("annotate", BENCHMARK, "rows", "evaluator.nemo.dev/adopt=true")

    world.until_reason(BENCHMARK, "rows", "ConfigReady")
    found = world.remote_config("rows") or {}
    assert found["type"] == "custom"
    assert "description" not in found
    world.until_phase("waits", "Succeeded")


def test_deleting_the_object_leaves_somebody_elses_config_alone(world: World) -> None:
    theirs = {"type": "mmlu", "name": "rows", "namespace": world.namespace}
    httpx.post(f"{world.evaluator_url}/v1/evaluation/configs", json=theirs, timeout=10).raise_for_status()
    world.apply(data_benchmark())
    world.until_reason(BENCHMARK, "rows", "ConfigExists")

    world.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert world.remote_config("rows") is not None


def test_deletion_policy_orphan_keeps_the_config(world: World) -> None:
    world.apply(data_benchmark(deletionPolicy="Orphan"))
    world.until_reason(BENCHMARK, "rows", "ConfigReady")

    world.kubectl("delete", BENCHMARK, "rows", "--timeout=20s")

    assert world.remote_config("rows") is not None


def test_a_job_may_come_long_before_its_benchmark(world: World) -> None:
    world.apply(data_job("early"))
    status = world.until_reason(JOB, "early", "BenchmarkNotFound")
    assert status["message"] == f"there is no NemoBenchmark rows in {world.namespace}"
    assert world.conditions(JOB, "early") == {"Ready": "False", "Reconciling": "True"}

    world.apply(data_benchmark())

    world.until_phase("early", "Succeeded")
    assert world.event("early", "BenchmarkNotFound")


def test_results_hold_the_config_that_was_submitted_though_the_benchmark_was_edited_since(
    world: World, outspoken: Parrot
) -> None:
    outspoken.hush()
    submitted = benchmark()
    submitted["spec"]["config"]["params"]["extra"] = {"hf_token": "hf_plain-text"}
    world.apply(submitted, model_job("measured"))
    recorded = world.until_phase("measured", "Running")["benchmark"]
    assert (recorded["name"], recorded["generation"]) == ("qa", 1)

    world.patch(BENCHMARK, "qa", {"spec": {"config": {"params": {"parallelism": 1}}}})
    eventually(lambda: world.status(BENCHMARK, "qa")["observedGeneration"] == 2, "edit observed")
    outspoken.speak()
    status = world.until_phase("measured", "Succeeded")

    assert status["benchmark"] == {key: recorded[key] for key in ("name", "generation", "hash")}
    data = json.loads(world.kubectl("get", "configmap", "measured-results", "-o", "json"))["data"]
    assert f"sha256:{hashlib.sha256(data['config.json'].encode()).hexdigest()}" == recorded["hash"]
    expected = submitted["spec"]["config"]
    expected["params"]["extra"]["hf_token"] = "******"
    assert json.loads(data["config.json"]) == expected

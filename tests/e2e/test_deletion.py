"""Deletion: running jobs are cancelled, and a deleted object delays no other."""

from typing import Any

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


def test_a_job_whose_secret_and_benchmark_are_gone_is_cancelled_all_the_same(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"token": "x"}}
    values = [{"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "config.params.extra.hf_token"}]
    scenario.apply(secret, benchmark(), model_job("bereft", valuesFrom=values))
    scenario.until_phase("bereft", "Running")
    scenario.kubectl("delete", "secret", "hub")
    scenario.kubectl("delete", BENCHMARK, "qa", "--timeout=20s")

    scenario.kubectl("delete", JOB, "bereft", "--timeout=20s")

    (remote,) = scenario.remote_jobs("bereft")
    assert remote["status"] == "cancelled"


def test_an_object_that_cannot_be_read_is_let_go_with_its_remote_job_cancelled(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    """As after a downgrade: the API server let it in, the operator makes no sense of it."""
    pausable_model.stop_answering()
    unreadable = model_job("unreadable")
    del unreadable["spec"]["model"]
    unreadable["spec"]["target"] = {"type": "model", "model": 5}
    scenario.apply(unreadable)
    scenario.until_reason(JOB, "unreadable", "InvalidSpec")
    job_id = submit(scenario, "unreadable")
    scenario.kubectl(
        "patch", JOB, "unreadable", "--subresource=status", "--type=merge",
        "-p", f'{{"status": {{"jobId": "{job_id}"}}}}',
    )  # fmt: skip
    scenario.patch(JOB, "unreadable", {"metadata": {"finalizers": ["evaluator.nemo.dev/finalizer"]}})

    scenario.kubectl("delete", JOB, "unreadable", "--timeout=20s")

    (remote,) = scenario.remote_jobs("unreadable")
    assert (remote["id"], remote["status"]) == (job_id, "cancelled")


def submit(scenario: Scenario, name: str) -> str:
    """A remote job with the marks of the object's first attempt."""
    found = scenario.get(JOB, name)
    assert found is not None
    mark = {"k8s-uid": found["metadata"]["uid"], "k8s-name": name, "k8s-attempt": "1"}
    body = {
        "namespace": scenario.namespace,
        "config": benchmark()["spec"]["config"],
        "target": {"type": "model", "model": "parrot"},
        "custom_fields": mark,
    }
    created: dict[str, Any] = httpx.post(
        f"{scenario.evaluator_url}/v1/evaluation/jobs", json=body, timeout=30
    ).json()
    job_id: str = created["id"]
    return job_id


def test_a_benchmark_waits_for_the_jobs_that_run_with_its_config_and_counts_them(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("first"), model_job("second"))
    scenario.until_phase("first", "Running")
    scenario.until_phase("second", "Running")

    scenario.kubectl("delete", BENCHMARK, "qa", "--wait=false")

    status = scenario.until_reason(BENCHMARK, "qa", "ConfigInUse")
    assert "2 running jobs: first, second" in status["message"]
    assert scenario.remote_config("qa") is not None
    pausable_model.answer_again()
    scenario.until_phase("first", "Succeeded")
    scenario.until_phase("second", "Succeeded")
    scenario.until_gone(BENCHMARK, "qa")
    assert scenario.remote_config("qa") is None


def test_delete_removes_the_remote_jobs_of_every_attempt(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), data_job("traceless", deletionPolicy="Delete"))
    scenario.until_phase("traceless", "Succeeded")
    scenario.kubectl("annotate", JOB, "traceless", "evaluator.nemo.dev/rerun=one")
    eventually(lambda: scenario.status(JOB, "traceless").get("attempt") == 2, "second attempt")
    scenario.until_phase("traceless", "Succeeded")
    assert len(scenario.remote_jobs("traceless")) == 2

    scenario.kubectl("delete", JOB, "traceless", "--timeout=20s")

    assert scenario.remote_jobs("traceless") == []

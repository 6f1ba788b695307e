"""Deletion: what runs is cancelled, and what is deleted holds up nobody."""

from typing import Any

import httpx

from tests.e2e.parrot import Parrot
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, data_benchmark, data_job, eventually, model_job


def test_a_job_whose_secret_and_benchmark_are_gone_is_cancelled_all_the_same(
    world: World, outspoken: Parrot
) -> None:
    outspoken.hush()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"token": "x"}}
    values = [{"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "config.params.extra.hf_token"}]
    world.apply(secret, benchmark(), model_job("bereft", valuesFrom=values))
    world.until_phase("bereft", "Running")
    world.kubectl("delete", "secret", "hub")
    world.kubectl("delete", BENCHMARK, "qa", "--timeout=20s")

    world.kubectl("delete", JOB, "bereft", "--timeout=20s")

    (remote,) = world.remote_jobs("bereft")
    assert remote["status"] == "cancelled"


def test_an_object_that_cannot_be_read_is_let_go_with_its_remote_job_cancelled(
    world: World, outspoken: Parrot
) -> None:
    """As after a downgrade: the API server let it in, the operator makes no sense of it."""
    outspoken.hush()
    unreadable = model_job("unreadable")
    del unreadable["spec"]["model"]
    unreadable["spec"]["target"] = {"type": "model", "model": 5}
    world.apply(unreadable)
    world.until_reason(JOB, "unreadable", "InvalidSpec")
    job_id = submit(world, "unreadable")
    world.kubectl(
        "patch", JOB, "unreadable", "--subresource=status", "--type=merge",
        "-p", f'{{"status": {{"jobId": "{job_id}"}}}}',
    )  # fmt: skip
    world.patch(JOB, "unreadable", {"metadata": {"finalizers": ["evaluator.nemo.dev/finalizer"]}})

    world.kubectl("delete", JOB, "unreadable", "--timeout=20s")

    (remote,) = world.remote_jobs("unreadable")
    assert (remote["id"], remote["status"]) == (job_id, "cancelled")


def submit(world: World, name: str) -> str:
    """A remote job with the marks of the object's first attempt."""
    found = world.get(JOB, name)
    assert found is not None
    mark = {"k8s-uid": found["metadata"]["uid"], "k8s-name": name, "k8s-attempt": "1"}
    body = {
        "namespace": world.namespace,
        "config": benchmark()["spec"]["config"],
        "target": {"type": "model", "model": "parrot"},
        "custom_fields": mark,
    }
    created: dict[str, Any] = httpx.post(
        f"{world.evaluator_url}/v1/evaluation/jobs", json=body, timeout=30
    ).json()
    job_id: str = created["id"]
    return job_id


def test_a_benchmark_waits_for_the_jobs_that_run_with_its_config_and_counts_them(
    world: World, outspoken: Parrot
) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("first"), model_job("second"))
    world.until_phase("first", "Running")
    world.until_phase("second", "Running")

    world.kubectl("delete", BENCHMARK, "qa", "--wait=false")

    status = world.until_reason(BENCHMARK, "qa", "ConfigInUse")
    assert "2 running jobs: first, second" in status["message"]
    assert world.remote_config("qa") is not None
    outspoken.speak()
    world.until_phase("first", "Succeeded")
    world.until_phase("second", "Succeeded")
    world.until_gone(BENCHMARK, "qa")
    assert world.remote_config("qa") is None


def test_delete_removes_the_remote_jobs_of_every_attempt(world: World) -> None:
    world.apply(data_benchmark(), data_job("traceless", deletionPolicy="Delete"))
    world.until_phase("traceless", "Succeeded")
    world.kubectl("annotate", JOB, "traceless", "evaluator.nemo.dev/rerun=one")
    eventually(lambda: world.status(JOB, "traceless").get("attempt") == 2, "second attempt")
    world.until_phase("traceless", "Succeeded")
    assert len(world.remote_jobs("traceless")) == 2

    world.kubectl("delete", JOB, "traceless", "--timeout=20s")

    assert world.remote_jobs("traceless") == []

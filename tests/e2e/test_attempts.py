"""More than one attempt: on purpose, and never by accident."""

import json

import httpx

from tests.e2e.parrot import Parrot
from tests.e2e.world import JOB, World, benchmark, data_benchmark, data_job, eventually, model_job

RERUN = "evaluator.nemo.dev/rerun"


def ask_again(world: World, name: str, value: str) -> None:
    world.kubectl("annotate", "--overwrite", JOB, name, f"{RERUN}={value}")


def until_attempt(world: World, name: str, number: int) -> None:
    eventually(lambda: world.status(JOB, name).get("attempt") == number, f"attempt {number} of {name}")


def test_a_new_value_of_the_annotation_runs_the_job_once_more(world: World) -> None:
    job = data_job("again")
    job["metadata"]["annotations"] = {RERUN: "zero"}
    world.apply(data_benchmark(), job)
    first = world.until_phase("again", "Succeeded")
    assert first["attempt"] == 1

    ask_again(world, "again", "one")

    until_attempt(world, "again", 2)
    second = world.until_phase("again", "Succeeded")
    assert second["jobId"] != first["jobId"]
    assert (second["rerun"], second["score"]) == ("one", first["score"])
    (entry,) = second["history"]
    assert (entry["number"], entry["jobId"], entry["outcome"]) == (1, first["jobId"], "Completed")
    assert entry["startTime"] <= entry["completionTime"] == first["completionTime"]
    assert [remote["custom_fields"]["k8s-attempt"] for remote in world.remote_jobs("again")] == ["2", "1"]
    for status in (first, second):
        reference = status["resultsRef"]
        kept = json.loads(world.kubectl("get", "configmap", reference["configMap"], "-o", "json"))
        assert json.loads(kept["data"][reference["key"]])["job"] == status["jobId"]


def test_a_running_job_is_not_joined_by_another_attempt(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("busy"))
    world.until_phase("busy", "Running")

    ask_again(world, "busy", "one")
    world.kubectl("label", JOB, "busy", "look=again")
    assert len(world.remote_jobs("busy")) == 1
    outspoken.speak()

    until_attempt(world, "busy", 2)
    status = world.until_phase("busy", "Succeeded")
    assert status["history"][0]["outcome"] == "Completed"


def test_a_vanished_job_says_how_to_run_it_again_and_that_works(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("vanished"))
    job_id = world.until_phase("vanished", "Running")["jobId"]
    url = f"{world.evaluator_url}/v1/evaluation/jobs/{job_id}"
    httpx.delete(url, timeout=10).raise_for_status()
    lost = world.until_phase("vanished", "Failed")
    assert world.reason(JOB, "vanished") == "ExternalJobLost"
    assert (
        f"kubectl annotate --overwrite -n {world.namespace} nemoevaljob vanished {RERUN}=" in lost["message"]
    )
    outspoken.speak()

    ask_again(world, "vanished", "one")

    until_attempt(world, "vanished", 2)
    status = world.until_phase("vanished", "Succeeded")
    assert [entry["outcome"] for entry in status["history"]] == ["ExternalJobLost"]


def test_a_cancelled_job_is_not_run_again_and_an_event_says_so(world: World) -> None:
    world.apply(data_benchmark(), data_job("over", cancel=True))
    world.until_phase("over", "Cancelled")

    ask_again(world, "over", "one")

    assert world.event("over", "RerunIgnored")
    assert world.remote_jobs("over") == []

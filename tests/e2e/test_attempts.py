"""More than one attempt: on purpose, and never by accident."""

import json

import httpx

from tests.e2e.scenario import JOB, Scenario, benchmark, data_benchmark, data_job, eventually, model_job
from tests.e2e.stub_model import StubModel

RERUN = "evaluator.nemo.dev/rerun"


def ask_again(scenario: Scenario, name: str, value: str) -> None:
    scenario.kubectl("annotate", "--overwrite", JOB, name, f"{RERUN}={value}")


def until_attempt(scenario: Scenario, name: str, number: int) -> None:
    eventually(lambda: scenario.status(JOB, name).get("attempt") == number, f"attempt {number} of {name}")


def test_a_new_value_of_the_annotation_runs_the_job_once_more(scenario: Scenario) -> None:
    job = data_job("again")
    job["metadata"]["annotations"] = {RERUN: "zero"}
    scenario.apply(data_benchmark(), job)
    first = scenario.until_phase("again", "Succeeded")
    assert first["attempt"] == 1

    ask_again(scenario, "again", "one")

    until_attempt(scenario, "again", 2)
    second = scenario.until_phase("again", "Succeeded")
    assert second["jobId"] != first["jobId"]
    assert (second["rerun"], second["score"]) == ("one", first["score"])
    (entry,) = second["history"]
    assert (entry["number"], entry["jobId"], entry["outcome"]) == (1, first["jobId"], "Completed")
    assert entry["startTime"] <= entry["completionTime"] == first["completionTime"]
    assert [remote["custom_fields"]["k8s-attempt"] for remote in scenario.remote_jobs("again")] == ["2", "1"]
    for status in (first, second):
        reference = status["resultsRef"]
        kept = json.loads(scenario.kubectl("get", "configmap", reference["configMap"], "-o", "json"))
        assert json.loads(kept["data"][reference["key"]])["job"] == status["jobId"]


def test_a_running_job_is_not_joined_by_another_attempt(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("busy"))
    scenario.until_phase("busy", "Running")

    ask_again(scenario, "busy", "one")
    scenario.kubectl("label", JOB, "busy", "look=again")
    assert len(scenario.remote_jobs("busy")) == 1
    pausable_model.answer_again()

    until_attempt(scenario, "busy", 2)
    status = scenario.until_phase("busy", "Succeeded")
    assert status["history"][0]["outcome"] == "Completed"


def test_a_vanished_job_says_how_to_run_it_again_and_that_works(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("vanished"))
    job_id = scenario.until_phase("vanished", "Running")["jobId"]
    url = f"{scenario.evaluator_url}/v1/evaluation/jobs/{job_id}"
    httpx.delete(url, timeout=10).raise_for_status()
    lost = scenario.until_phase("vanished", "Failed")
    assert scenario.reason(JOB, "vanished") == "ExternalJobLost"
    assert (
        f"kubectl annotate --overwrite -n {scenario.namespace} nemoevaljob vanished {RERUN}="
        in lost["message"]
    )
    pausable_model.answer_again()

    ask_again(scenario, "vanished", "one")

    until_attempt(scenario, "vanished", 2)
    status = scenario.until_phase("vanished", "Succeeded")
    assert [entry["outcome"] for entry in status["history"]] == ["ExternalJobLost"]


def test_a_cancelled_job_is_not_run_again_and_an_event_says_so(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), data_job("over", cancel=True))
    scenario.until_phase("over", "Cancelled")

    ask_again(scenario, "over", "one")

    assert scenario.event("over", "RerunIgnored")
    assert scenario.remote_jobs("over") == []

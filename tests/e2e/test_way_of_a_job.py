"""The main way: objects in, configs and jobs in the evaluator, status and results back."""

import json

from typer.testing import CliRunner

from nemo_eval_operator.cli import app
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


def test_a_model_is_evaluated_on_a_benchmark(scenario: Scenario) -> None:
    scenario.apply(benchmark(), model_job("parrot-qa"))

    status = scenario.until_phase("parrot-qa", "Succeeded")

    assert scenario.conditions(JOB, "parrot-qa") == {"Ready": "True", "Complete": "True"}
    (score,) = status["scores"]
    assert (score["task"], score["metric"], score["value"], score["count"]) == ("qa", "exact", 0.5, 2)
    assert status["score"] == "exact=0.5"
    assert status["progress"]["percent"] == 100
    assert status["observedGeneration"] == 1
    (remote,) = scenario.remote_jobs("parrot-qa")
    assert remote["id"] == status["jobId"]
    document = scenario.results("parrot-qa")
    assert document["job"] == remote["id"]
    outputs = [sample["output_text"] for sample in document["tasks"]["qa"]["data"]["samples"]]
    assert outputs == ["Paris", "Milan"]
    shown = scenario.kubectl("get", "nejob", "parrot-qa", "--no-headers").split()
    assert shown[:7] == ["parrot-qa", "Succeeded", "100%", "Completed", "exact=0.5", "parrot", "qa"]
    assert scenario.kubectl("wait", "--for=condition=Complete", "nejob/parrot-qa", "--timeout=5s")


def test_generations_and_scores_are_read_by_one_command(scenario: Scenario) -> None:
    scenario.apply(benchmark(), model_job("readable"))
    (score,) = scenario.until_phase("readable", "Succeeded")["scores"]

    command = [
        "results",
        "readable",
        "-n",
        scenario.namespace,
        "--kubeconfig",
        str(scenario.cluster.kubeconfig),
    ]
    shown = CliRunner().invoke(app, command)
    whole = CliRunner().invoke(app, [*command, "--json"])
    missing = CliRunner().invoke(app, [*command[:1], "nothing", *command[2:]])

    assert [line.split() for line in shown.output.splitlines()[:2]] == [
        ["TASK", "METRIC", "SCORE", "VALUE", "COUNT", "STDERR", "NAN"],
        ["qa", "exact", "string-check", "0.5", "2", f"{score['stderr']:.2g}"],
    ]
    assert "Capital of Italy? -> Milan" in shown.output
    assert json.loads(whole.output) == scenario.results("readable")
    assert missing.exit_code == 1
    assert missing.stderr == f"NemoEvalJob nothing was not found in namespace {scenario.namespace}\n"


def test_a_data_task_needs_no_model(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), data_job("rows-run"))

    status = scenario.until_phase("rows-run", "Succeeded")

    assert status["score"] == "exact=0.5"
    assert status["model"] == "(rows)"


def test_a_finished_job_and_its_results_go_with_the_object(scenario: Scenario, controllers: None) -> None:
    scenario.apply(data_benchmark(), data_job("short-lived"))
    scenario.until_phase("short-lived", "Succeeded")
    finished = scenario.get(JOB, "short-lived")
    assert finished is not None
    assert "finalizers" not in finished["metadata"], "nothing holds a finished job"

    scenario.kubectl("delete", JOB, "short-lived", "--timeout=10s")

    eventually(lambda: scenario.get("configmap", "short-lived-results") is None, "results collected")


def test_a_job_carries_its_whole_config_inline(scenario: Scenario) -> None:
    inline = data_benchmark()["spec"]["config"]
    job = data_job("inline", config=inline)
    del job["spec"]["benchmarkRef"]
    scenario.apply(job)

    assert scenario.until_phase("inline", "Succeeded")["score"] == "exact=0.5"


def test_sampling_parameters_reach_the_model(scenario: Scenario, stub_model: StubModel) -> None:
    scenario.apply(
        benchmark(),
        model_job("sampled", samplingParams={"temperature": 0.25, "max_tokens": 7, "stop": ["\n"]}),
    )

    scenario.until_phase("sampled", "Succeeded")

    (remote,) = scenario.remote_jobs("sampled")
    params = remote["config"]["params"]
    assert (params["temperature"], params["max_tokens"], params["stop"]) == (0.25, 7, ["\n"])
    assert params["parallelism"] == 2, "what the run does not override stays the benchmark's"
    asked = [request for request in stub_model.requests if request.get("max_tokens") == 7]
    assert len(asked) == 2
    assert asked[0]["temperature"] == 0.25


def test_a_limit_of_samples_is_kept_and_shown_in_status_and_results(scenario: Scenario) -> None:
    scenario.apply(benchmark(), model_job("limited", limitSamples=1), model_job("whole"))

    status = scenario.until_phase("limited", "Succeeded")

    assert [score["count"] for score in status["scores"]] == [1]
    assert status["progress"]["samplesProcessed"] == 1
    assert status["benchmark"]["limitSamples"] == 1
    assert status["message"].startswith("1 score, limited to 1 sample of each task; ")
    config_map = scenario.get("configmap", "limited-results")
    assert config_map is not None
    assert json.loads(config_map["data"]["config.json"])["params"]["limit_samples"] == 1
    whole = scenario.until_phase("whole", "Succeeded")
    assert [score["count"] for score in whole["scores"]] == [2]
    assert whole["benchmark"]["hash"] != status["benchmark"]["hash"]
    assert "limitSamples" not in whole["benchmark"]


def test_a_dry_run_evaluates_one_sample_and_is_not_a_result(
    scenario: Scenario, stub_model: StubModel
) -> None:
    asked = len(stub_model.requests)
    scenario.apply(benchmark(), model_job("dry", dryRun=True))

    status = scenario.until_phase("dry", "Succeeded")

    assert len(stub_model.requests) == asked + 1
    assert scenario.reason(JOB, "dry") == "DryRunCompleted"
    assert scenario.conditions(JOB, "dry") == {"Ready": "True", "Complete": "True"}
    assert status["score"] == "(dry run)"
    assert [score["count"] for score in status["scores"]] == [1]
    assert status["message"].startswith("dry run, not a result: 1 score, limited to 1 sample of each task; ")
    marked = scenario.kubectl("get", "configmaps", "-l", "evaluator.nemo.dev/dry-run=true", "-o", "name")
    assert marked.split() == ["configmap/dry-results"]
    command = ["results", "dry", "-n", scenario.namespace, "--kubeconfig", str(scenario.cluster.kubeconfig)]
    shown = CliRunner().invoke(app, command).output
    assert shown.startswith("Dry run of one sample of each task: not a result of the benchmark")


def test_a_dry_run_of_what_does_not_work_fails(scenario: Scenario) -> None:
    broken = benchmark("broken")
    broken["spec"]["config"]["tasks"]["qa"]["dataset"] = {"files_url": "file://missing.jsonl"}
    scenario.apply(broken, model_job("dry-broken", of="broken", dryRun=True))

    status = scenario.until_phase("dry-broken", "Failed")

    assert "missing.jsonl" in status["message"]


def test_progress_is_shown_while_it_runs(scenario: Scenario, pausable_model: StubModel) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("slow"))

    status = scenario.until_phase("slow", "Running")
    assert scenario.conditions(JOB, "slow") == {"Ready": "False", "Reconciling": "True"}
    assert status["jobId"].startswith("eval-")

    pausable_model.answer_again()
    scenario.until_phase("slow", "Succeeded")


def test_deleting_a_running_job_cancels_it(scenario: Scenario, pausable_model: StubModel) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("doomed"))
    scenario.until_phase("doomed", "Running")

    scenario.kubectl("delete", JOB, "doomed", "--timeout=20s")

    (remote,) = scenario.remote_jobs("doomed")
    assert remote["status"] == "cancelled"


def test_spec_cancel_cancels_and_keeps_the_object(scenario: Scenario, pausable_model: StubModel) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("stopped"))
    scenario.until_phase("stopped", "Running")

    scenario.patch(JOB, "stopped", {"spec": {"cancel": True}})

    scenario.until_phase("stopped", "Cancelled")
    assert scenario.conditions(JOB, "stopped") == {"Ready": "False", "Stalled": "True", "Failed": "True"}
    (remote,) = scenario.remote_jobs("stopped")
    assert remote["status"] == "cancelled"


def test_a_suspended_job_is_held_until_it_is_resumed(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), data_job("held", suspend=True))
    scenario.until_reason(JOB, "held", "Suspended")
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    assert scenario.conditions(JOB, "held") == {"Suspended": "True"}
    assert scenario.remote_jobs("held") == []

    scenario.patch(JOB, "held", {"spec": {"suspend": False}})

    scenario.until_phase("held", "Succeeded")


def test_a_job_that_outlasts_its_deadline_is_cancelled_and_failed(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("late", activeDeadlineSeconds=2))

    scenario.until_phase("late", "Failed")

    assert scenario.reason(JOB, "late") == "DeadlineExceeded"
    (remote,) = scenario.remote_jobs("late")
    assert remote["status"] == "cancelled"


def test_a_finished_job_is_removed_after_its_time_to_live(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), data_job("brief", ttlSecondsAfterFinished=1))

    eventually(lambda: scenario.remote_jobs("brief"), "submitted")
    scenario.until_gone(JOB, "brief")


def test_an_object_that_gitops_owns_is_never_removed_by_its_time_to_live(scenario: Scenario) -> None:
    job = data_job("kept", ttlSecondsAfterFinished=0)
    job["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "app:x"}
    scenario.apply(data_benchmark(), job, data_job("brief", ttlSecondsAfterFinished=0))

    scenario.until_phase("kept", "Succeeded")
    scenario.until_gone(JOB, "brief")

    assert scenario.status(JOB, "kept")["phase"] == "Succeeded"
    assert scenario.event("kept", "TTLIgnored"), "an event says why"


def test_deletion_policy_delete_removes_the_remote_job_too(scenario: Scenario) -> None:
    scenario.apply(data_benchmark(), data_job("traceless", deletionPolicy="Delete"))
    scenario.until_phase("traceless", "Succeeded")

    scenario.kubectl("delete", JOB, "traceless", "--timeout=20s")

    assert scenario.remote_jobs("traceless") == []


def test_deletion_policy_orphan_lets_the_remote_job_run(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("left-alone", deletionPolicy="Orphan"))
    scenario.until_phase("left-alone", "Running")

    scenario.kubectl("delete", JOB, "left-alone", "--timeout=20s")

    (remote,) = scenario.remote_jobs("left-alone")
    assert remote["status"] == "running"

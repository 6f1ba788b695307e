"""The main way: objects in, configs and jobs in the evaluator, status and results back."""

import json

from typer.testing import CliRunner

from nemo_eval_operator.cli import app
from tests.e2e.parrot import Parrot
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, data_benchmark, data_job, eventually, model_job


def test_a_model_is_evaluated_on_a_benchmark(world: World) -> None:
    world.apply(benchmark(), model_job("parrot-qa"))

    status = world.until_phase("parrot-qa", "Succeeded")

    assert world.conditions(JOB, "parrot-qa") == {"Ready": "True", "Complete": "True"}
    (score,) = status["scores"]
    assert (score["task"], score["metric"], score["value"], score["count"]) == ("qa", "exact", 0.5, 2)
    assert status["score"] == "exact=0.5"
    assert status["progress"]["percent"] == 100
    assert status["observedGeneration"] == 1
    (remote,) = world.remote_jobs("parrot-qa")
    assert remote["id"] == status["jobId"]
    document = world.results("parrot-qa")
    assert document["job"] == remote["id"]
    outputs = [sample["output_text"] for sample in document["tasks"]["qa"]["data"]["samples"]]
    assert outputs == ["Paris", "Milan"]
    shown = world.kubectl("get", "nejob", "parrot-qa", "--no-headers").split()
    assert shown[:7] == ["parrot-qa", "Succeeded", "100%", "Completed", "exact=0.5", "parrot", "qa"]
    assert world.kubectl("wait", "--for=condition=Complete", "nejob/parrot-qa", "--timeout=5s")


def test_generations_and_scores_are_read_by_one_command(world: World) -> None:
    world.apply(benchmark(), model_job("readable"))
    (score,) = world.until_phase("readable", "Succeeded")["scores"]

    command = ["results", "readable", "-n", world.namespace, "--kubeconfig", str(world.cluster.kubeconfig)]
    shown = CliRunner().invoke(app, command)
    whole = CliRunner().invoke(app, [*command, "--json"])
    missing = CliRunner().invoke(app, [*command[:1], "nothing", *command[2:]])

    assert [line.split() for line in shown.output.splitlines()[:2]] == [
        ["TASK", "METRIC", "SCORE", "VALUE", "COUNT", "STDERR", "NAN"],
        ["qa", "exact", "string-check", "0.5", "2", f"{score['stderr']:.2g}"],
    ]
    assert "Capital of Italy? -> Milan" in shown.output
    assert json.loads(whole.output) == world.results("readable")
    assert missing.exit_code == 1
    assert "Not Found" in missing.stderr


def test_a_data_task_needs_no_model(world: World) -> None:
    world.apply(data_benchmark(), data_job("rows-run"))

    status = world.until_phase("rows-run", "Succeeded")

    assert status["score"] == "exact=0.5"
    assert status["model"] == "(rows)"


def test_a_finished_job_and_its_results_go_with_the_object(world: World, controllers: None) -> None:
    world.apply(data_benchmark(), data_job("short-lived"))
    world.until_phase("short-lived", "Succeeded")
    finished = world.get(JOB, "short-lived")
    assert finished is not None
    assert "finalizers" not in finished["metadata"], "nothing holds a finished job"

    world.kubectl("delete", JOB, "short-lived", "--timeout=10s")

    eventually(lambda: world.get("configmap", "short-lived-results") is None, "results collected")


def test_a_job_carries_its_whole_config_inline(world: World) -> None:
    inline = data_benchmark()["spec"]["config"]
    job = data_job("inline", config=inline)
    del job["spec"]["benchmarkRef"]
    world.apply(job)

    assert world.until_phase("inline", "Succeeded")["score"] == "exact=0.5"


def test_sampling_parameters_reach_the_model(world: World, parrot: Parrot) -> None:
    world.apply(
        benchmark(),
        model_job("sampled", samplingParams={"temperature": 0.25, "max_tokens": 7, "stop": ["\n"]}),
    )

    world.until_phase("sampled", "Succeeded")

    (remote,) = world.remote_jobs("sampled")
    params = remote["config"]["params"]
    assert (params["temperature"], params["max_tokens"], params["stop"]) == (0.25, 7, ["\n"])
    assert params["parallelism"] == 2, "what the run does not override stays the benchmark's"
    asked = [request for request in parrot.requests if request.get("max_tokens") == 7]
    assert len(asked) == 2
    assert asked[0]["temperature"] == 0.25


def test_a_limit_of_samples_is_kept_and_shown_in_status_and_results(world: World) -> None:
    world.apply(benchmark(), model_job("limited", limitSamples=1), model_job("whole"))

    status = world.until_phase("limited", "Succeeded")

    assert [score["count"] for score in status["scores"]] == [1]
    assert status["progress"]["samplesProcessed"] == 1
    assert status["benchmark"]["limitSamples"] == 1
    assert status["message"].startswith("1 score, limited to 1 sample of each task; ")
    config_map = world.get("configmap", "limited-results")
    assert config_map is not None
    assert json.loads(config_map["data"]["config.json"])["params"]["limit_samples"] == 1
    whole = world.until_phase("whole", "Succeeded")
    assert [score["count"] for score in whole["scores"]] == [2]
    assert whole["benchmark"]["hash"] != status["benchmark"]["hash"]
    assert "limitSamples" not in whole["benchmark"]


def test_a_dry_run_evaluates_one_sample_and_is_not_a_result(world: World, parrot: Parrot) -> None:
    asked = len(parrot.requests)
    world.apply(benchmark(), model_job("dry", dryRun=True))

    status = world.until_phase("dry", "Succeeded")

    assert len(parrot.requests) == asked + 1
    assert world.reason(JOB, "dry") == "DryRunCompleted"
    assert world.conditions(JOB, "dry") == {"Ready": "True", "Complete": "True"}
    assert status["score"] == "(dry run)"
    assert [score["count"] for score in status["scores"]] == [1]
    assert status["message"].startswith("dry run, not a result: 1 score, limited to 1 sample of each task; ")
    marked = world.kubectl("get", "configmaps", "-l", "evaluator.nemo.dev/dry-run=true", "-o", "name")
    assert marked.split() == ["configmap/dry-results"]
    command = ["results", "dry", "-n", world.namespace, "--kubeconfig", str(world.cluster.kubeconfig)]
    shown = CliRunner().invoke(app, command).output
    assert shown.startswith("Dry run of one sample of each task: not a result of the benchmark")


def test_a_dry_run_of_what_does_not_work_fails(world: World) -> None:
    broken = benchmark("broken")
    broken["spec"]["config"]["tasks"]["qa"]["dataset"] = {"files_url": "file://missing.jsonl"}
    world.apply(broken, model_job("dry-broken", of="broken", dryRun=True))

    status = world.until_phase("dry-broken", "Failed")

    assert "missing.jsonl" in status["message"]


def test_progress_is_shown_while_it_runs(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("slow"))

    status = world.until_phase("slow", "Running")
    assert world.conditions(JOB, "slow") == {"Ready": "False", "Reconciling": "True"}
    assert status["jobId"].startswith("eval-")

    outspoken.speak()
    world.until_phase("slow", "Succeeded")


def test_deleting_a_running_job_cancels_it(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("doomed"))
    world.until_phase("doomed", "Running")

    world.kubectl("delete", JOB, "doomed", "--timeout=20s")

    (remote,) = world.remote_jobs("doomed")
    assert remote["status"] == "cancelled"


def test_spec_cancel_cancels_and_keeps_the_object(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("stopped"))
    world.until_phase("stopped", "Running")

    world.patch(JOB, "stopped", {"spec": {"cancel": True}})

    world.until_phase("stopped", "Cancelled")
    assert world.conditions(JOB, "stopped") == {"Ready": "False", "Stalled": "True", "Failed": "True"}
    (remote,) = world.remote_jobs("stopped")
    assert remote["status"] == "cancelled"


def test_a_suspended_job_is_held_until_it_is_resumed(world: World) -> None:
    world.apply(data_benchmark(), data_job("held", suspend=True))
    world.until_reason(JOB, "held", "Suspended")
    world.until_reason(BENCHMARK, "rows", "ConfigReady")
    assert world.conditions(JOB, "held") == {"Suspended": "True"}
    assert world.remote_jobs("held") == []

    world.patch(JOB, "held", {"spec": {"suspend": False}})

    world.until_phase("held", "Succeeded")


def test_a_job_that_outlasts_its_deadline_is_cancelled_and_failed(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("late", activeDeadlineSeconds=2))

    world.until_phase("late", "Failed")

    assert world.reason(JOB, "late") == "DeadlineExceeded"
    (remote,) = world.remote_jobs("late")
    assert remote["status"] == "cancelled"


def test_a_finished_job_is_removed_after_its_time_to_live(world: World) -> None:
    world.apply(data_benchmark(), data_job("brief", ttlSecondsAfterFinished=1))

    eventually(lambda: world.remote_jobs("brief"), "submitted")
    world.until_gone(JOB, "brief")


def test_an_object_that_gitops_owns_is_never_removed_by_its_time_to_live(world: World) -> None:
    job = data_job("kept", ttlSecondsAfterFinished=0)
    job["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "app:x"}
    world.apply(data_benchmark(), job, data_job("brief", ttlSecondsAfterFinished=0))

    world.until_phase("kept", "Succeeded")
    world.until_gone(JOB, "brief")

    assert world.status(JOB, "kept")["phase"] == "Succeeded"
    assert world.event("kept", "TTLIgnored"), "an event says why"


def test_deletion_policy_delete_removes_the_remote_job_too(world: World) -> None:
    world.apply(data_benchmark(), data_job("traceless", deletionPolicy="Delete"))
    world.until_phase("traceless", "Succeeded")

    world.kubectl("delete", JOB, "traceless", "--timeout=20s")

    assert world.remote_jobs("traceless") == []


def test_deletion_policy_orphan_lets_the_remote_job_run(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.apply(benchmark(), model_job("left-alone", deletionPolicy="Orphan"))
    world.until_phase("left-alone", "Running")

    world.kubectl("delete", JOB, "left-alone", "--timeout=20s")

    (remote,) = world.remote_jobs("left-alone")
    assert remote["status"] == "running"

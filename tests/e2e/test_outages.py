"""What is killed, halted or deleted under a running evaluation; each test has its own evaluator."""

import time

from testbed.faults import Fault, FaultProxy, Rule
from tests.e2e.lab import Lab, halted
from tests.e2e.parrot import Parrot
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, data_benchmark, data_job, eventually, model_job

JOBS_LEFT = 'nemo_eval_operator_left_behind_total{kind="job"}'
CONFIGS_LEFT = 'nemo_eval_operator_left_behind_total{kind="config"}'

POST_SECONDS = 6
"""For which a submission is under way while the operator is stopped."""


def test_a_job_lost_to_a_restart_of_the_evaluator_is_retried_as_its_limit_allows(
    lab: Lab, outspoken: Parrot
) -> None:
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    evaluator = lab.start_evaluator()
    lab.start_operator()
    outspoken.hush()
    world.apply(benchmark(), model_job("retried", backoffLimit=1), model_job("given-up"))
    world.until_phase("retried", "Running", seconds=90)
    world.until_phase("given-up", "Running")

    lab.kill(evaluator)
    outspoken.speak()
    lab.start_evaluator()

    world.until_phase("given-up", "Failed")
    assert world.reason(JOB, "given-up") == "EvaluationFailed"
    status = world.until_phase("retried", "Succeeded", seconds=90)
    assert (status["attempt"], status["retries"]) == (2, 1)
    assert [entry["outcome"] for entry in status["history"]] == ["EvaluationFailed"]
    assert world.event("retried", "BackOff")
    assert len(world.remote_jobs("retried")) == 2
    assert len(world.remote_jobs("given-up")) == 1


def test_an_operator_that_is_told_to_stop_finishes_the_submission_it_has_begun(lab: Lab) -> None:
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    lab.start_evaluator()
    times = {"NEMO_REQUEST_TIMEOUT_SECONDS": "20", "NEMO_SETTLE_SECONDS": "25"}
    with FaultProxy(lab.evaluator_url) as proxy:
        operator = lab.start_operator(times, evaluator_url=proxy.url)
        world.apply(data_benchmark())
        world.until_reason(BENCHMARK, "rows", "ConfigReady")
        # The POST alone is held back: the config is verified before the intent is written.
        proxy.rules = [Rule("POST", "/v1/evaluation/jobs", Fault.DELAY, POST_SECONDS)]
        world.apply(data_job("begun"))
        eventually(lambda: world.status(JOB, "begun").get("submission"), "intent written")
        operator.terminate()
        assert operator.wait(30) == 0
    lab.processes.remove(operator)

    assert len(world.remote_jobs("begun")) == 1
    # What came of it is written down; had it been cut off, only the intent would be.
    assert world.reason(JOB, "begun") in {"QueuedInEvaluator", "Running", "SubmissionUncertain"}


def test_an_evaluator_that_answers_nothing_holds_up_no_deletion(lab: Lab, outspoken: Parrot) -> None:
    """Many at once: were each to find out by itself, the last ones would wait for all the others."""
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    evaluator = lab.start_evaluator()
    lab.start_operator({"NEMO_WORKERS": "2"})
    outspoken.hush()
    names = [f"stuck-{number}" for number in range(8)]
    world.apply(benchmark(), *(model_job(name, cancelTimeoutSeconds=20) for name in names))
    # The evaluator runs some of them at a time; the others wait there, and have to be cancelled too.
    eventually(lambda: all(world.status(JOB, name).get("jobId") for name in names), "submitted", seconds=90)

    with halted(evaluator):
        begun = time.monotonic()
        world.kubectl("delete", JOB, *names, "--timeout=100s")
        took = time.monotonic() - begun
        assert lab.metric(JOBS_LEFT) == len(names)

    # Each by itself they would need a request's time-out twice, two at a time: 80 s.
    assert took < 45, "bounded by the time-out, not by the number of objects"
    for name in names:
        (remote,) = world.remote_jobs(name)
        assert remote["id"] in world.event(name, "LeftInEvaluator")["message"]


def test_a_namespace_goes_with_all_that_runs_in_it(lab: Lab, controllers: None, outspoken: Parrot) -> None:
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    lab.start_evaluator()
    lab.start_operator()
    outspoken.hush()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"token": "x"}}
    values = [{"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "params.extra.hf_token"}]
    world.apply(secret, benchmark(valuesFrom=values), model_job("one"), model_job("two"))
    world.until_phase("one", "Running", seconds=90)
    world.until_phase("two", "Running")

    lab.cluster.kubectl("delete", "namespace", lab.namespace, "--wait=false")

    world.until_gone(JOB, "one")
    world.until_gone(JOB, "two")
    world.until_gone(BENCHMARK, "qa")
    assert {remote["status"] for remote in world.remote_jobs()} == {"cancelled"}
    assert world.remote_config("qa") is None


def test_a_benchmark_whose_evaluator_is_gone_is_let_go_and_counted(lab: Lab) -> None:
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    evaluator = lab.start_evaluator()
    lab.start_operator()
    world.apply(data_benchmark())
    world.until_reason(BENCHMARK, "rows", "ConfigReady")
    lab.kill(evaluator)

    world.kubectl("delete", BENCHMARK, "rows", "--wait=false")
    world.until_gone(BENCHMARK, "rows", seconds=100)

    assert f"config {world.namespace}/rows" in world.event("rows", "LeftInEvaluator")["message"]
    assert lab.metric(CONFIGS_LEFT) == 1

"""What is killed, halted or deleted under a running evaluation; each test has its own evaluator."""

import time

from testbed.faults import Fault, FaultProxy, Rule
from tests.e2e.operator_stack import OperatorStack, halted
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

JOBS_LEFT = 'nemo_eval_operator_orphaned_total{kind="job"}'
CONFIGS_LEFT = 'nemo_eval_operator_orphaned_total{kind="config"}'

POST_SECONDS = 6
"""For which a submission is under way while the operator is stopped."""


def test_a_job_lost_to_a_restart_of_the_evaluator_is_retried_as_its_limit_allows(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    evaluator = stack.start_evaluator()
    stack.start_operator()
    pausable_model.stop_answering()
    scenario.apply(benchmark(), model_job("retried", backoffLimit=1), model_job("given-up"))
    scenario.until_phase("retried", "Running", seconds=90)
    scenario.until_phase("given-up", "Running")

    stack.kill(evaluator)
    pausable_model.answer_again()
    stack.start_evaluator()

    scenario.until_phase("given-up", "Failed")
    assert scenario.reason(JOB, "given-up") == "EvaluationFailed"
    status = scenario.until_phase("retried", "Succeeded", seconds=90)
    assert (status["attempt"], status["retries"]) == (2, 1)
    assert [entry["outcome"] for entry in status["history"]] == ["EvaluationFailed"]
    assert scenario.event("retried", "BackOff")
    assert len(scenario.remote_jobs("retried")) == 2
    assert len(scenario.remote_jobs("given-up")) == 1


def test_an_operator_finishes_a_submission_in_progress_before_it_stops(stack: OperatorStack) -> None:
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    stack.start_evaluator()
    times = {"NEMO_REQUEST_TIMEOUT_SECONDS": "20", "NEMO_SETTLE_SECONDS": "25"}
    with FaultProxy(stack.evaluator_url) as proxy:
        operator = stack.start_operator(times, evaluator_url=proxy.url)
        scenario.apply(data_benchmark())
        scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
        # The POST alone is held back: the config is verified before the intent is written.
        proxy.rules = [Rule("POST", "/v1/evaluation/jobs", Fault.DELAY, POST_SECONDS)]
        scenario.apply(data_job("begun"))
        eventually(lambda: scenario.status(JOB, "begun").get("submission"), "intent written")
        operator.terminate()
        assert operator.wait(30) == 0
    stack.processes.remove(operator)

    assert len(scenario.remote_jobs("begun")) == 1
    # What came of it is written down; had it been cut off, only the intent would be.
    assert scenario.reason(JOB, "begun") in {"QueuedInEvaluator", "Running", "SubmissionUncertain"}


def test_an_evaluator_that_answers_nothing_holds_up_no_deletion(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    """Many at once: were each to find out by itself, the last ones would wait for all the others."""
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    evaluator = stack.start_evaluator()
    stack.start_operator({"NEMO_WORKERS": "2"})
    pausable_model.stop_answering()
    names = [f"stuck-{number}" for number in range(8)]
    scenario.apply(benchmark(), *(model_job(name, cancelTimeoutSeconds=20) for name in names))
    # The evaluator runs some of them at a time; the others wait there, and have to be cancelled too.
    eventually(
        lambda: all(scenario.status(JOB, name).get("jobId") for name in names), "submitted", seconds=90
    )

    with halted(evaluator):
        begun = time.monotonic()
        scenario.kubectl("delete", JOB, *names, "--timeout=100s")
        took = time.monotonic() - begun
        assert stack.metric(JOBS_LEFT) == len(names)

    # Each by itself they would need a request's time-out twice, two at a time: 80 s.
    assert took < 45, "bounded by the time-out, not by the number of objects"
    for name in names:
        (remote,) = scenario.remote_jobs(name)
        assert remote["id"] in scenario.event(name, "LeftInEvaluator")["message"]


def test_a_namespace_goes_with_all_that_runs_in_it(
    stack: OperatorStack, controllers: None, pausable_model: StubModel
) -> None:
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    stack.start_evaluator()
    stack.start_operator()
    pausable_model.stop_answering()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"token": "x"}}
    values = [{"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": "params.extra.hf_token"}]
    scenario.apply(secret, benchmark(valuesFrom=values), model_job("one"), model_job("two"))
    scenario.until_phase("one", "Running", seconds=90)
    scenario.until_phase("two", "Running")

    stack.cluster.kubectl("delete", "namespace", stack.namespace, "--wait=false")

    scenario.until_gone(JOB, "one")
    scenario.until_gone(JOB, "two")
    scenario.until_gone(BENCHMARK, "qa")
    assert {remote["status"] for remote in scenario.remote_jobs()} == {"cancelled"}
    assert scenario.remote_config("qa") is None


def test_a_benchmark_whose_evaluator_is_gone_is_let_go_and_counted(stack: OperatorStack) -> None:
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    evaluator = stack.start_evaluator()
    stack.start_operator()
    scenario.apply(data_benchmark())
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    stack.kill(evaluator)

    scenario.kubectl("delete", BENCHMARK, "rows", "--wait=false")
    scenario.until_gone(BENCHMARK, "rows", seconds=100)

    assert f"config {scenario.namespace}/rows" in scenario.event("rows", "LeftInEvaluator")["message"]
    assert stack.metric(CONFIGS_LEFT) == 1

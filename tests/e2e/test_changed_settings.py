"""The operator is started again with other settings while runs are under way."""

from testbed.faults import Fault, FaultProxy, Rule
from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import JOB, Scenario, benchmark, eventually, model_job
from tests.e2e.stub_model import StubModel


def other_settings(namespace: str) -> dict[str, str]:
    """Every setting that decides about submissions, with a value that a start before did not have."""
    return {
        "NEMO_ALLOWED_MODEL_HOSTS": "models.invalid",
        "NEMO_CLUSTER_NAME": "renamed",
        "NEMO_LEADER_ELECT": "true",
        "NEMO_LEASE_NAME": "renamed",
        "NEMO_LEASE_NAMESPACE": namespace,
        "NEMO_MAX_RUNNING_JOBS": "1",
        "NEMO_NAMESPACE_MAP": f"{namespace}=elsewhere",
        "NEMO_POLL_INTERVAL_SECONDS": "1",
        "NEMO_REQUEST_TIMEOUT_SECONDS": "5",
        "NEMO_REQUIRE_SECRET_LABEL": "true",
        "NEMO_SETTLE_SECONDS": "20",
        "NEMO_WORKERS": "2",
        "NEMO_WORKERS_PER_EVALUATOR": "1",
    }


def test_runs_go_on_and_none_is_started_twice_whatever_settings_are_changed(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    stack.start_evaluator()
    pausable_model.stop_answering()
    with FaultProxy(stack.evaluator_url) as former:
        operator = stack.start_operator(evaluator_url=former.url)
        scenario.apply(benchmark(), model_job("running"))
        scenario.until_phase("running", "Running", seconds=90)
        former.rules = [Rule("POST", "/v1/evaluation/jobs", Fault.HOLD_AFTER, times=1)]
        scenario.apply(model_job("unanswered"))
        eventually(lambda: scenario.remote_jobs("unanswered"), "the evaluator has the job")
        stack.kill(operator)
    assert "jobId" not in scenario.status(JOB, "unanswered")

    stack.start_operator(other_settings(stack.namespace))
    pausable_model.answer_again()

    for name in ("running", "unanswered"):
        status = scenario.until_phase(name, "Succeeded", seconds=90)
        (remote,) = scenario.remote_jobs(name)
        assert (status["jobId"], status["attempt"]) == (remote["id"], 1)

"""NVIDIA_EVALUATOR_URL is changed while a run is under way: to the same evaluator, or to another one."""

from pathlib import Path

from testbed.faults import FaultProxy
from testbed.processes import Child
from testbed.stack import start_evaluator
from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import JOB, Scenario, benchmark, eventually, model_job
from tests.e2e.stub_model import StubModel


def test_a_run_goes_on_at_another_address_of_its_evaluator(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    scenario, operator = running(stack, pausable_model)
    with FaultProxy(stack.evaluator_url) as same:
        stack.kill(operator)
        stack.start_operator(evaluator_url=same.url)
        pausable_model.answer_again()
        scenario.until_phase("moved", "Succeeded", seconds=60)
    assert len(scenario.remote_jobs()) == 1


def test_a_run_that_another_evaluator_does_not_know_is_not_started_there_and_keeps_its_result(
    stack: OperatorStack, pausable_model: StubModel, tmp_path: Path
) -> None:
    scenario, operator = running(stack, pausable_model)
    other = start_evaluator(stack.processes, tmp_path / "other", datasets=tmp_path)
    stack.kill(operator)
    operator = stack.start_operator(evaluator_url=other)

    status = scenario.until_reason(JOB, "moved", "EvaluatorChanged", seconds=60)

    assert scenario.conditions(JOB, "moved") == {"Ready": "False", "Stalled": "True"}
    assert stack.evaluator_url in status["message"]
    assert other in status["message"]
    pausable_model.answer_again()
    eventually(lambda: scenario.remote_jobs()[0]["status"] == "completed", "the remote job has ended")
    stack.kill(operator)
    stack.start_operator()
    scenario.until_phase("moved", "Succeeded", seconds=60)
    assert len(scenario.remote_jobs()) == 1
    assert Scenario(stack.cluster, stack.namespace, other).remote_jobs() == []


def running(stack: OperatorStack, model: StubModel) -> tuple[Scenario, Child]:
    """A run that the evaluator of `stack` is evaluating, and the operator that submitted it."""
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    stack.start_evaluator()
    operator = stack.start_operator()
    model.stop_answering()
    scenario.apply(benchmark(), model_job("moved"))
    scenario.until_phase("moved", "Running", seconds=90)
    return scenario, operator

"""The log of an operator that works without trouble: it says what is watched and what succeeded."""

from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually


def test_the_log_says_what_is_watched_and_what_succeeded(stack: OperatorStack) -> None:
    stack.start_evaluator()
    # A password in the URL is for the evaluator only.
    stack.start_operator(evaluator_url=stack.evaluator_url.replace("//", "//user:pass-phrase@"))
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    scenario.apply(data_benchmark(), data_job("quiet"))
    job_id = scenario.until_phase("quiet", "Succeeded")["jobId"]

    def log() -> str:
        return (stack.workdir / "operator.log").read_text()

    watched = f"watching jobs, benchmarks and connections in namespace {stack.namespace} at https://"
    assert watched in log()
    assert f", evaluator {stack.evaluator_url}\n" in log()
    eventually(
        lambda: f"NemoEvalJob {stack.namespace}/quiet succeeded: {job_id}, exact=0.5\n" in log(),
        "the success",
    )
    assert "pass-phrase" not in log()

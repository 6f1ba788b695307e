"""The log of an operator that works without trouble: it says what is watched and what succeeded."""

from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually
from tests.e2e.testbench import Testbench


def test_the_log_says_what_is_watched_and_what_succeeded(testbench: Testbench) -> None:
    testbench.start_evaluator()
    # A password in the URL is for the evaluator only.
    testbench.start_operator(evaluator_url=testbench.evaluator_url.replace("//", "//user:pass-phrase@"))
    scenario = Scenario(testbench.cluster, testbench.namespace, testbench.evaluator_url)
    scenario.apply(data_benchmark(), data_job("quiet"))
    job_id = scenario.until_phase("quiet", "Succeeded")["jobId"]

    def log() -> str:
        return (testbench.workdir / "operator.log").read_text()

    watched = f"watching jobs, benchmarks and connections in namespace {testbench.namespace} at https://"
    assert watched in log()
    assert f", evaluator {testbench.evaluator_url}\n" in log()
    eventually(
        lambda: f"NemoEvalJob {testbench.namespace}/quiet succeeded: {job_id}, exact=0.5\n" in log(),
        "the success",
    )
    assert "pass-phrase" not in log()

"""The log of an operator that works without trouble: it says what is watched and what succeeded."""

from tests.e2e.lab import Lab
from tests.e2e.world import World, data_benchmark, data_job, eventually


def test_the_log_says_what_is_watched_and_what_succeeded(lab: Lab) -> None:
    lab.start_evaluator()
    # A password in the URL is for the evaluator only.
    lab.start_operator(evaluator_url=lab.evaluator_url.replace("//", "//user:pass-phrase@"))
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    world.apply(data_benchmark(), data_job("quiet"))
    job_id = world.until_phase("quiet", "Succeeded")["jobId"]

    def log() -> str:
        return (lab.workdir / "operator.log").read_text()

    watched = f"watching jobs, benchmarks and connections in namespace {lab.namespace} at https://"
    assert watched in log()
    assert f", evaluator {lab.evaluator_url}\n" in log()
    eventually(
        lambda: f"NemoEvalJob {lab.namespace}/quiet succeeded: {job_id}, exact=0.5\n" in log(), "the success"
    )
    assert "pass-phrase" not in log()

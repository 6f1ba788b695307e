"""When something breaks: never a second job, never a lost one, and an object that says what is wrong."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from testbed.cluster import Cluster
from testbed.faults import Fault, FaultProxy, Rule
from testbed.processes import Child, Processes, free_port
from testbed.stack import start_evaluator, start_operator
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

JOBS_PATH = "/v1/evaluation/jobs"
SETTLE_SECONDS = 4

StartOperator = Callable[[str], Child]


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.fixture
def start(
    cluster: Cluster, crds: None, namespace: str, processes: Processes, tmp_path: Path
) -> StartOperator:
    """Starts an operator of this test's own, for its namespace only, against the evaluator at a URL."""

    def start(evaluator_url: str) -> Child:
        start_operator(
            processes,
            tmp_path,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
            env={"NEMO_SETTLE_SECONDS": str(SETTLE_SECONDS), "NEMO_REQUEST_TIMEOUT_SECONDS": "3"},
        )
        return list(processes)[-1]

    return start


@pytest.fixture
def proxy(evaluator_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(evaluator_url) as proxy:
        yield proxy


@pytest.fixture
def faulty(cluster: Cluster, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


@pytest.fixture
def absent(cluster: Cluster, namespace: str) -> Scenario:
    """A world whose evaluator is not there yet."""
    return Scenario(cluster, namespace, f"http://127.0.0.1:{free_port()}")


def on_first_submission(proxy: FaultProxy, fault: Fault) -> None:
    proxy.rules = [Rule("POST", JOBS_PATH, fault, times=1)]


@pytest.mark.parametrize(
    "fault",
    [Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE, Fault.HOLD_AFTER],
    ids=lambda fault: fault.name,
)
def test_a_lost_answer_to_a_submission_is_looked_for_not_repeated(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator, fault: Fault
) -> None:
    on_first_submission(proxy, fault)
    start(proxy.url)
    faulty.apply(data_benchmark(), data_job("once"))

    status = faulty.until_phase("once", "Succeeded")

    assert proxy.struck == 1, "the fault struck"
    (remote,) = faulty.remote_jobs("once")
    assert status["jobId"] == remote["id"]
    assert faulty.event("once", "SubmissionUncertain")


def test_a_submission_that_never_arrived_is_made_again_once_that_is_certain(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator
) -> None:
    on_first_submission(proxy, Fault.DROP_BEFORE)
    start(proxy.url)
    faulty.apply(data_benchmark(), data_job("once"))

    status = faulty.until_phase("once", "Succeeded")

    (remote,) = faulty.remote_jobs("once")
    assert status["jobId"] == remote["id"]
    assert status["attempt"] == 1


def test_an_operator_killed_between_submission_and_answer_adopts_the_job(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator
) -> None:
    on_first_submission(proxy, Fault.HOLD_AFTER)
    operator = start(proxy.url)
    faulty.apply(data_benchmark(), data_job("once"))
    eventually(lambda: faulty.remote_jobs("once"), "the evaluator has the job")
    operator.kill()
    assert "jobId" not in faulty.status(JOB, "once")

    start(faulty.evaluator_url)

    status = faulty.until_phase("once", "Succeeded")
    (remote,) = faulty.remote_jobs("once")
    assert status["jobId"] == remote["id"]


def test_an_operator_killed_while_a_job_runs_goes_on_following_it(
    faulty: Scenario, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    operator = start(faulty.evaluator_url)
    faulty.apply(benchmark(), model_job("followed"))
    faulty.until_phase("followed", "Running")
    operator.kill()
    pausable_model.answer_again()

    start(faulty.evaluator_url)

    faulty.until_phase("followed", "Succeeded")
    assert len(faulty.remote_jobs("followed")) == 1


def test_deletion_while_the_submission_is_uncertain_cancels_what_was_submitted(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    on_first_submission(proxy, Fault.HOLD_AFTER)
    operator = start(proxy.url)
    faulty.apply(benchmark(), model_job("doomed"))
    eventually(lambda: faulty.remote_jobs("doomed"), "the evaluator has the job")
    operator.kill()
    faulty.kubectl("delete", JOB, "doomed", "--wait=false")

    start(faulty.evaluator_url)

    faulty.until_gone(JOB, "doomed")
    (remote,) = faulty.remote_jobs("doomed")
    assert remote["status"] == "cancelled"


def test_objects_wait_for_an_evaluator_that_is_not_there_and_go_on_when_it_is(
    absent: Scenario, processes: Processes, start: StartOperator, tmp_path: Path, datasets: Path
) -> None:
    scenario, url = absent, absent.evaluator_url
    operator = start(url)
    scenario.apply(data_benchmark(), data_job("patient"))

    status = scenario.until_reason(BENCHMARK, "rows", "EvaluatorUnreachable")
    assert url in status["message"]
    assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "False", "Reconciling": "True"}
    scenario.until_reason(JOB, "patient", "BenchmarkNotReady")
    start_evaluator(processes, tmp_path / "late", datasets=datasets, port=httpx.URL(url).port)

    scenario.until_phase("patient", "Succeeded")
    assert scenario.event("rows", "EvaluatorUnreachable")
    assert operator.exit_code() is None


def test_a_running_job_says_that_it_cannot_be_followed_and_then_goes_on(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    start(proxy.url)
    faulty.apply(benchmark(), model_job("unseen"))
    faulty.until_phase("unseen", "Running")

    proxy.rules = [Rule("*", "*", Fault.ERROR_AFTER)]
    faulty.until_reason(JOB, "unseen", "EvaluatorUnreachable")
    assert faulty.conditions(JOB, "unseen") == {"Ready": "False", "Reconciling": "True"}
    proxy.rules = []
    pausable_model.answer_again()

    faulty.until_phase("unseen", "Succeeded")


def test_a_refused_job_says_what_the_evaluator_said(faulty: Scenario, start: StartOperator) -> None:
    start(faulty.evaluator_url)
    missing = benchmark()
    missing["spec"]["config"]["tasks"]["qa"]["dataset"] = {"files_url": "file://nowhere.jsonl"}
    faulty.apply(missing, model_job("refused"))

    status = faulty.until_phase("refused", "Failed")

    assert faulty.reason(JOB, "refused") == "EvaluatorRejected"
    assert "nowhere.jsonl" in status["message"]
    # README's command for scripts, which does not hang when a job fails.
    faulty.kubectl("wait", "--for=jsonpath={.status.completionTime}", f"{JOB}/refused", "--timeout=10s")
    assert faulty.conditions(JOB, "refused") == {"Ready": "False", "Stalled": "True", "Failed": "True"}
    assert faulty.remote_jobs("refused") == []
    assert faulty.event("refused", "EvaluatorRejected")


def test_an_invalid_object_is_reported_and_delays_no_other(faulty: Scenario, start: StartOperator) -> None:
    """The CRD allows a number where a field is text or an object; the operator does not."""
    start(faulty.evaluator_url)
    unreadable = data_job("unreadable")
    unreadable["spec"]["target"] = {"type": "model", "model": 5}
    nowhere = {"secretKeyRef": {"name": "any", "key": "any", "optional": True}, "targetPath": "target.type.x"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "any"}, "stringData": {"any": "x"}}
    faulty.apply(secret, unreadable, data_job("unusable", valuesFrom=[nowhere]))
    faulty.apply(data_benchmark(), data_job("fine"))

    faulty.until_phase("fine", "Succeeded")

    status = faulty.until_reason(JOB, "unreadable", "InvalidSpec")
    assert "spec.target.model" in status["message"]
    status = faulty.until_reason(JOB, "unusable", "InvalidSpec")
    assert "'target.type.x'" in status["message"]
    for name in ("unreadable", "unusable"):
        assert faulty.conditions(JOB, name) == {"Ready": "False", "Stalled": "True"}
        assert faulty.event(name, "InvalidSpec")
        faulty.kubectl("delete", JOB, name, "--timeout=20s")


def test_results_of_an_unexpected_shape_are_read_again_until_they_make_sense(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator
) -> None:
    proxy.rules = [Rule("*", "*/results", Fault.GARBAGE)]
    start(proxy.url)
    faulty.apply(data_benchmark(), data_job("garbled"))

    status = faulty.until_reason(JOB, "garbled", "ResultsUnavailable")
    assert "/results answered 200, but body" in status["message"]
    assert faulty.conditions(JOB, "garbled") == {"Ready": "False", "Reconciling": "True"}
    proxy.rules = []

    faulty.until_phase("garbled", "Succeeded")
    assert faulty.event("garbled", "ResultsUnavailable")


def test_a_gateway_that_answers_unauthorized_is_retried_with_backoff(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator
) -> None:
    """Each try writes status twice; the echoes of those writes must not set off the next one."""
    proxy.rules = [Rule("POST", JOBS_PATH, Fault.ERROR_BEFORE, 401)]
    start(proxy.url)
    faulty.apply(data_benchmark(), data_job("outside"))
    eventually(lambda: proxy.struck >= 1, "first try")
    begun = time.monotonic()

    eventually(lambda: proxy.struck >= 4, "three more tries")

    assert time.monotonic() - begun > 2, "tries back off"
    assert faulty.reason(JOB, "outside") == "EvaluatorUnauthorized"
    assert faulty.event("outside", "EvaluatorUnauthorized")
    proxy.rules = []
    faulty.until_phase("outside", "Succeeded")
    assert len(faulty.remote_jobs("outside")) == 1


def test_a_server_that_cannot_cancel_is_asked_to_delete(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    proxy.rules = [Rule("*", "*/cancel", Fault.ERROR_BEFORE, 405)]
    start(proxy.url)
    faulty.apply(benchmark(), model_job("unstoppable"))
    faulty.until_phase("unstoppable", "Running")

    faulty.patch(JOB, "unstoppable", {"spec": {"cancel": True}})

    faulty.until_phase("unstoppable", "Cancelled")
    assert faulty.remote_jobs("unstoppable") == []
    assert faulty.event("unstoppable", "CancelUnsupported")


@pytest.mark.parametrize("code", [409, 500])
def test_a_cancellation_that_is_refused_is_shown_with_the_answer_until_it_is_accepted(
    code: int, faulty: Scenario, proxy: FaultProxy, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    proxy.rules = [Rule("*", "*/cancel", Fault.ERROR_BEFORE, code)]
    start(proxy.url)
    faulty.apply(benchmark(), model_job("unstoppable"))
    running = faulty.until_phase("unstoppable", "Running")

    faulty.patch(JOB, "unstoppable", {"spec": {"cancel": True}})

    status = faulty.until_reason(JOB, "unstoppable", "CancelRefused")
    assert f"/v1/evaluation/jobs/{running['jobId']}/cancel answered {code}: " in status["message"]
    assert (status["phase"], faulty.conditions(JOB, "unstoppable")) == (
        "Cancelling",
        {"Ready": "False", "Reconciling": "True"},
    )
    eventually(lambda: proxy.struck > 1, "it is requested again")
    assert str(code) in faulty.event("unstoppable", "CancelRefused")["message"]
    proxy.rules = []
    faulty.until_phase("unstoppable", "Cancelled", seconds=60)
    assert faulty.event("unstoppable", "CancelRefused")


def test_deletion_waits_a_limited_time_for_an_unreachable_evaluator(
    faulty: Scenario, proxy: FaultProxy, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    start(proxy.url)
    faulty.apply(benchmark(), model_job("abandoned", cancelTimeoutSeconds=3))
    faulty.until_phase("abandoned", "Running")
    proxy.rules = [Rule("GET", "*", Fault.ERROR_AFTER), Rule("*", "*", Fault.DROP_BEFORE)]

    faulty.kubectl("delete", JOB, "abandoned", "--timeout=30s")

    event = faulty.event("abandoned", "LeftInEvaluator")
    (remote,) = faulty.remote_jobs("abandoned")
    assert remote["id"] in event["message"]


def test_a_remote_job_that_vanished_is_reported_and_not_run_again(
    faulty: Scenario, start: StartOperator, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    start(faulty.evaluator_url)
    faulty.apply(benchmark(), model_job("vanished"))
    job_id = faulty.until_phase("vanished", "Running")["jobId"]

    httpx.delete(f"{faulty.evaluator_url}{JOBS_PATH}/{job_id}", timeout=10).raise_for_status()

    faulty.until_phase("vanished", "Failed")
    assert faulty.reason(JOB, "vanished") == "ExternalJobLost"
    assert faulty.remote_jobs("vanished") == []


@pytest.mark.parametrize("moment", ["Running", "Succeeded"])
def test_a_job_whose_status_was_lost_is_adopted_not_run_again(
    faulty: Scenario, start: StartOperator, pausable_model: StubModel, moment: str
) -> None:
    pausable_model.stop_answering()
    start(faulty.evaluator_url)
    faulty.apply(benchmark(), model_job("forgotten"))
    faulty.until_phase("forgotten", "Running")
    if moment == "Succeeded":
        pausable_model.answer_again()
        faulty.until_phase("forgotten", "Succeeded")

    lost = json.dumps([{"op": "replace", "path": "/status", "value": {}}])
    faulty.kubectl("patch", JOB, "forgotten", "--subresource=status", "--type=json", "-p", lost)
    pausable_model.answer_again()

    status = faulty.until_phase("forgotten", "Succeeded")
    (remote,) = faulty.remote_jobs("forgotten")
    assert status["jobId"] == remote["id"]
    assert faulty.results("forgotten")["job"] == remote["id"]


def test_two_operators_at_once_submit_each_job_once(faulty: Scenario, start: StartOperator) -> None:
    start(faulty.evaluator_url)
    start(faulty.evaluator_url)
    names = [f"twice-{number}" for number in range(40)]
    faulty.apply(data_benchmark(), *(data_job(name) for name in names))

    for name in names:
        faulty.until_phase(name, "Succeeded")

    marks = [remote["custom_fields"] for remote in faulty.remote_jobs()]
    assert sorted(mark["k8s-name"] for mark in marks) == sorted(names)
    assert {mark["k8s-attempt"] for mark in marks} == {"1"}


def test_the_operator_stops_on_sigterm(faulty: Scenario, start: StartOperator) -> None:
    operator = start(faulty.evaluator_url)

    operator.terminate()

    assert operator.wait(10) == 0

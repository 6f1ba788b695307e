"""Chaos sees what it claims to see: each step by its request, and each way in which a law can be broken."""

import json
import random
from contextlib import suppress
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import Access, EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError
from testbed.chaos.hostile_evaluator import ODD_ANSWERS, HostileEvaluator
from testbed.chaos.hostile_tenant import HostileTenant
from testbed.chaos.ledger import Ledger
from testbed.chaos.steps import Step, Steps
from testbed.chaos.trap import Trap
from testbed.chaos.verdict import Verdict
from testbed.chaos.verdict import judge as judge_run
from testbed.faults import Exchange, Fault, Moment, Rule

JOBS = "/v1/evaluation/jobs"
OBJECT = "/apis/evaluator.nemo.dev/v1alpha1/namespaces/n/nemoevaljobs/a"
UID = "uid-a"
MARKS = {"k8s-uid": UID, "k8s-attempt": "1", "k8s-name": "a"}


def status_patch(**status: Any) -> Exchange:
    body = [
        {"op": "test", "path": "/metadata/uid", "value": UID},
        {"op": "add", "path": "/status", "value": status},
    ]
    return Exchange("PATCH", f"{OBJECT}/status", "", json.dumps(body).encode(), status=200)


def finalizers_patch(*finalizers: str) -> Exchange:
    body = [{"op": "add", "path": "/metadata/finalizers", "value": finalizers}]
    return Exchange("PATCH", OBJECT, "", json.dumps(body).encode(), status=200)


def submission(job_id: str = "eval-1", *, rule: Rule | None = None) -> Exchange:
    body = json.dumps({"custom_fields": MARKS}).encode()
    answer = json.dumps({"id": job_id}).encode()
    return Exchange("POST", JOBS, "", body, rule=rule, status=201, answer=answer)


def pass_through(ledger: Ledger, *exchanges: Exchange) -> None:
    for exchange in exchanges:
        for moment in Moment:
            assert not ledger.observe(exchange, moment)


def remote(job_id: str = "eval-1", status: str = "completed") -> dict[str, Any]:
    return {"id": job_id, "status": status, "custom_fields": MARKS}


def job(**status: Any) -> dict[str, dict[str, Any]]:
    return {"a": {"metadata": {"name": "a", "uid": UID}, "spec": {}, "status": status}}


SUCCEEDED = {
    "phase": "Succeeded",
    "jobId": "eval-1",
    "completionTime": "2026-01-01T00:00:00Z",
    "scores": [{"value": 1}],
    "resultsRef": {"configMap": "a-results"},
}
RESULTS = {"a-results": {"data": {"results.json": '{"job": "eval-1"}'}}}


def judge(ledger: Ledger, *, scores: dict[str, float] | None = None, **found: Any) -> Verdict:
    return judge_run(ledger, scores=scores or {}, **found)


def after_a_good_run() -> Ledger:
    ledger = Ledger()
    pass_through(
        ledger,
        status_patch(phase="Submitting", attempt=1, submission={"nonce": "x"}),
        submission(),
        status_patch(phase="Running", jobId="eval-1"),
    )
    return ledger


@pytest.mark.parametrize(
    ("exchange", "step"),
    [
        (finalizers_patch("evaluator.nemo.dev/finalizer"), Step.CLAIM),
        (finalizers_patch(), Step.RELEASE),
        (status_patch(phase="Submitting", submission={}), None),
        (status_patch(phase="Submitting", submission={"nonce": "x"}), Step.INTENT),
        (status_patch(phase="Running", jobId="eval-1"), Step.JOB_ID),
        (status_patch(phase="Cancelling", jobId="eval-1"), Step.CANCELLING),
        (status_patch(phase="Failed", jobId="eval-1", completionTime="now"), Step.VERDICT),
        (status_patch(phase="Pending"), None),
        (Exchange("POST", JOBS, "", b"{}"), Step.SUBMIT),
        (Exchange("GET", JOBS, "sort=-created_at&filter%5Bcreated_at%5D%5Bgte%5D=x", b""), Step.LOOK_UP),
        (Exchange("GET", JOBS, "sort=-created_at&filter%5Bstatus%5D=running", b""), None),
        (Exchange("GET", f"{JOBS}/eval-1", "", b""), None),
        (Exchange("GET", f"{JOBS}/eval-1/results", "", b""), Step.RESULTS),
        (Exchange("POST", f"{JOBS}/eval-1/cancel", "", b"{}"), Step.CANCEL),
        (Exchange("DELETE", f"{JOBS}/eval-1", "", b""), Step.DELETE_REMOTE),
        (Exchange("POST", "/api/v1/namespaces/n/configmaps", "", b"{}"), Step.STORE),
        (Exchange("POST", "/api/v1/namespaces/n/events", "", b"{}"), None),
        (Exchange("DELETE", OBJECT, "", b""), Step.EXPIRE),
        (Exchange("PATCH", OBJECT.replace("nemoevaljobs", "nemobenchmarks"), "", b"[]"), None),
    ],
)
def test_a_step_is_known_by_its_request(exchange: Exchange, step: Step | None) -> None:
    assert Steps().of(exchange) is step


def test_a_job_id_is_written_once_and_what_follows_is_progress() -> None:
    steps = Steps()
    first, later = (status_patch(phase="Running", jobId="eval-1") for _ in range(2))

    assert [steps.of(first), steps.of(first)] == [Step.JOB_ID] * 2, "at every moment of the same write"
    assert steps.of(later) is None


def test_a_trap_kills_once_at_its_spot_and_breaks_the_connection() -> None:
    killed: list[bool] = []
    trap = Trap(lambda: killed.append(True))
    trap.arm((Step.SUBMIT, Moment.ANSWERED))

    broken = [trap.observe(submission(), moment) for _ in range(2) for moment in Moment]

    assert broken == [False, True, False, False, False, False]
    assert len(killed) == 1
    assert trap.struck.is_set()
    assert trap.coverage == {(Step.SUBMIT, Moment.ANSWERED): 1}


def test_a_good_run_is_good() -> None:
    verdict = judge(after_a_good_run(), remote=[remote()], objects=job(**SUCCEEDED), config_maps=RESULTS)

    assert verdict == Verdict(attempts=1, attempts_with_job=1, remote_jobs=1)
    assert verdict.is_good
    assert verdict.jobs_an_attempt == 1.0


def test_a_second_job_of_an_attempt_is_a_duplicate_even_if_its_answer_was_lost() -> None:
    extra = remote("eval-2", "cancelled")
    verdict = judge(
        after_a_good_run(), remote=[remote(), extra], objects=job(**SUCCEEDED), config_maps=RESULTS
    )

    assert (verdict.duplicates, verdict.duplicates_cancelled) == (["eval-2"], 1)
    assert verdict.jobs_an_attempt == 2.0
    assert not verdict.is_good


def test_a_duplicate_that_was_deleted_since_is_still_known() -> None:
    ledger = after_a_good_run()
    pass_through(ledger, submission("eval-2"))

    verdict = judge(ledger, remote=[remote()], objects=job(**SUCCEEDED), config_maps=RESULTS)

    assert verdict.duplicates == ["eval-2"]


def test_an_answer_that_was_lost_makes_an_adoption() -> None:
    ledger = Ledger()
    lost = submission(rule=Rule("POST", JOBS, Fault.GARBAGE))
    pass_through(ledger, lost, status_patch(phase="Running", jobId="eval-1"))

    verdict = judge(ledger, remote=[remote()], objects=job(**SUCCEEDED), config_maps=RESULTS)

    assert (verdict.adopted, verdict.is_good) == (1, True)


@pytest.mark.parametrize(
    ("status", "config_maps"),
    [
        ({**SUCCEEDED, "phase": "Failed", "scores": []}, RESULTS),
        ({**SUCCEEDED, "scores": []}, RESULTS),
        (SUCCEEDED, {}),
        (SUCCEEDED, {"a-results": {"data": {"results.json": '{"job": "eval-9"}'}}}),
    ],
)
def test_a_completed_job_without_its_results_is_lost(
    status: dict[str, Any], config_maps: dict[str, dict[str, Any]]
) -> None:
    verdict = judge(after_a_good_run(), remote=[remote()], objects=job(**status), config_maps=config_maps)

    assert verdict.lost == ["a"]


def test_an_object_that_expired_without_results_is_lost() -> None:
    ledger = after_a_good_run()
    pass_through(ledger, Exchange("DELETE", OBJECT, "", b"", status=200))

    assert judge(ledger, remote=[remote()], objects={}, config_maps={}).lost == ["a"]


def test_what_has_not_ended_is_stuck_or_left_running() -> None:
    running = {"phase": "Running", "jobId": "eval-1"}
    verdict = judge(
        after_a_good_run(), remote=[remote(status="running")], objects=job(**running), config_maps={}
    )

    assert (verdict.stuck, verdict.left_running) == (["a"], ["eval-1"])


def test_what_an_event_has_named_is_not_left_running_in_silence() -> None:
    ledger = after_a_good_run()
    event = {"reason": "LeftInEvaluator", "involvedObject": {"name": "a"}}
    body = json.dumps(event).encode()
    pass_through(ledger, Exchange("POST", "/api/v1/namespaces/n/events", "", body, status=201))

    assert judge(ledger, remote=[remote(status="running")], objects={}, config_maps={}).is_good


@pytest.mark.parametrize(("phase", "remote_status"), [("Cancelled", "failed"), ("Failed", "completed")])
def test_an_object_may_not_say_otherwise_than_the_evaluator(phase: str, remote_status: str) -> None:
    status = {**SUCCEEDED, "phase": phase}

    verdict = judge(
        after_a_good_run(), remote=[remote(status=remote_status)], objects=job(**status), config_maps=RESULTS
    )

    assert verdict.contradicted == ["a"]


FLOOR = {"criteria": [{"minimum": 0.4}]}
COMPARED = {"criteria": [{"minimum": 0.4}], "baseline": {}}


def judged(gate: dict[str, Any], verdict: str, **more: Any) -> dict[str, dict[str, Any]]:
    """An object with a verdict, and the conditions that belong to it."""
    ready = [{"type": "Ready", "status": "True" if verdict == "Passed" else "False"}]
    status = {**SUCCEEDED, "gate": {"verdict": verdict, **more}, "conditions": ready}
    return {"a": {"metadata": {"name": "a", "uid": UID}, "spec": {"gate": gate}, "status": status}}


@pytest.mark.parametrize(
    ("gate", "verdict", "score", "misjudged"),
    [
        (FLOOR, "Passed", 0.5, False),
        (FLOOR, "Failed", 0.3, False),
        (FLOOR, "Passed", 0.3, True),
        (FLOOR, "Failed", 0.5, True),
        (FLOOR, "Inconclusive", 0.5, True),
        (COMPARED, "Inconclusive", 0.5, False),
        (COMPARED, "Failed", 0.5, True),
        (FLOOR, "Passed", None, True),
    ],
)
def test_a_verdict_has_to_agree_with_the_scores_that_the_evaluator_has(
    gate: dict[str, Any], verdict: str, score: float | None, misjudged: bool
) -> None:
    scores = {} if score is None else {"eval-1": score}

    found = judge(
        after_a_good_run(),
        remote=[remote()],
        objects=judged(gate, verdict),
        config_maps=RESULTS,
        scores=scores,
    )

    assert (found.misjudged == ["a"], found.is_good) == (misjudged, not misjudged)


def test_a_verdict_that_does_not_belong_to_its_conditions_or_its_baseline_is_wrong() -> None:
    unready = judged(FLOOR, "Passed")
    unready["a"]["status"]["conditions"] = []
    invented = judged(COMPARED, "Passed", baseline={"jobId": "eval-7"})
    for objects in (unready, invented):
        found = judge(
            after_a_good_run(),
            remote=[remote()],
            objects=objects,
            config_maps=RESULTS,
            scores={"eval-1": 0.5},
        )
        assert found.misjudged == ["a"]


def test_a_run_that_is_never_judged_is_stuck() -> None:
    found = judge(
        after_a_good_run(), remote=[remote()], objects=judged(FLOOR, "Pending"), config_maps=RESULTS
    )

    assert (found.stuck, found.misjudged) == (["a"], [])


def test_recovery_counts_from_the_end_of_the_last_fault_to_the_next_write() -> None:
    now = 0.0
    ledger = Ledger(clock=lambda: now)
    ledger.observe(submission(), Moment.ARRIVED)
    ledger.disturb()
    now = 10.0
    ledger.fault_ended()
    now = 20.0
    ledger.fault_ended()
    now = 27.0

    pass_through(ledger, status_patch(phase="Running", jobId="eval-1"))

    assert ledger.recoveries == {"a": 7.0}


@pytest.mark.parametrize("odd", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
async def test_each_odd_answer_is_an_error_that_the_operator_maps_or_a_plain_answer(odd: bytes) -> None:
    evaluator = HostileEvaluator(seed=1, always=odd)
    transport = Access(loopback=True).transport(url=evaluator.url, max_connections=1)
    with evaluator:
        async with httpx.AsyncClient(base_url=evaluator.url, transport=transport, timeout=5) as http:
            with suppress(EvaluatorError):
                await EvaluatorClient(http, deadline=5).get_job("eval-1")
    assert evaluator.answered > 0


def test_a_hostile_tenant_counts_what_it_tried_and_waits_for_configs_before_it_wants_them() -> None:
    class Refusing:
        def __init__(self) -> None:
            self.manifests: list[dict[str, Any]] = []

        def try_to_create(self, manifest: dict[str, Any]) -> bool:
            self.manifests.append(manifest)
            return False

        def try_to_patch(self, plural: str, name: str, patch: dict[str, Any]) -> bool:
            return not (plural and name and patch)

    refusing = Refusing()
    tenant = HostileTenant(refusing, "team", "http://evaluator.test", random.Random(1))  # noqa: S311
    for _ in range(30):
        tenant.act()
    assert tenant.tried == tenant.refused > 30
    thefts = [found for found in refusing.manifests if found["spec"].get("config", {}).get("namespace")]
    assert not thefts
    tenant.configs_exist = True
    for _ in range(30):
        tenant.act()
    assert any(found["spec"].get("config", {}).get("namespace") == "team" for found in refusing.manifests)

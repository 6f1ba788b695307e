"""When a gate is judged, and what its verdict makes of the status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nemo_eval_operator.gates import CriterionReason, NoBaseline, evidence_of, gate_of_spec, judge
from nemo_eval_operator.lifecycle import event_of_change, event_of_new_verdict
from nemo_eval_operator.lifecycle.job import (
    BaselineFound,
    GateFacts,
    Judged,
    NewestJob,
    WaitForBaseline,
    choose_named,
    decide_job,
    difference,
    gate_hash,
    selector_text,
)
from nemo_eval_operator.lifecycle.job.attempts import next_attempt
from nemo_eval_operator.lifecycle.steps import JobStep, JudgeGate, RequeueAfter, WriteStatus
from nemo_eval_operator.resources import (
    BaselineUsed,
    EvalJobStatus,
    GateStatus,
    GateVerdict,
    JobSelector,
    NemoEvalJob,
)
from tests.unit.gates.documents import NAME, results
from tests.unit.lifecycle.objects import ago, condition, evaljob, facts, finished, stamp

GATE: dict[str, Any] = {"criteria": [{"score": NAME, "minimum": 0.5}]}
STRICT: dict[str, Any] = {"criteria": [{"score": NAME, "minimum": 0.9}]}
NAMED: dict[str, Any] = {
    "baseline": {"jobRef": {"name": "prod"}},
    "criteria": [{"score": NAME, "maxDrop": 0.02}],
}
SCORES = evidence_of(results([1.0, 1.0, 1.0, 0.0]))
HASH = "sha256:config"


def completed(name: str = "qa-llama", uid: str = "u-1", **changes: Any) -> NemoEvalJob:
    gate = changes.pop("gate", None)
    spec = changes.pop("spec", {}) | ({"gate": gate} if gate else {})
    status = finished() | {"benchmark": {"name": "qa", "generation": 1, "hash": HASH}} | changes
    return evaljob(meta={"name": name, "uid": uid}, status=status, **spec)


def verdict_on(job: NemoEvalJob) -> GateFacts:
    assert job.spec.gate is not None
    return GateFacts(gate_hash(job), Judged(judge(gate_of_spec(job.spec.gate), SCORES, None), None))


def status_of(step: JobStep) -> EvalJobStatus:
    assert isinstance(step, WriteStatus)
    return step.status


def judged(gate: dict[str, Any]) -> NemoEvalJob:
    job = completed(gate=gate)
    return job.model_copy(update={"status": status_of(decide_job(job, facts(gate=verdict_on(job))))})


def changed(job: NemoEvalJob, gate: dict[str, Any] | None) -> NemoEvalJob:
    plain = job.model_dump(mode="json", by_alias=True, exclude_none=True)
    plain["spec"]["gate"] = gate
    plain["metadata"]["generation"] = 2
    return NemoEvalJob.model_validate(plain)


def test_a_completed_run_is_judged_once() -> None:
    assert decide_job(completed(gate=GATE), facts()) == JudgeGate(may_wait=True)
    assert decide_job(judged(GATE), facts()) == RequeueAfter()


def test_judging_twice_gives_the_same_status() -> None:
    job = judged(GATE)
    again = job.model_copy(update={"status": job.status.model_copy(update={"gate": None})})

    step = decide_job(again, facts(gate=verdict_on(job)))

    assert status_of(step).model_dump_json() == job.status.model_dump_json()


def test_a_changed_gate_is_judged_and_a_verdict_on_the_old_one_is_not_written() -> None:
    job = changed(judged(GATE), STRICT)

    assert decide_job(job, facts()) == JudgeGate(may_wait=True)
    assert decide_job(job, facts(gate=verdict_on(judged(GATE)))) == JudgeGate(may_wait=True)
    status = status_of(decide_job(job, facts(gate=verdict_on(job))))
    assert status.gate is not None
    assert (status.gate.verdict, status.observed_generation) == ("Failed", 2)
    event = event_of_change(job.status.conditions, status.conditions)
    assert event is not None
    assert (event.type, event.reason) == ("Warning", "GateFailed")
    assert f"{NAME}: 0.75, minimum 0.9" in event.message


def test_a_changed_gate_that_comes_to_the_same_verdict_has_an_event_too() -> None:
    before = changed(judged(STRICT), {"criteria": [{"score": NAME, "minimum": 0.8}]})
    after = before.model_copy(
        update={"status": status_of(decide_job(before, facts(gate=verdict_on(before))))}
    )

    assert event_of_change(before.status.conditions, after.status.conditions) is None
    event = event_of_new_verdict(before, after)
    assert event is not None
    assert (event.type, event.reason) == ("Warning", "GateFailed")
    assert f"{NAME}: 0.75, minimum 0.8" in event.message
    assert event_of_new_verdict(after, after) is None
    assert event_of_new_verdict(judged(GATE), before) is None, "that is an event of the changed reason"


def test_a_gate_that_is_removed_leaves_the_run_ready() -> None:
    job = changed(judged(STRICT), None)

    status = status_of(decide_job(job, facts()))

    assert status.gate is None
    assert [(one.type, one.status) for one in status.conditions] == [("Ready", "True"), ("Complete", "True")]


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
def test_a_run_that_did_not_complete_is_not_judged(phase: str) -> None:
    failed = [condition("Ready", "False", "EvaluationFailed")]

    assert decide_job(completed(gate=GATE, phase=phase, conditions=failed), facts()) == RequeueAfter()


def test_a_running_baseline_is_waited_for_until_the_deadline() -> None:
    job = completed(gate=NAMED, startTime=stamp(ago(50)), spec={"activeDeadlineSeconds": 90})
    waits = GateFacts(gate_hash(job), WaitForBaseline("prod", "prod runs"))

    status = status_of(decide_job(job, facts(gate=waits)))
    waiting = job.model_copy(update={"status": status})

    assert [one.reason for one in status.conditions] == ["WaitingForBaseline"] * 3 + ["Completed"]
    assert decide_job(waiting, facts(gate=waits)) == RequeueAfter(40.0)
    late = facts(gate=waits, now=facts().now + timedelta(seconds=41))
    assert decide_job(waiting, late) == JudgeGate(may_wait=False)


def test_a_rerun_comes_before_a_verdict() -> None:
    job = completed(gate=GATE)
    rerun = job.model_copy(
        update={
            "metadata": job.metadata.model_copy(update={"annotations": {"evaluator.nemo.dev/rerun": "1"}})
        }
    )

    assert status_of(decide_job(rerun, facts())).attempt == 2


def test_history_has_the_verdict_and_never_that_it_was_pending() -> None:
    waits = completed(gate=NAMED)
    waiting = GateFacts(gate_hash(waits), WaitForBaseline("prod", "prod runs"))
    pending = waits.model_copy(update={"status": status_of(decide_job(waits, facts(gate=waiting)))})

    for job, outcome in (
        (pending, "Completed"),
        (judged(GATE), "GatePassed"),
        (judged(STRICT), "GateFailed"),
    ):
        (entry,) = next_attempt(job, job.status, facts().now).history or []
        assert entry.outcome == outcome


OWN = completed(gate=NAMED)


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [
        (None, "BaselineNotFound"),
        (OWN, "BaselineIsItself"),
        (completed("prod", "u-2", phase="Failed"), "BaselineNotCompleted"),
        (completed("prod", "u-2", spec={"dryRun": True}), "BaselineIsDryRun"),
        (evaljob(meta={"name": "prod", "uid": "u-2"}), "BaselineNotCompleted"),
    ],
)
def test_a_named_baseline_that_cannot_be_compared_with_says_why(
    baseline: NemoEvalJob | None, reason: str
) -> None:
    found = choose_named(OWN, "prod", baseline, may_wait=False)

    assert getattr(found, "reason", None) == reason


def test_a_named_baseline_need_not_have_passed() -> None:
    found = choose_named(OWN, "prod", completed("prod", "u-2"), may_wait=True)

    assert isinstance(found, BaselineFound)
    assert (found.used.name, found.used.uid, found.used.attempt) == ("prod", "u-2", 1)


def earlier(name: str, seconds: float, *, verdict: str | None = "Passed", **changes: Any) -> NemoEvalJob:
    job = completed(name, f"u-{name}", **({"completionTime": stamp(ago(seconds))} | changes))
    gate = GateStatus(verdict=GateVerdict(verdict), hash="h") if verdict else None
    return job.model_copy(update={"status": job.status.model_copy(update={"gate": gate})})


def newest(*others: NemoEvalJob, passed: bool = True) -> Any:
    search = NewestJob(completed(gate=NAMED, completionTime=stamp(ago(0))), passed=passed)
    for other in others:
        search.add(other)
    return search.choice() or search.nothing_found


def test_the_newest_earlier_job_that_passed_is_chosen() -> None:
    found = newest(
        earlier("old", 300),
        earlier("new", 100),
        earlier("failed", 50, verdict="Failed"),
        earlier("ungated", 40, verdict=None),
        earlier("same-second", 0),
        earlier("later", -10),
        earlier("other", 20, benchmark={"name": "other", "generation": 1, "hash": HASH}),
        earlier("broken", 10, phase="Failed"),
        completed(gate=NAMED, completionTime=stamp(ago(5))),
    )

    assert found.used.name == "new"
    assert newest(earlier("ungated", 40, verdict=None), passed=False).used.name == "ungated"


def test_two_that_match_equally_are_ambiguous_in_any_order() -> None:
    one, two = earlier("a", 100), earlier("b", 100)

    assert newest(one, two) == newest(two, one)
    assert newest(one, two).reason == "BaselineAmbiguous"
    assert "a and b" in newest(one, two).message
    assert newest(one, two, earlier("c", 50)).used.name == "c"


def test_where_none_passed_the_reason_says_so() -> None:
    assert newest().reason == "BaselineNotFound"
    assert newest(earlier("x", 9, verdict="Failed")).reason == "BaselineNotPassed"


@pytest.mark.parametrize(("theirs", "differs"), [(HASH, False), ("sha256:other", True), (None, True)])
def test_only_equal_configs_are_compared(theirs: str | None, differs: bool) -> None:
    used = BaselineUsed(name="prod", uid="u", attempt=1, benchmark_hash=theirs, choice="c")

    found = difference(completed(), used)

    assert (found is not None) is differs
    assert found is None or found.reason == "BenchmarkDiffers"


def test_a_message_of_a_criterion_that_is_too_long_ends_with_an_ellipsis() -> None:
    job = completed(gate=NAMED)
    long = NoBaseline(CriterionReason.BENCHMARK_DIFFERS, "x" * 1_000)
    assert job.spec.gate is not None
    judgement = judge(gate_of_spec(job.spec.gate), SCORES, long)

    status = status_of(decide_job(job, facts(gate=GateFacts(gate_hash(job), Judged(judgement, None)))))

    assert status.gate is not None
    (criterion,) = status.gate.criteria or []
    assert (len(criterion.message), criterion.message[-2:]) == (400, "x…")
    assert (status.message or "").endswith("x…")


def test_a_selector_is_written_as_the_api_server_takes_it() -> None:
    selector = JobSelector.model_validate(
        {
            "matchLabels": {"series": "a"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["x", "y"]},
                {"key": "old", "operator": "NotIn", "values": ["z"]},
                {"key": "kept", "operator": "Exists"},
                {"key": "gone", "operator": "DoesNotExist"},
            ],
        }
    )

    assert selector_text(selector) == "series=a,tier in (x,y),old notin (z),kept,!gone"

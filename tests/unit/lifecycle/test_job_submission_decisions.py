"""Decisions about a NemoEvalJob before it is known in the evaluator: not submitted, or perhaps submitted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.job import UNKNOWN, Counting, Queued, decide_job
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    CancelJob,
    FindJob,
    RemoveFinalizer,
    RequeueAfter,
    SubmitJob,
)
from tests.unit.lifecycle.job_steps import MISSING, OUTAGE, UNREADY, after, outcome, written
from tests.unit.lifecycle.objects import (
    CLAIMED,
    HELD,
    NOW,
    ago,
    benchmark,
    evaljob,
    facts,
    intent,
    lookup,
    micro,
    remote,
    stamp,
)


class TestNotSubmitted:
    """Nothing was sent for this attempt, so nothing can have been created."""

    def test_the_submission_of_a_job_without_the_finalizer_begins_with_it(self) -> None:
        assert decide_job(evaljob(), facts(benchmark=benchmark())) == SubmitJob(claim=True)

    @pytest.mark.parametrize("bench", [benchmark(), None])
    def test_then_it_is_submitted(self, bench: object) -> None:
        job = evaljob(meta=CLAIMED, status={"attempt": 1})
        assert decide_job(job, facts(benchmark=bench)) == SubmitJob()

    @pytest.mark.parametrize("meta", [{}, HELD])
    def test_before_anything_is_written_it_needs_a_place_at_the_evaluator(self, meta: dict[str, Any]) -> None:
        assert decide_job(evaljob(meta=meta), facts(slot_decision=UNKNOWN)) == AcquireSlot()
        assert decide_job(evaljob(meta=meta), facts(slot_decision=Counting())) == RequeueAfter()

    def test_without_a_place_it_says_where_in_line_it_is_and_only_what_is_new(self) -> None:
        step = decide_job(evaljob(), facts(slot_decision=Queued(place=30, limit=20)))
        assert outcome(step) == ("Pending", "Queued")
        status = written(step)
        assert status.queue_position == 30
        assert status.message == "about position 30 in the queue: all 20 evaluator slots are in use"
        queued = evaljob(status=status.to_manifest())
        assert decide_job(queued, facts(slot_decision=Queued(place=30, limit=20))) == RequeueAfter()
        moved = written(decide_job(queued, facts(slot_decision=Queued(place=1, limit=1))))
        assert moved.message == "next in the queue: the only evaluator slot is in use"

    def test_in_line_a_deadline_still_passes(self) -> None:
        since = evaljob(status={"startTime": stamp(ago(10))}, activeDeadlineSeconds=60)
        status = written(decide_job(since, facts(slot_decision=Queued(place=1, limit=1))))
        queued = evaljob(status=status.to_manifest(), activeDeadlineSeconds=60)
        assert decide_job(queued, facts(slot_decision=Queued(place=1, limit=1))) == RequeueAfter(50.0)

    def test_a_suspended_job_has_no_queue_position(self) -> None:
        in_line = evaljob(status={"queuePosition": 3}, suspend=True)
        assert written(decide_job(in_line, facts(slot_decision=UNKNOWN))).queue_position is None

    @pytest.mark.parametrize("finalizers", [[], HELD["finalizers"]])
    def test_a_status_that_was_lost_is_looked_for_by_the_mark(self, finalizers: list[str]) -> None:
        claimed = CLAIMED | {"finalizers": finalizers}
        job = evaljob(meta=claimed | {"creationTimestamp": stamp(ago(5000))})
        step = decide_job(job, facts())
        assert step == FindJob(created_since=ago(5000) - timedelta(hours=25), attempt=None)
        assert outcome(decide_job(job, facts(lookup=lookup(remote())))) == ("Running", "Running")
        nothing = decide_job(job, facts(lookup=lookup()))
        assert nothing == SubmitJob(claim=not finalizers)

    def test_a_copy_of_a_claimed_object_is_an_object_of_its_own(self) -> None:
        copied = {"annotations": {"evaluator.nemo.dev/claimed-by-uid": "another"}}
        assert decide_job(evaljob(meta=HELD | copied), facts()) == SubmitJob(claim=True)

    def test_other_finalizers_do_not_count_as_ours(self) -> None:
        other = {"finalizers": ["foregroundDeletion"]}
        assert decide_job(evaljob(meta=other), facts()) == SubmitJob(claim=True)

    @pytest.mark.parametrize(
        ("spec", "scenario", "phase", "reason"),
        [
            ({"cancel": True}, {}, "Cancelled", "Cancelled"),
            ({"cancel": True, "suspend": True}, {}, "Cancelled", "Cancelled"),
            ({"cancel": True}, {"benchmark": MISSING, "outage": OUTAGE}, "Cancelled", "Cancelled"),
            ({"suspend": True}, {}, "Suspended", "Suspended"),
            ({"suspend": True}, {"benchmark": MISSING, "outage": OUTAGE}, "Suspended", "Suspended"),
            ({}, {"benchmark": MISSING}, "Pending", "BenchmarkNotFound"),
            ({}, {"benchmark": UNREADY}, "Pending", "BenchmarkNotReady"),
            ({}, {"benchmark": UNREADY, "outage": OUTAGE}, "Pending", "BenchmarkNotReady"),
            ({}, {"outage": OUTAGE}, "Pending", "EvaluatorUnreachable"),
            ({}, {"benchmark": benchmark(), "outage": OUTAGE}, "Pending", "EvaluatorUnreachable"),
        ],
    )
    @pytest.mark.parametrize("meta", [{}, HELD])
    def test_what_keeps_it_from_being_submitted_is_said_once(
        self, spec: dict[str, Any], scenario: dict[str, Any], phase: str, reason: str, meta: dict[str, Any]
    ) -> None:
        job = evaljob(meta=meta, **spec)
        step = decide_job(job, facts(**scenario))
        assert outcome(step) == (phase, reason)
        again = decide_job(after(job, step), facts(**scenario))
        assert isinstance(again, RequeueAfter | RemoveFinalizer)

    def test_the_message_is_that_of_what_is_waited_for(self) -> None:
        assert written(decide_job(evaljob(), facts(benchmark=MISSING))).message == MISSING.message
        assert written(decide_job(evaljob(), facts(outage=OUTAGE))).message == OUTAGE

    def test_a_suspended_job_goes_on_when_it_is_resumed(self) -> None:
        suspended = after(evaljob(suspend=True), decide_job(evaljob(suspend=True), facts()))
        resumed = suspended.model_copy(update={"spec": evaljob().spec})
        assert decide_job(resumed, facts()) == SubmitJob(claim=True)


class TestUncertain:
    """A POST may have been carried out: look before another is made."""

    def test_it_is_looked_for_among_those_created_since_with_slack_for_the_evaluators_clock(self) -> None:
        step = decide_job(evaljob(meta=HELD, status=intent(10)), facts())
        assert step == FindJob(created_since=ago(10) - timedelta(hours=25), attempt=1)

    def test_an_outage_is_waited_out_in_silence(self) -> None:
        assert decide_job(evaljob(meta=HELD, status=intent(10)), facts(outage=OUTAGE)) == RequeueAfter()

    @pytest.mark.parametrize("spec", [{"cancel": True}, {"suspend": True}])
    def test_neither_cancel_nor_suspend_saves_the_look_up(self, spec: dict[str, Any]) -> None:
        assert isinstance(decide_job(evaljob(meta=HELD, status=intent(10), **spec), facts()), FindJob)

    @pytest.mark.parametrize("bench", [None, MISSING, UNREADY])
    @pytest.mark.parametrize("outage", [None, OUTAGE])
    @pytest.mark.parametrize("seconds", [0, 10_000])
    def test_what_is_found_is_adopted_whatever_else_is_wrong(
        self, bench: object, outage: str | None, seconds: float
    ) -> None:
        job = evaljob(meta=HELD, status=intent(seconds))
        found = lookup(remote("pending", "eval-7"))
        step = decide_job(job, facts(benchmark=bench, outage=outage, lookup=found))
        assert outcome(step) == ("Pending", "QueuedInEvaluator")
        assert (written(step).job_id, written(step).start_time) == ("eval-7", stamp(NOW))

    def test_of_two_the_oldest_is_ours(self) -> None:
        found = lookup(remote(job_id="eval-older"), remote(job_id="eval-newer"))
        step = decide_job(evaljob(meta=HELD, status=intent(10)), facts(lookup=found))
        assert written(step).job_id == "eval-older"

    def test_an_adopted_job_is_then_cancelled_if_that_was_asked_for(self) -> None:
        job = evaljob(meta=HELD, status=intent(10), cancel=True)
        step = decide_job(job, facts(lookup=lookup(remote())))
        assert decide_job(after(job, step), facts()) == CancelJob("eval-1")

    @pytest.mark.parametrize(
        ("submitted_ago", "looked_ago", "left"),
        [
            (10, 0, 35),
            (44, 0, 1),
            (100, 99, 44),  # looked up long ago, right after the POST: that look says little
            (100, 60, 5),
        ],
    )
    def test_nothing_found_too_early_means_nothing(
        self, submitted_ago: float, looked_ago: float, left: float
    ) -> None:
        job = evaljob(meta=HELD, status=intent(submitted_ago))
        scenario = facts(lookup=lookup(begun=ago(looked_ago)))
        step = decide_job(job, scenario)
        assert outcome(step) == ("Submitting", "SubmissionUncertain")
        assert written(step).submission == job.status.submission
        assert decide_job(after(job, step), scenario) == RequeueAfter(left)

    @pytest.mark.parametrize(("submitted_ago", "looked_ago"), [(45, 0), (46, 0), (10_000, 0), (100, 55)])
    def test_nothing_found_late_enough_means_that_there_is_none(
        self, submitted_ago: float, looked_ago: float
    ) -> None:
        job = evaljob(meta=CLAIMED, status=intent(submitted_ago))
        assert decide_job(job, facts(lookup=lookup(begun=ago(looked_ago)))) == SubmitJob()

    @pytest.mark.parametrize(
        ("spec", "scenario", "expected"),
        [
            ({"cancel": True}, {}, ("Cancelled", "Cancelled")),
            ({"suspend": True}, {}, ("Suspended", "Suspended")),
            ({}, {"benchmark": MISSING}, ("Pending", "BenchmarkNotFound")),
            ({}, {"outage": OUTAGE}, ("Pending", "EvaluatorUnreachable")),
        ],
    )
    def test_then_it_is_as_if_nothing_was_ever_submitted(
        self, spec: dict[str, Any], scenario: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        job = evaljob(meta=HELD, status=intent(100), **spec)
        assert outcome(decide_job(job, facts(lookup=lookup(), **scenario))) == expected

    def test_a_settled_uncertain_job_without_the_finalizer_gets_it_back(self) -> None:
        settled = decide_job(evaljob(status=intent(100)), facts(lookup=lookup()))
        assert settled == SubmitJob(claim=True)


def test_the_intents_time_is_read_to_the_microsecond() -> None:
    exact = NOW - timedelta(seconds=45) + timedelta(microseconds=1)
    status = intent() | {"submission": {"nonce": "n-1", "time": micro(exact)}}
    step = decide_job(evaljob(meta=HELD, status=status), facts(lookup=lookup()))
    assert outcome(step) == ("Submitting", "SubmissionUncertain")

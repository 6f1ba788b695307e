"""What the operator does next with a NemoEvalJob: each situation, and what the world may say in it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.job import (
    UNKNOWN,
    BenchmarkUnusable,
    Counting,
    Facts,
    NothingNew,
    Queued,
    RemoteGone,
    RemoteUnclear,
    decide_job,
)
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteJob,
    DeleteObject,
    FindJob,
    JobStep,
    RemoveFinalizer,
    RequeueAfter,
    SubmitJob,
    WriteStatus,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob
from tests.unit.lifecycle.objects import (
    CLAIMED,
    HELD,
    NOW,
    WORKING,
    ago,
    benchmark,
    evaljob,
    facts,
    finished,
    followed,
    intent,
    lookup,
    micro,
    remote,
    stamp,
    stored,
    told,
    working,
)

MISSING = BenchmarkUnusable(Reason.BENCHMARK_NOT_FOUND, "there is no NemoBenchmark qa in team-a")
UNREADY = BenchmarkUnusable(Reason.BENCHMARK_NOT_READY, "NemoBenchmark qa is not ready: drafting")
OUTAGE = "cannot connect to http://evaluator.test: refused"


def written(step: JobStep) -> EvalJobStatus:
    assert isinstance(step, WriteStatus), step
    return step.status


def outcome(step: JobStep) -> tuple[str | None, str]:
    """Phase and reason of the status that is written."""
    status = written(step)
    assert {entry.reason for entry in status.conditions} == {status.conditions[0].reason}
    return status.phase, status.conditions[0].reason


UNCLEAR_WORDS = ("ready", "unknown", "error", "active", "UNAVAILABLE", "tomorrow's word")


def after(job: NemoEvalJob, step: JobStep) -> NemoEvalJob:
    """The object once the step's status is written."""
    return job.model_copy(update={"status": written(step)})


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
        told = evaljob(status=status.to_manifest())
        assert decide_job(told, facts(slot_decision=Queued(place=30, limit=20))) == RequeueAfter()
        moved = written(decide_job(told, facts(slot_decision=Queued(place=1, limit=1))))
        assert moved.message == "next in the queue: the only evaluator slot is in use"

    def test_in_line_a_deadline_still_passes(self) -> None:
        since = evaljob(status={"startTime": stamp(ago(10))}, activeDeadlineSeconds=60)
        status = written(decide_job(since, facts(slot_decision=Queued(place=1, limit=1))))
        told = evaljob(status=status.to_manifest(), activeDeadlineSeconds=60)
        assert decide_job(told, facts(slot_decision=Queued(place=1, limit=1))) == RequeueAfter(50.0)

    def test_whoever_leaves_the_line_has_no_place_in_it(self) -> None:
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


class TestFollowed:
    """The remote job is known by its id."""

    def test_without_news_nothing_is_done(self) -> None:
        assert decide_job(evaljob(meta=HELD, status=followed()), facts()) == RequeueAfter()

    def test_a_new_generation_is_acknowledged(self) -> None:
        job = evaljob(meta=HELD | {"generation": 3}, status=followed())
        step = decide_job(job, facts())
        assert written(step) == job.status.model_copy(update={"observed_generation": 3})
        assert decide_job(after(job, step), facts()) == RequeueAfter()

    def test_an_outage_is_said_and_changes_nothing_else(self) -> None:
        job = evaljob(meta=HELD, status=followed(progress={"percent": 40}))
        step = decide_job(job, facts(outage=OUTAGE))
        assert outcome(step) == ("Running", "EvaluatorUnreachable")
        assert written(step).progress == job.status.progress
        assert decide_job(after(job, step), facts(outage=OUTAGE)) == RequeueAfter()

    @pytest.mark.parametrize("spec", [{"cancel": True}, {"activeDeadlineSeconds": 1}])
    def test_nobody_is_asked_to_cancel_during_an_outage(self, spec: dict[str, Any]) -> None:
        step = decide_job(evaljob(meta=HELD, status=followed(), **spec), facts(outage=OUTAGE))
        assert outcome(step) == ("Running", "EvaluatorUnreachable")

    @pytest.mark.parametrize(
        ("word", "phase", "reason"),
        [
            ("created", "Pending", "QueuedInEvaluator"),
            ("pending", "Pending", "QueuedInEvaluator"),
            ("running", "Running", "Running"),
            *((word, "Running", "RemoteStatusUnknown") for word in UNCLEAR_WORDS),
        ],
    )
    def test_every_other_word_means_that_it_may_still_run(self, word: str, phase: str, reason: str) -> None:
        job = evaljob(meta=HELD, status=followed())
        news = remote(word, status_details={"progress": 41.9, "samples_processed": 8})
        step = decide_job(job, facts(remote=news))
        assert outcome(step) == (phase, reason)
        progress = written(step).progress
        assert progress is not None
        assert (progress.percent, progress.samples_processed) == (41, 8)
        assert decide_job(after(job, step), facts(remote=news)) == RequeueAfter()

    @pytest.mark.parametrize("word", UNCLEAR_WORDS)
    def test_a_word_that_does_not_say_whether_it_runs_is_shown_since_when_until_it_is_clear(
        self, word: str
    ) -> None:
        job = evaljob(meta=HELD, status=followed())
        unclear = after(job, decide_job(job, facts(remote=remote(word))))
        assert told(unclear.status.conditions) == WORKING | {"RemoteStatusUnknown": "True"}
        assert f'"{word}"' in (unclear.status.message or "")
        later = NOW + timedelta(minutes=5)
        counted = remote(word, status_details={"progress": 50})
        still = after(unclear, decide_job(unclear, facts(now=later, remote=counted)))
        assert still.status.conditions[-1].last_transition_time == stamp(NOW)
        clear = decide_job(still, facts(now=later, remote=remote("running")))
        assert told(written(clear).conditions) == WORKING
        assert outcome(clear) == ("Running", "Running")

    def test_a_job_whose_answers_do_not_say_how_it_stands_says_why(self) -> None:
        job = evaljob(meta=HELD, status=followed())
        unclear = facts(remote=RemoteUnclear("GET /v1 answered 500: boom"))
        step = decide_job(job, unclear)
        assert outcome(step) == ("Running", "RemoteStatusUnknown")
        assert "boom" in (written(step).message or "")
        assert (
            decide_job(after(job, step), facts(remote=RemoteUnclear("GET /v1 answered 500: boom")))
            == RequeueAfter()
        )

    @pytest.mark.parametrize("spec", [{"cancel": True}, {"activeDeadlineSeconds": 1}])
    def test_a_job_is_cancelled_though_it_is_not_known_how_it_stands(self, spec: dict[str, Any]) -> None:
        job = evaljob(meta=HELD, status=followed(), **spec)
        assert decide_job(job, facts(remote=RemoteUnclear("500"))) == CancelJob("eval-1")

    def test_full_progress_is_not_completion(self) -> None:
        step = decide_job(
            evaljob(meta=HELD, status=followed()), facts(remote=remote(status_details={"progress": 100.0}))
        )
        assert outcome(step) == ("Running", "Running")

    def test_what_is_known_is_not_written_again(self) -> None:
        assert decide_job(evaljob(meta=HELD, status=followed()), facts(remote=remote())) == RequeueAfter()

    def test_a_job_back_in_sight_is_running_again(self) -> None:
        lost_sight = followed(conditions=working("EvaluatorUnreachable"))
        step = decide_job(evaljob(meta=HELD, status=lost_sight), facts(remote=remote()))
        assert outcome(step) == ("Running", "Running")

    def test_somebody_elses_cancellation_is_seen(self) -> None:
        job = evaljob(meta=HELD, status=followed())
        step = decide_job(job, facts(remote=remote("cancelling")))
        assert outcome(step) == ("Cancelling", "Cancelling")
        assert decide_job(after(job, step), facts(remote=remote("cancelling"))) == RequeueAfter(2.0)

    @pytest.mark.parametrize("phase", ["Running", "Cancelling"])
    @pytest.mark.parametrize("spec", [{}, {"cancel": True}, {"activeDeadlineSeconds": 1}])
    def test_completed_results_are_fetched_and_kept_before_success_is_said(
        self, phase: str, spec: dict[str, Any]
    ) -> None:
        job = evaljob(meta=HELD, status=followed(phase=phase), **spec)
        assert decide_job(job, facts(remote=remote("completed"))) == CollectResults("eval-1")
        step = decide_job(job, facts(remote=remote("completed"), stored=stored()))
        assert outcome(step) == ("Succeeded", "Completed")

    @pytest.mark.parametrize("spec", [{}, {"cancel": True}, {"activeDeadlineSeconds": 1}])
    def test_a_failure_is_a_failure_whatever_was_asked_for(self, spec: dict[str, Any]) -> None:
        job = evaljob(meta=HELD, status=followed(), **spec)
        news = remote("failed", status_details={"message": "dataset not found"})
        step = decide_job(job, facts(remote=news))
        assert outcome(step) == ("Failed", "EvaluationFailed")
        assert written(step).message == "dataset not found (remote job eval-1)"

    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({}, ("Cancelled", "Cancelled")),
            ({"cancel": True}, ("Cancelled", "Cancelled")),
            ({"activeDeadlineSeconds": 100}, ("Failed", "DeadlineExceeded")),
            ({"activeDeadlineSeconds": 101}, ("Cancelled", "Cancelled")),
            ({"activeDeadlineSeconds": 1, "cancel": True}, ("Cancelled", "Cancelled")),
        ],
    )
    def test_a_cancelled_run_says_who_cancelled_it(
        self, spec: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        job = evaljob(meta=HELD, status=followed(phase="Cancelling"), **spec)
        assert outcome(decide_job(job, facts(remote=remote("cancelled")))) == expected

    @pytest.mark.parametrize(
        ("phase", "expected"),
        [("Running", ("Failed", "ExternalJobLost")), ("Cancelling", ("Cancelled", "Cancelled"))],
    )
    def test_a_vanished_job_is_not_run_again(self, phase: str, expected: tuple[str, str]) -> None:
        job = evaljob(meta=HELD, status=followed(phase=phase))
        assert outcome(decide_job(job, facts(remote=RemoteGone()))) == expected

    def test_a_run_past_its_deadline_failed_also_where_cancelling_meant_deleting(self) -> None:
        """A server without cancel is asked to delete the job: then it is gone, not cancelled."""
        job = evaljob(meta=HELD, status=followed(phase="Cancelling"), activeDeadlineSeconds=1)
        assert outcome(decide_job(job, facts(remote=RemoteGone()))) == ("Failed", "DeadlineExceeded")

    @pytest.mark.parametrize("news", [NothingNew(), remote(), remote("pending")])
    @pytest.mark.parametrize("spec", [{"cancel": True}, {"activeDeadlineSeconds": 100}])
    def test_cancel_and_deadline_cancel_it(self, news: object, spec: dict[str, Any]) -> None:
        job = evaljob(meta=HELD, status=followed(), **spec)
        assert decide_job(job, facts(remote=news)) == CancelJob("eval-1")

    def test_suspend_does_not_touch_a_submitted_run(self) -> None:
        assert decide_job(evaljob(meta=HELD, status=followed(), suspend=True), facts()) == RequeueAfter()

    def test_a_cancelled_job_that_still_runs_is_looked_at_soon_and_not_asked_at_once(self) -> None:
        job = evaljob(meta=HELD, status=followed(phase="Cancelling"), cancel=True)
        assert decide_job(job, facts(remote=remote(), cancel_asked=True)) == RequeueAfter(15.0)
        assert decide_job(job, facts(remote=remote())) == CancelJob("eval-1")

    def test_a_cancelling_job_is_looked_at_soon(self) -> None:
        job = evaljob(meta=HELD, status=followed(), cancel=True)
        step = decide_job(job, facts(remote=remote("cancelling")))
        assert decide_job(after(job, step), facts(remote=remote("cancelling"))) == RequeueAfter(2.0)

    def test_cancelling_once_is_enough_without_news(self) -> None:
        job = evaljob(meta=HELD, status=followed(phase="Cancelling"), cancel=True)
        assert decide_job(job, facts()) == RequeueAfter()

    def test_waiting_for_news_of_a_cancellation_is_never_busy(self) -> None:
        job = evaljob(meta=HELD, status=followed(phase="Cancelling"), activeDeadlineSeconds=1)
        step = decide_job(job, facts())
        assert isinstance(step, RequeueAfter)
        assert step.seconds is None or step.seconds >= 1

    @pytest.mark.parametrize("news", [NothingNew(), remote()])
    def test_it_is_looked_at_when_its_deadline_passes(self, news: object) -> None:
        job = evaljob(meta=HELD, status=followed(), activeDeadlineSeconds=160)
        assert decide_job(job, facts(remote=news)) == RequeueAfter(60.0)

    def test_a_run_without_a_start_has_no_deadline(self) -> None:
        job = evaljob(meta=HELD, status=followed(startTime=None), activeDeadlineSeconds=1)
        assert decide_job(job, facts()) == RequeueAfter()

    @pytest.mark.parametrize("news", [NothingNew(), remote("running")])
    def test_one_that_was_let_go_and_may_still_run_gets_the_finalizer_back(self, news: Any) -> None:
        assert decide_job(evaljob(status=followed()), facts(remote=news)) == AddFinalizer()

    @pytest.mark.parametrize("news", [remote("failed"), RemoteGone()])
    def test_one_that_was_let_go_and_has_ended_does_not(self, news: Any) -> None:
        assert isinstance(decide_job(evaljob(status=followed()), facts(remote=news)), WriteStatus)


class TestFinished:
    """The run has ended, however it ended."""

    @pytest.mark.parametrize("meta", [{}, HELD])
    def test_a_new_generation_is_acknowledged_first(self, meta: dict[str, Any]) -> None:
        job = evaljob(meta=meta | {"generation": 2}, status=finished(), ttlSecondsAfterFinished=0)
        step = decide_job(job, facts())
        assert written(step) == job.status.model_copy(update={"observed_generation": 2})

    @pytest.mark.parametrize(
        ("policy", "status", "step"),
        [
            ("Cancel", finished(), RemoveFinalizer()),
            ("Orphan", finished(), RemoveFinalizer()),
            ("Delete", finished(), RequeueAfter()),
            ("Delete", finished(jobId=None), RemoveFinalizer()),
        ],
    )
    def test_only_a_job_that_is_still_to_be_deleted_remotely_keeps_the_finalizer(
        self, policy: str, status: dict[str, Any], step: JobStep
    ) -> None:
        assert decide_job(evaljob(meta=HELD, status=status, deletionPolicy=policy), facts()) == step

    @pytest.mark.parametrize(
        ("ttl", "ended_ago", "step"),
        [
            (None, 1_000_000, RequeueAfter()),
            (0, 0, DeleteObject()),
            (60, 0, RequeueAfter(60.0)),
            (60, 59, RequeueAfter(1.0)),
            (60, 60, DeleteObject()),
            (60, 61, DeleteObject()),
        ],
    )
    def test_its_time_to_live_starts_when_it_ends(
        self, ttl: int | None, ended_ago: float, step: JobStep
    ) -> None:
        job = evaljob(status=finished(ended_ago), ttlSecondsAfterFinished=ttl)
        assert decide_job(job, facts()) == step

    @pytest.mark.parametrize(
        "owned",
        [
            {"annotations": {"argocd.argoproj.io/tracking-id": "evals:evaluator.nemo.dev/NemoEvalJob:a/b"}},
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "evals"}},
            {"labels": {"helm.toolkit.fluxcd.io/name": "evals"}},
            {"annotations": {"meta.helm.sh/release-name": "evals"}},
        ],
    )
    def test_what_git_owns_is_never_deleted_since_it_would_run_again(self, owned: dict[str, Any]) -> None:
        job = evaljob(meta=owned, status=finished(1_000), ttlSecondsAfterFinished=0)
        assert decide_job(job, facts()) == RequeueAfter()

    @pytest.mark.parametrize("spec", [{"cancel": True}, {"suspend": True}, {"activeDeadlineSeconds": 1}])
    def test_nothing_starts_it_again(self, spec: dict[str, Any]) -> None:
        job = evaljob(status=finished(50), **spec)
        assert decide_job(job, facts(remote=remote(), outage=OUTAGE, benchmark=MISSING)) == RequeueAfter()


class TestDeleted:
    """The object goes as soon as the remote job is as its policy wants it, and in bounded time."""

    @staticmethod
    def deleted(
        status: dict[str, Any] | None = None, *, since: datetime = NOW, meta: Any = None, **spec: Any
    ) -> NemoEvalJob:
        held = HELD if meta is None else meta
        return evaljob(meta=held | {"deletionTimestamp": stamp(since)}, status=status, **spec)

    @pytest.mark.parametrize("status", [None, intent(), followed(), finished()])
    def test_without_our_finalizer_it_is_not_ours_to_hold(self, status: dict[str, Any] | None) -> None:
        assert decide_job(self.deleted(status, meta={}), facts()) == RequeueAfter()

    @pytest.mark.parametrize("status", [None, intent(), followed()])
    def test_whoever_keeps_it_besides_us_reads_that_it_ended(self, status: dict[str, Any] | None) -> None:
        """Argo CD holds its hooks by a finalizer until they read as ended, deleted or not."""
        job = self.deleted(status, meta={"finalizers": ["argocd.argoproj.io/hook-finalizer"]})
        step = decide_job(job, facts())
        assert outcome(step) == ("Cancelled", "Cancelled")
        assert decide_job(after(job, step), facts()) == RequeueAfter()

    @pytest.mark.parametrize("policy", ["Cancel", "Delete", "Orphan"])
    def test_never_submitted_means_nothing_to_clean_up(self, policy: str) -> None:
        assert decide_job(self.deleted(deletionPolicy=policy), facts()) == RemoveFinalizer()

    @pytest.mark.parametrize("status", [intent(), followed(), finished()])
    def test_an_orphan_is_let_go_as_it_is_on_purpose(self, status: dict[str, Any]) -> None:
        assert decide_job(self.deleted(status, deletionPolicy="Orphan"), facts()) == RemoveFinalizer()

    @pytest.mark.parametrize("policy", ["Cancel", "Delete"])
    @pytest.mark.parametrize(
        ("scenario", "step"),
        [
            ({"remote": RemoteGone()}, RemoveFinalizer()),
            ({"remote": remote()}, CancelJob("eval-1")),
            ({"remote": remote("pending")}, CancelJob("eval-1")),
            ({"remote": remote("unknown")}, CancelJob("eval-1")),
            ({"remote": remote(), "cancel_asked": True}, RequeueAfter(2.0)),
            ({"remote": remote(), "failed": True}, RequeueAfter(2.0)),
            ({}, RequeueAfter(2.0)),
            ({"failed": True}, RequeueAfter(2.0)),
            ({"outage": OUTAGE}, RequeueAfter(60.0)),
        ],
    )
    def test_a_running_job_is_cancelled_and_awaited(
        self, policy: str, scenario: dict[str, Any], step: JobStep
    ) -> None:
        assert decide_job(self.deleted(followed(), deletionPolicy=policy), facts(**scenario)) == step

    def test_a_cancelling_job_is_awaited(self) -> None:
        job = self.deleted(followed())
        step = decide_job(job, facts(remote=remote("cancelling")))
        assert outcome(step) == ("Cancelling", "Cancelling")
        assert decide_job(after(job, step), facts(remote=remote("cancelling"))) == RequeueAfter(2.0)

    @pytest.mark.parametrize("word", ["completed", "failed", "cancelled"])
    @pytest.mark.parametrize("seconds", [0, 10_000])
    def test_an_ended_job_is_let_go_or_deleted_too(self, word: str, seconds: float) -> None:
        ended = facts(remote=remote(word))
        since = ago(seconds)
        assert decide_job(self.deleted(followed(), since=since), ended) == RemoveFinalizer()
        job = self.deleted(followed(), since=since, deletionPolicy="Delete")
        assert decide_job(job, ended) == DeleteJob("eval-1")
        deleted = facts(remote=remote(word), deleted=frozenset({"eval-1"}))
        assert decide_job(job, deleted) == RemoveFinalizer()

    def test_a_finished_run_is_not_cancelled_whatever_the_evaluator_makes_of_it(self) -> None:
        job = self.deleted(finished(), deletionPolicy="Delete")
        assert decide_job(job, facts(remote=remote("running"))) == DeleteJob("eval-1")
        assert decide_job(self.deleted(finished()), facts(remote=remote("running"))) == RemoveFinalizer()

    @pytest.mark.parametrize("seconds", [0, 60])
    def test_a_finished_run_of_which_nothing_is_to_be_deleted_needs_no_evaluator(
        self, seconds: float
    ) -> None:
        job = self.deleted(finished(), since=ago(seconds))
        assert decide_job(job, facts(outage=OUTAGE)) == RemoveFinalizer()

    def test_a_remote_job_that_cannot_be_deleted_is_left_behind_in_the_end(self) -> None:
        scenario = facts(remote=remote("completed"), failed=True)
        job = self.deleted(finished(), deletionPolicy="Delete")
        assert decide_job(job, scenario) == RequeueAfter(2.0)
        late = self.deleted(finished(), since=ago(60), deletionPolicy="Delete")
        step = decide_job(late, scenario)
        assert step == RemoveFinalizer(left_behind="remote job eval-1, not confirmed as ended within 1m0s")

    @pytest.mark.parametrize(
        "scenario",
        [
            {},
            {"failed": True},
            {"outage": OUTAGE},
            {"remote": remote(), "failed": True},
            {"remote": remote(), "cancel_asked": True},
            {"remote": remote("cancelling"), "cancel_asked": True},
        ],
    )
    @pytest.mark.parametrize(("timeout", "limit"), [(0, "0s"), (60, "1m0s"), (300, "5m0s")])
    def test_patience_ends_and_names_what_stays(
        self, scenario: dict[str, Any], timeout: int, limit: str
    ) -> None:
        job = self.deleted(followed(), since=ago(timeout), cancelTimeoutSeconds=timeout)
        left = f"remote job eval-1, not confirmed as ended within {limit}"
        assert decide_job(job, facts(**scenario)) == RemoveFinalizer(left_behind=left)

    @pytest.mark.parametrize("word", ["running", "cancelling"])
    def test_a_cancellation_that_takes_too_long_is_not_repeated(self, word: str) -> None:
        job = self.deleted(followed(phase="Cancelling"), since=ago(60))
        step = decide_job(job, facts(remote=remote(word)))
        assert isinstance(step, RemoveFinalizer)
        assert step.left_behind is not None

    @pytest.mark.parametrize(("timeout", "seconds"), [(0, 0), (60, 10_000)])
    def test_however_late_we_are_cancelling_is_tried_once(self, timeout: int, seconds: float) -> None:
        """The operator may have been down while the object was deleted."""
        job = self.deleted(followed(), since=ago(seconds), cancelTimeoutSeconds=timeout)
        assert decide_job(job, facts(remote=remote())) == CancelJob("eval-1")

    @pytest.mark.parametrize("seconds", [0, 10_000])
    def test_a_job_that_may_exist_is_looked_for_first(self, seconds: float) -> None:
        job = self.deleted(intent(10), since=ago(seconds))
        assert decide_job(job, facts()) == FindJob(created_since=ago(10) - timedelta(hours=25), attempt=1)

    @pytest.mark.parametrize("seconds", [0, 10_000])
    def test_what_is_found_is_adopted_and_then_cancelled(self, seconds: float) -> None:
        job = self.deleted(intent(10), since=ago(seconds))
        step = decide_job(job, facts(lookup=lookup(remote())))
        assert written(step).job_id == "eval-1"
        assert decide_job(after(job, step), facts(remote=remote())) == CancelJob("eval-1")

    def test_a_look_up_too_early_is_repeated_soon(self) -> None:
        assert decide_job(self.deleted(intent(10)), facts(lookup=lookup())) == RequeueAfter(2.0)

    def test_surely_none_means_nothing_to_clean_up(self) -> None:
        for since in (NOW, ago(10_000)):
            job = self.deleted(intent(100), since=since)
            assert decide_job(job, facts(lookup=lookup())) == RemoveFinalizer()

    @pytest.mark.parametrize("scenario", [{"failed": True}, {"lookup": lookup()}])
    def test_a_look_up_that_says_too_little_is_given_up_in_the_end(self, scenario: dict[str, Any]) -> None:
        assert decide_job(self.deleted(intent(10)), facts(**scenario)) == RequeueAfter(2.0)
        left = "possibly a remote job that was being submitted, not confirmed as ended within 1m0s"
        late = self.deleted(intent(10), since=ago(60))
        assert decide_job(late, facts(**scenario)) == RemoveFinalizer(left_behind=left)


SITUATIONS: dict[str, dict[str, Any] | None] = {
    "not submitted": None,
    "uncertain": intent(100),
    "followed": followed(),
    "cancelling": followed(phase="Cancelling"),
    "finished": finished(),
}

WORLDS: dict[str, Facts] = {
    "quiet": facts(benchmark=benchmark()),
    "outage": facts(outage=OUTAGE),
    "running": facts(remote=remote()),
    "cancelling": facts(remote=remote("cancelling")),
    "completed": facts(remote=remote("completed")),
    "stored": facts(remote=remote("completed"), stored=stored()),
    "failed": facts(remote=remote("failed")),
    "cancelled": facts(remote=remote("cancelled")),
    "gone": facts(remote=RemoteGone()),
    "found": facts(lookup=lookup(remote())),
    "none found": facts(lookup=lookup()),
    "none found yet": facts(lookup=lookup(begun=ago(99))),
    "benchmark missing": facts(benchmark=MISSING),
}

STEERED: list[dict[str, Any]] = [
    {},
    {"cancel": True},
    {"suspend": True},
    {"activeDeadlineSeconds": 1},
    {"ttlSecondsAfterFinished": 0},
    {"deletionPolicy": "Delete"},
    {"deletionPolicy": "Orphan"},
]


@pytest.mark.parametrize("scenario", WORLDS)
@pytest.mark.parametrize("situation", SITUATIONS)
class TestEverywhere:
    """What holds in every situation, whatever the world says."""

    @pytest.mark.parametrize("spec", STEERED)
    @pytest.mark.parametrize("deleted", [False, True])
    def test_a_status_once_written_is_not_written_again(
        self, situation: str, scenario: str, spec: dict[str, Any], deleted: bool
    ) -> None:
        meta = HELD | ({"deletionTimestamp": stamp(NOW)} if deleted else {})
        job = evaljob(meta=meta, status=SITUATIONS[situation], **spec)
        for _ in range(3):
            step = decide_job(job, WORLDS[scenario])
            if not isinstance(step, WriteStatus):
                return
            assert step.status != job.status
            job = after(job, step)
        pytest.fail(f"still writing: {job.status}")

    @pytest.mark.parametrize("spec", STEERED)
    def test_a_job_is_only_submitted_where_none_can_exist(
        self, situation: str, scenario: str, spec: dict[str, Any]
    ) -> None:
        step = decide_job(evaljob(meta=HELD, status=SITUATIONS[situation], **spec), WORLDS[scenario])
        if isinstance(step, SubmitJob):
            assert situation == "not submitted" or (situation, scenario) == ("uncertain", "none found")
            assert not ({"cancel", "suspend"} & spec.keys())

    def test_a_submitted_job_never_loses_its_finalizer_before_it_ends(
        self, situation: str, scenario: str
    ) -> None:
        job = evaljob(meta=HELD, status=SITUATIONS[situation])
        if isinstance(decide_job(job, WORLDS[scenario]), RemoveFinalizer):
            assert situation == "finished"
            assert FINALIZER in job.metadata.finalizers


def test_the_intents_time_is_read_to_the_microsecond() -> None:
    exact = NOW - timedelta(seconds=45) + timedelta(microseconds=1)
    status = intent() | {"submission": {"nonce": "n-1", "time": micro(exact)}}
    step = decide_job(evaljob(meta=HELD, status=status), facts(lookup=lookup()))
    assert outcome(step) == ("Submitting", "SubmissionUncertain")

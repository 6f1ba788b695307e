"""Decisions about a NemoEvalJob whose remote job is known by its id."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.job import NothingNew, RemoteGone, RemoteUnclear, decide_job
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    CancelJob,
    CollectResults,
    RequeueAfter,
    WriteStatus,
)
from tests.unit.lifecycle.job_steps import OUTAGE, UNCLEAR_WORDS, after, outcome, written
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    WORKING,
    condition_statuses,
    evaljob,
    facts,
    followed,
    remote,
    stamp,
    stored,
    working,
)


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
    def test_no_cancel_is_sent_during_an_outage(self, spec: dict[str, Any]) -> None:
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
        assert condition_statuses(unclear.status.conditions) == WORKING | {"RemoteStatusUnknown": "True"}
        assert f'"{word}"' in (unclear.status.message or "")
        later = NOW + timedelta(minutes=5)
        counted = remote(word, status_details={"progress": 50})
        still = after(unclear, decide_job(unclear, facts(now=later, remote=counted)))
        assert still.status.conditions[-1].last_transition_time == stamp(NOW)
        clear = decide_job(still, facts(now=later, remote=remote("running")))
        assert condition_statuses(written(clear).conditions) == WORKING
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

    def test_a_cancellation_by_another_client_is_seen(self) -> None:
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

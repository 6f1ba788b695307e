"""What a NemoEvalJob's status says after each thing that can happen to it."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.lifecycle.job import end_status
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.job.status_parts import observed
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvalJobStatus, Progress
from tests.unit.lifecycle.objects import (
    COMPLETE,
    FAILED,
    NOW,
    STALLED,
    SUSPENDED,
    WORKING,
    ago,
    condition_statuses,
    evaljob,
    finished,
    followed,
    intent,
    micro,
    remote,
    stamp,
    stored,
    working,
)

NEW = evaljob(meta={"generation": 4})
SUBMITTED = evaljob(meta={"generation": 4}, status=intent(10))
RUNNING = evaljob(meta={"generation": 4}, status=followed())

TRANSITIONS: dict[str, tuple[EvalJobStatus, str, str, dict[str, str]]] = {
    "waiting": (
        job_status.waiting(NEW, NOW, Reason.BENCHMARK_NOT_FOUND, "there is none"),
        "Pending",
        "BenchmarkNotFound",
        WORKING,
    ),
    "suspended": (job_status.suspended(NEW, NOW), "Suspended", "Suspended", SUSPENDED),
    "invalid": (job_status.invalid(NEW, NOW, "no such path"), "Pending", "InvalidSpec", STALLED),
    "submitting": (job_status.submitting(NEW, NOW, "n-1"), "Submitting", "Submitting", WORKING),
    "uncertain": (job_status.uncertain(SUBMITTED, NOW), "Submitting", "SubmissionUncertain", WORKING),
    "submitted": (job_status.submitted(SUBMITTED, NOW, remote()), "Running", "Running", WORKING),
    "adopted": (job_status.adopted(SUBMITTED, NOW, [remote()]), "Running", "Running", WORKING),
    "running": (job_status.running(RUNNING, NOW, remote()), "Running", "Running", WORKING),
    "queued in the evaluator": (
        job_status.running(RUNNING, NOW, remote("pending")),
        "Pending",
        "QueuedInEvaluator",
        WORKING,
    ),
    "unclear": (
        job_status.unclear(RUNNING, NOW, "it answered 500"),
        "Running",
        "RemoteStatusUnknown",
        WORKING | {"RemoteStatusUnknown": "True"},
    ),
    "out of sight": (
        job_status.out_of_sight(RUNNING, NOW, "refused"),
        "Running",
        "EvaluatorUnreachable",
        WORKING,
    ),
    "cancelling": (job_status.cancelling(RUNNING, NOW), "Cancelling", "Cancelling", WORKING),
    "cancel refused": (
        job_status.cancel_refused(RUNNING, NOW, Conflicting("it is sacred", status_code=409)),
        "Cancelling",
        "CancelRefused",
        WORKING,
    ),
    "results pending": (
        end_status.results_pending(RUNNING, NOW, "no result yet"),
        "Running",
        "ResultsUnavailable",
        WORKING,
    ),
    "results not kept": (
        end_status.results_pending(RUNNING, NOW, "no result yet", given_up=True),
        "Running",
        "ResultsNotKept",
        STALLED,
    ),
    "succeeded": (
        end_status.succeeded(RUNNING, NOW, remote("completed"), stored()),
        "Succeeded",
        "Completed",
        COMPLETE,
    ),
    "failed": (end_status.failed(RUNNING, NOW, remote("failed")), "Failed", "EvaluationFailed", FAILED),
    "lost": (end_status.lost(RUNNING, NOW), "Failed", "ExternalJobLost", FAILED),
    "cancelled": (end_status.cancelled(RUNNING, NOW, "as asked"), "Cancelled", "Cancelled", FAILED),
    "deadline": (
        end_status.ended_by_cancel(RUNNING, NOW, overdue=True),
        "Failed",
        "DeadlineExceeded",
        FAILED,
    ),
}

ENDED = {"succeeded", "failed", "lost", "cancelled", "deadline"}


@pytest.mark.parametrize("transition", TRANSITIONS)
class TestEveryTransition:
    def test_phase_message_and_conditions_agree(self, transition: str) -> None:
        status, phase, reason, conditions = TRANSITIONS[transition]
        assert (status.phase, condition_statuses(status.conditions)) == (phase, conditions)
        assert {(entry.reason, entry.message) for entry in status.conditions} == {(reason, status.message)}

    def test_the_observed_generation_is_the_one_that_was_handled(self, transition: str) -> None:
        status, *_ = TRANSITIONS[transition]
        assert status.observed_generation == 4
        assert {entry.observed_generation for entry in status.conditions} == {4}

    def test_the_model_is_named(self, transition: str) -> None:
        assert TRANSITIONS[transition][0].model == "meta/llama-3.1-8b-instruct"

    def test_only_an_end_has_a_completion_time_and_a_duration(self, transition: str) -> None:
        status, *_ = TRANSITIONS[transition]
        times = (stamp(NOW), "1m40s") if transition in ENDED else (None, None)
        assert (status.completion_time, status.duration) == times

    def test_it_can_be_written_and_read_back(self, transition: str) -> None:
        status, *_ = TRANSITIONS[transition]
        assert EvalJobStatus.model_validate(status.to_manifest()) == status


class TestConditions:
    def test_a_time_moves_only_where_a_status_flips(self) -> None:
        since = ago(100)
        job = evaljob(status=followed(conditions=working("Running", since=since)))
        done = {
            entry.type: entry
            for entry in end_status.succeeded(job, NOW, remote("completed"), stored()).conditions
        }
        assert done["Ready"].last_transition_time == stamp(NOW)
        assert done["Complete"].last_transition_time == stamp(NOW)
        failed = {entry.type: entry for entry in end_status.lost(job, NOW).conditions}
        assert failed["Ready"].last_transition_time == stamp(since)
        assert failed["Stalled"].last_transition_time == stamp(NOW)

    def test_a_new_reason_is_no_flip(self) -> None:
        job = evaljob(status=followed(conditions=working("Running", since=ago(100))))
        for entry in job_status.out_of_sight(job, NOW, "refused").conditions:
            assert (entry.reason, entry.last_transition_time) == ("EvaluatorUnreachable", stamp(ago(100)))

    def test_an_observed_generation_changes_nothing_else(self) -> None:
        job = evaljob(meta={"generation": 7}, status=finished())
        assert observed(job).to_manifest() == job.status.to_manifest() | {"observedGeneration": 7}

    def test_a_status_of_the_crds_default_is_replaced(self) -> None:
        job = evaljob(status={"observedGeneration": -1})
        assert job_status.suspended(job, NOW).observed_generation == 1


class TestSubmission:
    def test_the_intent_names_attempt_nonce_and_time(self) -> None:
        status = job_status.submitting(NEW, NOW, "n-1")
        assert status.attempt == 1
        assert status.submission is not None
        assert (status.submission.nonce, status.submission.time) == ("n-1", micro(NOW))

    def test_a_repeated_intent_is_of_the_same_attempt_at_a_new_time(self) -> None:
        job = evaljob(status=intent(100, attempt=3))
        status = job_status.submitting(job, NOW, "n-1")
        assert status.attempt == 3
        assert status.submission is not None
        assert status.submission.time == micro(NOW)
        assert status != job.status

    def test_a_submitted_job_has_its_id_start_and_first_progress(self) -> None:
        news = remote(status_details={"progress": 0.0, "samples_processed": 0})
        status = job_status.submitted(SUBMITTED, NOW, news)
        assert (status.job_id, status.start_time) == ("eval-1", stamp(NOW))
        assert status.progress == Progress(percent=0, percentage="0%", samples_processed=0)
        assert status.submission == SUBMITTED.status.submission

    def test_a_run_starts_once(self) -> None:
        assert job_status.submitted(RUNNING, NOW, remote()).start_time == stamp(ago(100))

    @pytest.mark.parametrize(
        ("error", "phase", "reason", "conditions", "may_exist"),
        [
            (Ambiguous("timed out"), "Submitting", "SubmissionUncertain", WORKING, True),
            (Ambiguous("500", status_code=500), "Submitting", "SubmissionUncertain", WORKING, True),
            (Malformed("no id", status_code=201), "Submitting", "SubmissionUncertain", WORKING, True),
            (Unavailable("refused"), "Pending", "EvaluatorUnreachable", WORKING, False),
            (Unavailable("slow down", status_code=429), "Pending", "EvaluatorBusy", WORKING, False),
            (Unauthorized("who?", status_code=401), "Pending", "EvaluatorUnauthorized", WORKING, False),
            (Missing("no config", status_code=404), "Pending", "EvaluatorRefusing", WORKING, False),
            (Unsupported("no POST", status_code=405), "Pending", "EvaluatorRefusing", WORKING, False),
            (Rejected("bad type", status_code=422), "Failed", "EvaluatorRejected", FAILED, False),
            (Conflicting("exists", status_code=409), "Failed", "EvaluatorRejected", FAILED, False),
        ],
    )
    def test_what_a_failed_post_means(
        self, error: EvaluatorError, phase: str, reason: str, conditions: dict[str, str], may_exist: bool
    ) -> None:
        status = job_status.not_submitted(SUBMITTED, NOW, error)
        assert (status.phase, condition_statuses(status.conditions)) == (phase, conditions)
        assert status.conditions[0].reason == reason
        assert (status.submission is not None) is may_exist
        assert status.attempt == 1
        assert status.message is not None
        assert error.detail in status.message

    def test_an_interrupted_operator_says_so(self) -> None:
        status = job_status.uncertain(SUBMITTED, NOW)
        assert status.message == (
            "the operator was interrupted while it submitted the job. "
            "Looking for the job in the evaluator before submitting again"
        )

    def test_the_cause_of_an_uncertainty_is_not_overwritten_by_not_knowing_it(self) -> None:
        failed = job_status.not_submitted(SUBMITTED, NOW, Ambiguous("timed out after 30 s"))
        job = SUBMITTED.model_copy(update={"status": failed})
        assert job_status.uncertain(job, NOW) == failed

    def test_cancelled_before_anything_ran_leaves_no_intent(self) -> None:
        status = end_status.cancelled(SUBMITTED, NOW, "before it was submitted")
        assert (status.submission, status.duration) == (None, None)
        assert end_status.cancelled(RUNNING, NOW, "as asked").submission is not None


class TestProgress:
    @pytest.mark.parametrize(
        ("before", "details", "after"),
        [
            (None, {}, None),
            (None, {"progress": 0.0}, {"percent": 0, "percentage": "0%"}),
            (None, {"progress": 40.7}, {"percent": 40, "percentage": "40%"}),
            (None, {"progress": -3.0}, {"percent": 0, "percentage": "0%"}),
            (None, {"progress": 100.4}, {"percent": 100, "percentage": "100%"}),
            (None, {"samples_processed": 8}, {"samplesProcessed": 8}),
            ({"percent": 40}, {}, {"percent": 40}),
            ({"percent": 40}, {"progress": 41.0}, {"percent": 41, "percentage": "41%"}),
            ({"percent": 40}, {"progress": 39.0}, {"percent": 39, "percentage": "39%"}),
            # Less than one per cent is no news: each write wakes all watchers.
            (
                {"percent": 40, "samplesProcessed": 8},
                {"progress": 40.9, "samples_processed": 9},
                {"percent": 40, "samplesProcessed": 8},
            ),
            (
                {"percent": 40, "samplesProcessed": 8},
                {"progress": 41.0, "samples_processed": 9},
                {"percent": 41, "percentage": "41%", "samplesProcessed": 9},
            ),
        ],
    )
    def test_it_is_reported_in_steps_of_one_per_cent(
        self, before: dict[str, Any] | None, details: dict[str, Any], after: dict[str, Any] | None
    ) -> None:
        job = evaljob(status=followed(progress=before))
        progress = job_status.running(job, NOW, remote(status_details=details)).progress
        assert progress == (None if after is None else Progress.model_validate(after))

    def test_a_cancelling_run_stays_cancelling_while_the_evaluator_says_running(self) -> None:
        job = evaljob(status=followed(phase="Cancelling"))
        assert job_status.running(job, NOW, remote()).phase == "Cancelling"


def test_a_refused_job_says_how_to_run_a_corrected_benchmark_again() -> None:
    error = Rejected("Job cannot be launched: no such file", status_code=400)
    message = job_status.not_submitted(evaljob(), NOW, error).message
    assert message == (
        "Job cannot be launched: no such file. If the config is at fault, correct the NemoBenchmark qa and "
        "start another attempt: kubectl annotate --overwrite -n team-a nemoevaljob qa-llama "
        'evaluator.nemo.dev/rerun="$(date +%s)". Otherwise correct the target in a new NemoEvalJob'
    )
    inline = job_status.not_submitted(evaljob(config={"type": "gsm8k"}), NOW, error).message
    assert inline == "Job cannot be launched: no such file. Correct it in a new NemoEvalJob"


class TestEnds:
    def test_success_names_metrics_without_a_number(self) -> None:
        metrics = {"em": {"scores": {"em": {"value": 0.5}}}, "f1": {"scores": {}}}
        kept = stored(tasks={"qa": {"metrics": metrics}})
        status = end_status.succeeded(evaljob(status=followed()), NOW, remote("completed"), kept)
        assert status.message == "1 score, none for metric f1; full results in ConfigMap qa-llama-results"

    def test_success_says_where_everything_is(self) -> None:
        job = evaljob(status=followed(progress={"percent": 99, "samplesProcessed": 20}))
        status = end_status.succeeded(job, NOW, remote("completed"), stored())
        assert status.message == "1 score; full results in ConfigMap qa-llama-results"
        assert status.score == "em=0.5"
        assert status.scores is not None
        assert [(score.task, score.metric, score.value) for score in status.scores] == [("qa", "em", 0.5)]
        assert status.progress == Progress(percent=100, percentage="100%", samples_processed=20)
        assert status.results_ref is not None
        assert status.results_ref.to_manifest() == {
            "configMap": "qa-llama-results",
            "key": "results.json",
            "url": "http://evaluator.test/v1/evaluation/jobs/eval-1/results",
        }

    def test_success_without_progress_or_scores_is_success(self) -> None:
        status = end_status.succeeded(RUNNING, NOW, remote("completed"), stored(tasks={}))
        assert (status.phase, status.score, status.scores) == ("Succeeded", None, [])
        assert status.progress == Progress(percent=100, percentage="100%")

    def test_results_that_were_cut_say_so(self) -> None:
        status = end_status.succeeded(RUNNING, NOW, remote("completed"), stored(truncated=True))
        assert status.message is not None
        assert status.message.endswith(
            "rows were dropped to fit, all of them are at "
            "http://evaluator.test/v1/evaluation/jobs/eval-1/results"
        )
        assert status.results_ref is not None
        assert status.results_ref.truncated is True

    def test_status_holds_the_first_fifty_scores_and_counts_all(self) -> None:
        scores = {f"s{number}": {"value": number} for number in range(60)}
        status = end_status.succeeded(
            RUNNING, NOW, remote("completed"), stored(tasks={"t": {"metrics": {"m": {"scores": scores}}}})
        )
        assert status.scores is not None
        assert [score.score for score in status.scores] == [f"s{number}" for number in range(50)]
        assert status.message is not None
        assert status.message.startswith("60 scores; ")

    def test_a_failure_without_a_message_says_that(self) -> None:
        status = end_status.failed(RUNNING, NOW, remote("failed"))
        assert status.message == "the evaluator gave no message (remote job eval-1)"

    @pytest.mark.parametrize(
        ("spec", "overdue", "message"),
        [
            ({"cancel": True}, False, "remote job eval-1 was cancelled as spec.cancel asks"),
            ({"cancel": True}, True, "remote job eval-1 was cancelled as spec.cancel asks"),
            ({"activeDeadlineSeconds": 60}, True, "cancelled after spec.activeDeadlineSeconds=60"),
            ({}, False, "remote job eval-1 was cancelled in the evaluator"),
        ],
    )
    def test_a_cancelled_run_says_why(self, spec: dict[str, Any], overdue: bool, message: str) -> None:
        job = evaljob(status=followed(), **spec)
        assert end_status.ended_by_cancel(job, NOW, overdue=overdue).message == message

    def test_a_lost_job_says_what_to_do_and_after_a_cancellation_that_it_is_gone(self) -> None:
        lost = end_status.lost(RUNNING, NOW).message
        assert lost is not None
        assert "no longer has job eval-1" in lost
        assert (
            'kubectl annotate --overwrite -n team-a nemoevaljob qa-llama evaluator.nemo.dev/rerun="' in lost
        )
        gone = end_status.lost(evaljob(status=followed(phase="Cancelling")), NOW)
        assert gone.message == "remote job eval-1 is gone after its cancellation"

    def test_an_outage_keeps_the_phase(self) -> None:
        cancelling = evaljob(status=followed(phase="Cancelling"))
        assert job_status.out_of_sight(cancelling, NOW, "refused").phase == "Cancelling"
        assert job_status.out_of_sight(evaljob(status={"jobId": "eval-1"}), NOW, "refused").phase == "Running"

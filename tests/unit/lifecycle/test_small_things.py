"""Clock, marks, events and glimpses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from nemo_eval_operator.clock import duration_text, micro_timestamp, parse_timestamp, timestamp
from nemo_eval_operator.lifecycle import Event, event_of_change, event_of_ignored_ttl
from nemo_eval_operator.lifecycle.conditions import ConditionSet, Outcome, conditions_of, reason_of
from nemo_eval_operator.lifecycle.job import JobSnapshot, pick_marked, snapshot_in_status, snapshot_of
from nemo_eval_operator.lifecycle.ownership import is_owned_by, mark_of_attempt, mark_of_object
from nemo_eval_operator.resources import Condition
from tests.unit.lifecycle.objects import NOW, UID, evaljob, finished, followed, remote, told, working

SUMMER_IN_BERLIN = datetime(2026, 7, 1, 14, 30, 5, 1_234, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1.0", "", "one", 1, None])
def test_a_mark_of_no_attempt_is_none(number: Any) -> None:
    marked = remote(custom_fields={"k8s-uid": UID, "k8s-attempt": number})

    assert pick_marked([marked], evaljob().metadata, None) == []


class TestClock:
    def test_times_are_written_as_kubernetes_does(self) -> None:
        assert timestamp(SUMMER_IN_BERLIN) == "2026-07-01T12:30:05Z"
        assert micro_timestamp(SUMMER_IN_BERLIN) == "2026-07-01T12:30:05.001234Z"

    @pytest.mark.parametrize("text", ["2026-07-01T12:30:05Z", "2026-07-01T14:30:05+02:00"])
    def test_times_are_read_as_kubernetes_writes_them(self, text: str) -> None:
        assert parse_timestamp(text) == datetime(2026, 7, 1, 12, 30, 5, tzinfo=UTC)

    def test_microseconds_survive(self) -> None:
        assert parse_timestamp(micro_timestamp(SUMMER_IN_BERLIN)) == SUMMER_IN_BERLIN

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-5, "0s"),
            (0, "0s"),
            (0.9, "0s"),
            (42, "42s"),
            (59.99, "59s"),
            (60, "1m0s"),
            (190, "3m10s"),
            (3_599, "59m59s"),
            (3_600, "1h0m"),
            (7_505, "2h5m"),
            (90_000, "25h0m"),
        ],
    )
    def test_durations_are_short(self, seconds: float, text: str) -> None:
        assert duration_text(timedelta(seconds=seconds)) == text


class TestMarks:
    meta = evaljob().metadata

    def test_values_are_strings_since_older_servers_take_nothing_else(self) -> None:
        assert mark_of_attempt(self.meta, attempt=2, nonce="n-1") == {
            "k8s-uid": UID,
            "k8s-namespace": "team-a",
            "k8s-name": "qa-llama",
            "k8s-attempt": "2",
            "k8s-nonce": "n-1",
        }

    @pytest.mark.parametrize(
        ("fields", "ours"),
        [
            (mark_of_attempt(meta, attempt=2, nonce="n-1"), True),
            (mark_of_attempt(meta, attempt=2, nonce="of a status that was restored"), True),
            ({"k8s-uid": UID, "k8s-attempt": "2", "team": "search"}, True),
            (mark_of_attempt(meta, attempt=1, nonce="n-1"), False),
            (mark_of_object(meta), False),
            ({"k8s-uid": UID, "k8s-attempt": 2}, False),
            ({"k8s-uid": "another", "k8s-attempt": "2"}, False),
            ({"k8s-name": "qa-llama", "k8s-namespace": "team-a", "k8s-attempt": "2"}, False),
            ({}, False),
        ],
    )
    def test_a_job_is_known_by_uid_and_attempt(self, fields: dict[str, Any], ours: bool) -> None:
        job = remote(custom_fields=fields)
        assert pick_marked([job], self.meta, 2) == ([job] if ours else [])

    def test_of_several_the_oldest_comes_first_and_an_undated_one_last(self) -> None:
        times = {"eval-c": "2026-03-01T12:00:00", "eval-b": "2026-03-01T12:00:00", "eval-a": None}
        fields = mark_of_attempt(self.meta, attempt=1, nonce="n-1")
        jobs = [remote(job_id=name, created_at=time, custom_fields=fields) for name, time in times.items()]
        assert [job.id for job in pick_marked(jobs, self.meta, 1)] == ["eval-b", "eval-c", "eval-a"]

    def test_where_status_was_lost_the_latest_attempt_comes_first(self) -> None:
        jobs = [
            remote(
                job_id=f"eval-{number}",
                created_at=f"2026-03-01T12:00:0{number}",
                custom_fields=mark_of_attempt(self.meta, attempt=number, nonce="n"),
            )
            for number in (1, 3, 2)
        ]
        assert [job.id for job in pick_marked(jobs, self.meta, None)] == ["eval-3", "eval-2", "eval-1"]

    def test_a_config_is_known_by_uid(self) -> None:
        assert is_owned_by(mark_of_object(self.meta), self.meta)
        assert not is_owned_by({"k8s-uid": "another"}, self.meta)
        assert not is_owned_by({}, self.meta)


def conditions(standing: ConditionSet, reason: str) -> list[Condition]:
    return conditions_of(Outcome(standing, reason, "why"), previous=(), generation=1, now=NOW)


OWNED: dict[str, Any] = {"labels": {"helm.toolkit.fluxcd.io/name": "evals"}}


class TestEvents:
    @pytest.mark.parametrize(
        ("standing", "reason", "kind"),
        [
            (ConditionSet.WORKING, "Running", "Normal"),
            (ConditionSet.WORKING, "Cancelling", "Normal"),
            (ConditionSet.WORKING, "BenchmarkNotReady", "Normal"),
            (ConditionSet.COMPLETE, "Completed", "Normal"),
            (ConditionSet.READY, "ConfigReady", "Normal"),
            (ConditionSet.SUSPENDED, "Suspended", "Normal"),
            (ConditionSet.WORKING, "BenchmarkNotFound", "Warning"),
            (ConditionSet.WORKING, "EvaluatorUnreachable", "Warning"),
            (ConditionSet.WORKING, "EvaluatorUnauthorized", "Warning"),
            (ConditionSet.WORKING, "EvaluatorRefusing", "Warning"),
            (ConditionSet.WORKING, "EvaluatorFailing", "Warning"),
            (ConditionSet.WORKING, "ResultsUnavailable", "Warning"),
            (ConditionSet.WORKING, "SecretNotFound", "Warning"),
            (ConditionSet.WORKING, "SubmissionUncertain", "Warning"),
            (ConditionSet.STALLED, "InvalidSpec", "Warning"),
            (ConditionSet.FAILED, "EvaluationFailed", "Warning"),
            (ConditionSet.FAILED, "Cancelled", "Warning"),
        ],
    )
    def test_a_new_reason_is_told_and_trouble_is_a_warning(
        self, standing: ConditionSet, reason: str, kind: Any
    ) -> None:
        after = conditions(standing, reason)
        assert event_of_change([], after) == Event(kind, reason, "why")
        assert event_of_change(conditions(ConditionSet.WORKING, "BackOff"), after) == Event(
            kind, reason, "why"
        )

    def test_the_same_reason_is_not_told_twice(self) -> None:
        before = conditions(ConditionSet.WORKING, "Running")
        assert (
            event_of_change(before, [entry.model_copy(update={"message": "m"}) for entry in before]) is None
        )

    def test_the_way_of_a_job_without_trouble_is_not_worth_an_event(self) -> None:
        submitting, running = (
            conditions(ConditionSet.WORKING, reason) for reason in ("Submitting", "Running")
        )
        assert event_of_change([], submitting) is None
        assert event_of_change(submitting, running) is None
        assert event_of_change(running, conditions(ConditionSet.COMPLETE, "Completed")) is None

    def test_an_outage_is_no_event_of_each_job_that_runs_through_it(self) -> None:
        running, unseen, ended = (
            conditions(ConditionSet.WORKING, "Running"),
            conditions(ConditionSet.WORKING, "EvaluatorUnreachable"),
            conditions(ConditionSet.COMPLETE, "Completed"),
        )
        assert event_of_change(running, unseen) is None
        assert event_of_change(unseen, running) is None
        assert event_of_change(unseen, ended) == Event("Normal", "Completed", "why")

    def test_a_good_end_after_trouble_is_worth_one(self) -> None:
        after = conditions(ConditionSet.COMPLETE, "Completed")
        before = conditions(ConditionSet.WORKING, "ResultsUnavailable")
        assert event_of_change(before, after) == Event("Normal", "Completed", "why")

    def test_a_submission_that_went_wrong_is_worth_one_and_so_is_its_good_end(self) -> None:
        submitting, uncertain, running = (
            conditions(ConditionSet.WORKING, reason)
            for reason in ("Submitting", "SubmissionUncertain", "Running")
        )
        assert event_of_change(submitting, uncertain) == Event("Warning", "SubmissionUncertain", "why")
        assert event_of_change(uncertain, running) == Event("Normal", "Running", "why")

    @pytest.mark.parametrize(
        ("meta", "ttl", "status", "told"),
        [
            (OWNED, 60, finished(), True),
            (OWNED, 0, finished(), True),
            (OWNED, 60, followed(), False),
            (OWNED, None, finished(), False),
            ({}, 60, finished(), False),
        ],
    )
    def test_a_time_to_live_that_is_ignored_is_told(
        self, meta: dict[str, Any], ttl: int | None, status: dict[str, Any], told: bool
    ) -> None:
        event = event_of_ignored_ttl(
            evaljob(), evaljob(meta=meta, status=status, ttlSecondsAfterFinished=ttl)
        )
        assert (event is not None) is told
        assert event is None or (event.type, event.reason) == ("Normal", "TTLIgnored")
        assert event is None or "helm.toolkit.fluxcd.io/name" in event.message


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (ConditionSet.WORKING, {"Ready": "False", "Reconciling": "True"}),
        (ConditionSet.READY, {"Ready": "True"}),
        (ConditionSet.STALLED, {"Ready": "False", "Stalled": "True"}),
        (ConditionSet.COMPLETE, {"Ready": "True", "Complete": "True"}),
        (ConditionSet.FAILED, {"Ready": "False", "Stalled": "True", "Failed": "True"}),
        (ConditionSet.SUSPENDED, {"Suspended": "True"}),
    ],
)
def test_the_table_that_kubectl_flux_and_argo_understand(
    standing: ConditionSet, said: dict[str, str]
) -> None:
    assert told(conditions(standing, "Why")) == said
    assert reason_of(conditions(standing, "Why")) == "Why"
    assert reason_of([]) is None


class TestGlimpses:
    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("created", "queued"),
            ("pending", "queued"),
            ("running", "active"),
            ("unknown", "unclear"),
            ("ready", "unclear"),
            ("error", "unclear"),
            ("cancelling", "cancelling"),
            ("cancelled", "cancelled"),
            ("failed", "failed"),
            ("completed", "completed"),
        ],
    )
    @pytest.mark.parametrize(("progress", "percent"), [(None, None), (41.9, 41), (-1.0, 0), (100.5, 100)])
    def test_of_a_job_only_what_a_status_would_tell(
        self, word: str, state: str, progress: float | None, percent: int | None
    ) -> None:
        assert snapshot_of(remote(word, status_details={"progress": progress})) == JobSnapshot(state, percent)

    @pytest.mark.parametrize(
        ("status", "snapshot"),
        [
            (followed(), JobSnapshot("active", None)),
            (followed(progress={"percent": 40}), JobSnapshot("active", 40)),
            (followed(phase="Cancelling"), JobSnapshot("cancelling", None)),
            (followed(conditions=working("QueuedInEvaluator")), JobSnapshot("queued", None)),
            (followed(conditions=working("RemoteStatusUnknown")), JobSnapshot("unclear", None)),
            (followed(conditions=working("EvaluatorUnreachable")), JobSnapshot("out of sight", None)),
            (
                followed(conditions=working("ResultsUnavailable"), progress={"percent": 99}),
                JobSnapshot("completed", 99),
            ),
            (followed(conditions=working("ResultsNotKept")), JobSnapshot("completed", None)),
        ],
    )
    def test_what_a_status_tells_of_its_job(self, status: dict[str, Any], snapshot: JobSnapshot) -> None:
        assert snapshot_in_status(evaljob(status=status).status) == snapshot

    @pytest.mark.parametrize(
        ("seen", "known", "news"),
        [
            (JobSnapshot("active", None), JobSnapshot("active", None), False),
            (JobSnapshot("active", 40), JobSnapshot("active", 40), False),
            (JobSnapshot("active", 41), JobSnapshot("active", 40), True),
            (JobSnapshot("active", 40), JobSnapshot("active", None), True),
            (JobSnapshot("active", None), JobSnapshot("active", 40), False),
            (JobSnapshot("completed", None), JobSnapshot("active", 40), True),
            (JobSnapshot("active", 41), JobSnapshot("cancelling", 40), False),
            (JobSnapshot("queued", None), JobSnapshot("cancelling", None), False),
            (JobSnapshot("unclear", None), JobSnapshot("cancelling", None), False),
            (JobSnapshot("unclear", None), JobSnapshot("active", None), True),
            (JobSnapshot("active", None), JobSnapshot("unclear", None), True),
            (JobSnapshot("active", None), JobSnapshot("queued", None), True),
            (JobSnapshot("active", None), JobSnapshot("out of sight", None), True),
        ],
    )
    def test_only_a_change_is_news_and_no_number_is_none(
        self, seen: JobSnapshot, known: JobSnapshot, news: bool
    ) -> None:
        assert seen.tells_more_than(known) is news

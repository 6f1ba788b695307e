"""Events that changes of a status cause."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle import Event, event_of_change, event_of_ignored_ttl
from nemo_eval_operator.lifecycle.conditions import ConditionSet, Outcome, conditions_of
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import Condition
from tests.unit.lifecycle.objects import NOW, evaljob, finished, followed


def conditions(standing: ConditionSet, reason: str) -> list[Condition]:
    return conditions_of(Outcome(standing, Reason(reason), "why"), previous=(), generation=1, now=NOW)


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
    def test_a_new_reason_posts_an_event_and_trouble_is_a_warning(
        self, standing: ConditionSet, reason: str, kind: Any
    ) -> None:
        after = conditions(standing, reason)
        assert event_of_change([], after) == Event(kind, Reason(reason), "why")
        assert event_of_change(conditions(ConditionSet.WORKING, "BackOff"), after) == Event(
            kind, Reason(reason), "why"
        )

    def test_the_same_reason_posts_no_second_event(self) -> None:
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
        assert event_of_change(unseen, ended) == Event("Normal", Reason.COMPLETED, "why")

    def test_a_good_end_after_trouble_is_worth_one(self) -> None:
        after = conditions(ConditionSet.COMPLETE, "Completed")
        before = conditions(ConditionSet.WORKING, "ResultsUnavailable")
        assert event_of_change(before, after) == Event("Normal", Reason.COMPLETED, "why")

    def test_a_submission_that_went_wrong_is_worth_one_and_so_is_its_good_end(self) -> None:
        submitting, uncertain, running = (
            conditions(ConditionSet.WORKING, reason)
            for reason in ("Submitting", "SubmissionUncertain", "Running")
        )
        assert event_of_change(submitting, uncertain) == Event("Warning", Reason.SUBMISSION_UNCERTAIN, "why")
        assert event_of_change(uncertain, running) == Event("Normal", Reason.RUNNING, "why")

    @pytest.mark.parametrize(
        ("meta", "ttl", "status", "reported"),
        [
            (OWNED, 60, finished(), True),
            (OWNED, 0, finished(), True),
            (OWNED, 60, followed(), False),
            (OWNED, None, finished(), False),
            ({}, 60, finished(), False),
        ],
    )
    def test_an_ignored_time_to_live_is_reported(
        self, meta: dict[str, Any], ttl: int | None, status: dict[str, Any], reported: bool
    ) -> None:
        event = event_of_ignored_ttl(
            evaljob(), evaljob(meta=meta, status=status, ttlSecondsAfterFinished=ttl)
        )
        assert (event is not None) is reported
        assert event is None or (event.type, event.reason) == ("Normal", "TTLIgnored")
        assert event is None or "helm.toolkit.fluxcd.io/name" in event.message

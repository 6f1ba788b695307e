"""Statuses of a NemoBenchmark: which failures a person has to fix, and what a status keeps."""

from __future__ import annotations

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
from nemo_eval_operator.lifecycle import Operation
from nemo_eval_operator.lifecycle.benchmark import status as benchmark_status
from nemo_eval_operator.reasons import Reason
from tests.unit.lifecycle.benchmark_configs import bench, ours, ready
from tests.unit.lifecycle.objects import NOW, STALLED, WORKING, ago, condition_statuses, stamp


class TestStatus:
    @pytest.mark.parametrize(
        ("error", "conditions", "reason"),
        [
            (Unavailable("refused"), WORKING, "EvaluatorUnreachable"),
            (Unavailable("slow down", status_code=429), WORKING, "EvaluatorBusy"),
            (Unauthorized("who?", status_code=403), WORKING, "EvaluatorUnauthorized"),
            (Conflicting("in use", status_code=409), WORKING, "ConfigInUse"),
            (Rejected("unknown type", status_code=422), STALLED, "EvaluatorRejected"),
            (Ambiguous("timed out"), WORKING, "EvaluatorFailing"),
            (Malformed("no name", status_code=200), WORKING, "EvaluatorFailing"),
        ],
    )
    def test_only_a_refusal_is_for_a_person_to_mend(
        self, error: EvaluatorError, conditions: dict[str, str], reason: str
    ) -> None:
        status = benchmark_status.failing(bench(meta={"generation": 3}), NOW, error, Operation.CREATE_CONFIG)
        assert (condition_statuses(status.conditions), status.conditions[0].reason) == (conditions, reason)
        assert error.detail in (status.message or "")
        assert status.observed_generation == 3

    @pytest.mark.parametrize(
        "error", [Missing("no route", status_code=404), Unsupported("no POST", status_code=405)]
    )
    def test_a_gateway_without_an_evaluator_behind_it_is_not_the_specs_fault(
        self, error: EvaluatorError
    ) -> None:
        """An ingress answers 404 while the evaluator is rolled out: in progress, never failed."""
        status = benchmark_status.failing(bench(), NOW, error, Operation.CREATE_CONFIG)
        assert condition_statuses(status.conditions) == WORKING

    def test_a_spec_that_cannot_be_sent_is_stalled(self) -> None:
        status = benchmark_status.invalid(bench(), NOW, "params is not an object")
        assert (condition_statuses(status.conditions), status.conditions[0].reason) == (
            STALLED,
            "InvalidSpec",
        )

    def test_a_missing_secret_is_waited_for(self) -> None:
        status = benchmark_status.source_missing(
            bench(), NOW, Reason.SECRET_NOT_FOUND, "there is no Secret hf"
        )
        assert (condition_statuses(status.conditions), status.conditions[0].reason) == (
            WORKING,
            "SecretNotFound",
        )

    def test_a_failure_keeps_what_is_known_of_the_config(self) -> None:
        error = Unavailable("refused")
        status = benchmark_status.failing(bench(status=ready()), NOW, error, Operation.CREATE_CONFIG)
        assert (status.config, status.config_id) == ("team-a/qa", "eval-config-1")
        assert {entry.last_transition_time for entry in status.conditions} == {stamp(NOW)}

    def test_a_status_that_goes_on_keeps_its_transition_time(self) -> None:
        status = benchmark_status.ready(bench(status=ready()), NOW, ours(), ())
        assert [entry.last_transition_time for entry in status.conditions] == [stamp(ago(100))]

    def test_at_most_five_differences_are_named(self) -> None:
        differences = [f"params.p{number}" for number in range(9)]
        status = benchmark_status.ready(bench(), NOW, ours(), differences)
        assert (status.message or "").endswith(
            "; the server overrides params.p0, params.p1, params.p2, params.p3, params.p4"
        )

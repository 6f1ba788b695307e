"""Decisions about a deleted NemoBenchmark: its config is removed, unless jobs use it."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.benchmark import (
    ConfigGone,
    decide_benchmark,
    is_used_by,
    release_benchmark_seconds,
)
from nemo_eval_operator.lifecycle.steps import (
    DeleteConfig,
    ObserveConfig,
    RemoveFinalizer,
    RequeueAfter,
    WriteStatus,
)
from nemo_eval_operator.resources import EvaluatorUsed, NemoBenchmark, NemoEvalJob
from tests.unit.lifecycle.benchmark_configs import (
    DRIFTED,
    FOREIGN,
    UNMARKED,
    bench,
    known,
    ours,
    outcome,
    ready,
)
from tests.unit.lifecycle.objects import (
    NOW,
    WORKING,
    ago,
    benchmark,
    evaljob,
    finished,
    followed,
    intent,
    stamp,
)

NOW_AT = EvaluatorUsed(url="http://now.test")


def secret_at(path: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": path}


class TestDeleted:
    @staticmethod
    def deleted(seconds_ago: float = 0.0, **parts: Any) -> NemoBenchmark:
        return bench(meta={"deletionTimestamp": stamp(ago(seconds_ago))}, **parts)

    def test_without_our_finalizer_it_is_not_ours_to_hold(self) -> None:
        thing = benchmark(meta={"deletionTimestamp": stamp(NOW)})
        assert decide_benchmark(thing, known(thing)) == RequeueAfter()

    def test_an_orphaned_config_is_not_even_looked_at(self) -> None:
        thing = self.deleted(deletionPolicy="Orphan")
        assert decide_benchmark(thing, known(thing, remote=ours())) == RemoveFinalizer()

    @pytest.mark.parametrize("seconds_ago", [0, 10_000])
    @pytest.mark.parametrize(
        ("scenario", "step"),
        [
            ({}, ObserveConfig()),
            ({"remote": ConfigGone()}, RemoveFinalizer()),
            ({"remote": ours()}, DeleteConfig()),
            ({"remote": DRIFTED}, DeleteConfig()),
            ({"remote": FOREIGN}, RemoveFinalizer()),
            ({"remote": UNMARKED}, RemoveFinalizer()),
        ],
    )
    def test_our_config_is_deleted_however_late_we_are(
        self, seconds_ago: float, scenario: dict[str, Any], step: object
    ) -> None:
        thing = self.deleted(seconds_ago)
        assert decide_benchmark(thing, known(thing, **scenario)) == step

    @pytest.mark.parametrize("scenario", [{}, {"remote": ours()}])
    def test_an_evaluator_that_fails_is_waited_for_in_bounded_time(self, scenario: dict[str, Any]) -> None:
        soon, late = self.deleted(59), self.deleted(60)
        assert decide_benchmark(soon, known(soon, failed=True, **scenario)) == RequeueAfter(1.0)
        left = "config team-a/qa, not deleted within 1m0s"
        assert decide_benchmark(late, known(late, failed=True, **scenario)) == RemoveFinalizer(
            left_behind=left
        )


class TestDeletedInUse:
    """Jobs run with the config: they are waited for and counted, in bounded time."""

    @staticmethod
    def deleted(seconds_ago: float, status: dict[str, Any] | None = None) -> NemoBenchmark:
        meta = {"deletionTimestamp": stamp(ago(seconds_ago))}
        return bench(meta=meta, status=ready() if status is None else status)

    @pytest.mark.parametrize("scenario", [{}, {"remote": ours()}, {"failed": True}])
    def test_jobs_that_run_with_it_are_waited_for_and_counted(self, scenario: dict[str, Any]) -> None:
        thing = self.deleted(0)
        facts = known(thing, users=("b", "a"), **scenario)
        step = decide_benchmark(thing, facts)
        assert outcome(step) == (WORKING, "ConfigInUse")
        assert isinstance(step, WriteStatus)
        assert step.status.message is not None
        assert "config team-a/qa is used by 2 running jobs: a, b." in step.status.message
        waiting = thing.model_copy(update={"status": step.status})
        assert decide_benchmark(waiting, facts) == RequeueAfter(2.0)

    def test_when_the_last_one_has_ended_it_is_deleted(self) -> None:
        thing = self.deleted(30)
        assert decide_benchmark(thing, known(thing)) == ObserveConfig()
        assert decide_benchmark(thing, known(thing, remote=ours())) == DeleteConfig()

    def test_a_config_that_is_still_used_in_the_end_is_left_and_not_deleted(self) -> None:
        thing = self.deleted(60)
        step = decide_benchmark(thing, known(thing, users=("a",), remote=ours()))
        assert step == RemoveFinalizer(left_behind="config team-a/qa, still used by 1 running job: a")

    @pytest.mark.parametrize("remote", [ConfigGone(), FOREIGN])
    def test_one_that_is_not_at_a_changed_url_may_be_at_the_former_one(self, remote: Any) -> None:
        thing = self.deleted(0, ready() | {"evaluator": {"url": "http://former.test"}})
        step = decide_benchmark(thing, known(thing, remote=remote, evaluator=NOW_AT))
        assert isinstance(step, RemoveFinalizer)
        assert step.left_behind is not None
        assert "http://former.test" in step.left_behind
        gone = known(thing, remote=ConfigGone(), deleted=True, evaluator=NOW_AT)
        assert decide_benchmark(thing, gone) == RemoveFinalizer(), "the same evaluator at another address"

    def test_of_many_only_some_are_named(self) -> None:
        thing = self.deleted(60)
        users = tuple(f"job-{number}" for number in range(9))
        step = decide_benchmark(thing, known(thing, users=users))
        assert isinstance(step, RemoveFinalizer)
        assert step.left_behind is not None
        assert step.left_behind.endswith("9 running jobs: job-0, job-1, job-2, job-3, job-4, …")

    @pytest.mark.parametrize(
        ("job", "uses"),
        [
            (evaljob(status=followed()), True),
            (evaljob(status=intent()), True),
            (evaljob(), False),
            (evaljob(status=finished()), False),
            (evaljob(status=followed(), benchmarkRef={"name": "other"}), False),
            (evaljob(status=followed(), config={"type": "gsm8k"}), False),
            (evaljob(status=followed(), samplingParams={"temperature": 0.5}), False),
            (evaljob(status=followed(), valuesFrom=[secret_at("config.params.extra.hf_token")]), False),
            (evaljob(status=followed(), valuesFrom=[secret_at("target.model.api_key")]), True),
        ],
    )
    def test_a_job_uses_the_config_if_it_refers_to_it_and_may_be_running(
        self, job: NemoEvalJob, uses: bool
    ) -> None:
        assert is_used_by(bench(), job) is uses

    @pytest.mark.parametrize(("seconds_ago", "left"), [(0, 60.0), (59, 1.0), (60, 0.0), (100, 0.0)])
    def test_its_time_is_one_minute(self, seconds_ago: float, left: float) -> None:
        assert release_benchmark_seconds(self.deleted(seconds_ago), NOW) == left
        assert release_benchmark_seconds(bench(), NOW) is None

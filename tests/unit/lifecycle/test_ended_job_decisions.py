"""Decisions about a NemoEvalJob whose run has ended, or that is being deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.job import RemoteGone, decide_job
from nemo_eval_operator.lifecycle.steps import (
    CancelJob,
    DeleteJob,
    DeleteObject,
    FindJob,
    JobStep,
    RemoveFinalizer,
    RequeueAfter,
)
from nemo_eval_operator.resources import NemoEvalJob
from tests.unit.lifecycle.job_steps import MISSING, OUTAGE, after, outcome, written
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    ago,
    evaljob,
    facts,
    finished,
    followed,
    intent,
    lookup,
    remote,
    stamp,
)


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
    def test_an_object_held_by_another_finalizer_reads_as_ended(self, status: dict[str, Any] | None) -> None:
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
        assert step == RemoveFinalizer(
            left_behind="remote job eval-1 may still be running: its end was not confirmed within 1m0s"
        )

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
        left = f"remote job eval-1 may still be running: its end was not confirmed within {limit}"
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
        left = (
            "a remote job that was being submitted may still be running: its end was not confirmed "
            "within 1m0s"
        )
        late = self.deleted(intent(10), since=ago(60))
        assert decide_job(late, facts(**scenario)) == RemoveFinalizer(left_behind=left)

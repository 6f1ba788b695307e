"""What the operator does next with a NemoBenchmark, and what its status says."""

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
    RemoteConfig,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.lifecycle import Operation
from nemo_eval_operator.lifecycle.benchmark import (
    BenchmarkFacts,
    ConfigGone,
    decide_benchmark,
    has_new_secrets,
    is_used_by,
    release_benchmark_seconds,
    was_ready,
)
from nemo_eval_operator.lifecycle.benchmark import status as benchmark_status
from nemo_eval_operator.lifecycle.requests import config_body
from nemo_eval_operator.lifecycle.requests.drift import digest_of
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    CreateConfig,
    DeleteConfig,
    ObserveConfig,
    RemoveFinalizer,
    ReplaceConfig,
    RequeueAfter,
    UpdateConfig,
    WriteStatus,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import BenchmarkStatus, NemoBenchmark, NemoEvalJob, SecretVersion
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    READY,
    STALLED,
    UID,
    WORKING,
    ago,
    benchmark,
    condition,
    evaljob,
    finished,
    followed,
    intent,
    remote_config,
    stamp,
    told,
)

ADOPT = {"annotations": {"evaluator.nemo.dev/adopt": "true"}}


def secret_at(path: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": "hub", "key": "token"}, "targetPath": path}


SECRET = SecretVersion(name="hub", uid="s-1", resource_version="7")
WANTED = {"type": "gsm8k", "params": {"limit_samples": 10}}


def ready(generation: int = 1) -> dict[str, Any]:
    return {
        "observedGeneration": generation,
        "config": "team-a/qa",
        "configId": "eval-config-1",
        "configGeneration": generation,
        "configDigest": digest_of(config_body(benchmark(config=WANTED), {}), ours().document),
        "message": "the evaluator has it as config team-a/qa",
        "conditions": [
            condition("Ready", "True", "ConfigReady", since=ago(100), generation=generation)
            | {"message": "the evaluator has it as config team-a/qa"}
        ],
    }


def known(thing: NemoBenchmark, **scenario: Any) -> BenchmarkFacts:
    given: dict[str, Any] = {"now": NOW, "desired": config_body(thing, {}), "resync_seconds": 300.0}
    return BenchmarkFacts(**given | scenario)


def ours(**document: Any) -> RemoteConfig:
    """The config as the evaluator has it, with our mark."""
    marked: dict[str, Any] = {
        "id": "eval-config-1",
        "name": "qa",
        "namespace": "team-a",
        "custom_fields": {"k8s-uid": UID, "k8s-namespace": "team-a", "k8s-name": "qa"},
    }
    return remote_config(**(marked | WANTED | document))


EARLIER = ours(custom_fields={"k8s-uid": "another", "k8s-namespace": "team-a", "team": "search"})
FOREIGN = ours(custom_fields={"k8s-uid": "another", "k8s-namespace": "team-b", "k8s-name": "theirs"})
UNMARKED = ours(custom_fields={})
DRIFTED = ours(params={"limit_samples": 20})
LEFTOVER = ours(params={"limit_samples": 10, "parallelism": 4})


def bench(*, meta: dict[str, Any] | None = None, **parts: Any) -> NemoBenchmark:
    return benchmark(meta=HELD | (meta or {}), config=WANTED, **parts)


def outcome(step: object) -> tuple[dict[str, str], str]:
    assert isinstance(step, WriteStatus), step
    return told(step.status.conditions), step.status.conditions[0].reason


class TestPresent:
    @pytest.mark.parametrize(
        ("meta", "scenario", "step"),
        [
            ({}, {}, ObserveConfig()),
            ({}, {"remote": ConfigGone()}, AddFinalizer()),
            (ADOPT, {"remote": UNMARKED}, AddFinalizer()),
            (ADOPT, {"remote": UNMARKED, "updated": True}, AddFinalizer()),
        ],
    )
    def test_the_finalizer_comes_before_the_first_write_and_not_sooner(
        self, meta: dict[str, Any], scenario: dict[str, Any], step: object
    ) -> None:
        thing = benchmark(meta=meta, config=WANTED)
        assert decide_benchmark(thing, known(thing, **scenario)) == step

    def test_a_config_that_is_not_its_own_needs_no_finalizer(self) -> None:
        thing = benchmark(config=WANTED)
        assert isinstance(decide_benchmark(thing, known(thing, remote=UNMARKED)), WriteStatus)

    @pytest.mark.parametrize("scenario", [{}, {"remote": ours()}])
    def test_one_that_was_released_and_has_a_config_gets_the_finalizer_back(
        self, scenario: dict[str, Any]
    ) -> None:
        thing = benchmark(status=ready(), config=WANTED)
        assert decide_benchmark(thing, known(thing, **scenario)) == AddFinalizer()

    @pytest.mark.parametrize(
        ("status", "scenario", "step"),
        [
            ({}, {}, ObserveConfig()),
            (ready(), {}, ObserveConfig()),
            ({}, {"remote": ConfigGone()}, CreateConfig()),
            (ready(), {"remote": ConfigGone()}, CreateConfig()),
            # A new spec is always sent: the answer does not show which secret the server holds.
            ({}, {"remote": ours()}, UpdateConfig()),
            (ready(generation=0), {"remote": ours()}, UpdateConfig()),
            (ready(), {"remote": ours()}, RequeueAfter(300.0)),
            (ready(), {"remote": DRIFTED}, UpdateConfig()),
            # The update did not take: where the spec is new, the config is replaced, once.
            ({}, {"remote": DRIFTED, "updated": True}, ReplaceConfig()),
        ],
    )
    def test_the_config_is_brought_to_what_the_spec_says(
        self, status: dict[str, Any], scenario: dict[str, Any], step: object
    ) -> None:
        thing = bench(status=status)
        assert decide_benchmark(thing, known(thing, **scenario)) == step

    @pytest.mark.parametrize(
        ("given", "now"),
        [
            ([], [SECRET]),
            ([SECRET], []),
            ([SECRET], [SECRET.model_copy(update={"resource_version": "8"})]),
            ([SECRET], [SECRET.model_copy(update={"uid": "another of that name"})]),
            ([SECRET], [SECRET, SECRET.model_copy(update={"name": "more"})]),
        ],
    )
    def test_another_version_of_a_secret_is_sent_and_then_known(
        self, given: list[SecretVersion], now: list[SecretVersion]
    ) -> None:
        thing = bench(status=ready() | {"secrets": [version.to_manifest() for version in given]})
        assert has_new_secrets(thing, now)
        assert decide_benchmark(thing, known(thing, remote=ours(), secrets=now)) == UpdateConfig()
        scenario = known(thing, remote=ours(), secrets=now, updated=True)
        step = decide_benchmark(thing, scenario)
        assert isinstance(step, WriteStatus)
        written = thing.model_copy(update={"status": step.status})
        assert not has_new_secrets(written, now)
        assert decide_benchmark(written, known(thing, remote=ours(), secrets=now)) == RequeueAfter(300.0)

    @pytest.mark.parametrize("sent", [{"updated": True}, {"replaced": True}])
    def test_a_config_as_it_should_be_is_ready(self, sent: dict[str, Any]) -> None:
        thing = bench()
        scenario = known(thing, remote=ours(), **sent)
        step = decide_benchmark(thing, scenario)
        assert outcome(step) == (READY, "ConfigReady")
        assert isinstance(step, WriteStatus)
        status = step.status
        assert isinstance(status, BenchmarkStatus)
        assert (status.config, status.config_id) == ("team-a/qa", "eval-config-1")
        written = thing.model_copy(update={"status": status})
        assert was_ready(written)
        assert decide_benchmark(written, scenario) == RequeueAfter(300.0)

    @pytest.mark.parametrize(
        ("remote", "status", "sent"),
        [
            (DRIFTED, {}, {"replaced": True}),
            (DRIFTED, ready(), {"updated": True}),
            # What it does not let go of is likely its own default: no reason to delete the config.
            (LEFTOVER, ready(), {"updated": True}),
            (LEFTOVER, {}, {"updated": True}),
            (LEFTOVER, {}, {"replaced": True}),
        ],
    )
    def test_what_the_server_insists_on_is_said_and_let_be(
        self, remote: RemoteConfig, status: dict[str, Any], sent: dict[str, Any]
    ) -> None:
        thing = bench(status=status)
        step = decide_benchmark(thing, known(thing, remote=remote, **sent))
        assert outcome(step) == (READY, "ConfigReady")
        assert isinstance(step, WriteStatus)
        assert "but keeps its own value of params." in (step.status.message or "")

    @pytest.mark.parametrize("remote", [EARLIER, UNMARKED])
    @pytest.mark.parametrize("status", [{}, ready()])
    def test_somebody_elses_config_is_not_touched(self, remote: RemoteConfig, status: dict[str, Any]) -> None:
        thing = bench(status=status)
        step = decide_benchmark(thing, known(thing, remote=remote))
        assert outcome(step) == (STALLED, "ConfigExists")
        assert isinstance(step, WriteStatus)
        assert "kubectl annotate -n team-a nemobenchmark qa evaluator.nemo.dev/adopt=true" in (
            step.status.message or ""
        )
        written = thing.model_copy(update={"status": step.status})
        assert decide_benchmark(written, known(thing, remote=remote)) == RequeueAfter(300.0)

    @pytest.mark.parametrize("remote", [EARLIER, UNMARKED])
    def test_it_is_taken_over_where_the_object_says_so(self, remote: RemoteConfig) -> None:
        thing = bench(meta=ADOPT)
        assert decide_benchmark(thing, known(thing, remote=remote)) == UpdateConfig()

    def test_an_annotation_that_says_false_takes_nothing_over(self) -> None:
        thing = bench(meta={"annotations": {"evaluator.nemo.dev/adopt": "false"}})
        step = decide_benchmark(thing, known(thing, remote=EARLIER))
        assert outcome(step) == (STALLED, "ConfigExists")

    def test_a_takeover_that_the_evaluator_does_not_take_is_not_repeated_for_ever(self) -> None:
        thing = bench(meta=ADOPT)
        step = decide_benchmark(thing, known(thing, remote=EARLIER, updated=True))
        assert step != UpdateConfig()

    @pytest.mark.parametrize(
        ("conditions", "was"),
        [
            ([], False),
            ([condition("Ready", "True", "ConfigReady")], True),
            ([condition("Ready", "True", "ConfigReady", generation=2)], False),
            ([condition("Ready", "False", "ConfigReady")], False),
            ([condition("Stalled", "True", "ConfigExists")], False),
        ],
    )
    def test_ready_is_ready_for_this_very_spec(self, conditions: list[dict[str, Any]], was: bool) -> None:
        assert was_ready(bench(status={"conditions": conditions})) is was


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
        assert (told(status.conditions), status.conditions[0].reason) == (conditions, reason)
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
        assert told(status.conditions) == WORKING

    def test_a_spec_that_cannot_be_sent_is_stalled(self) -> None:
        status = benchmark_status.invalid(bench(), NOW, "params is not an object")
        assert (told(status.conditions), status.conditions[0].reason) == (STALLED, "InvalidSpec")

    def test_a_missing_secret_is_waited_for(self) -> None:
        status = benchmark_status.source_missing(
            bench(), NOW, Reason.SECRET_NOT_FOUND, "there is no Secret hf"
        )
        assert (told(status.conditions), status.conditions[0].reason) == (WORKING, "SecretNotFound")

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
            ", but keeps its own value of params.p0, params.p1, params.p2, params.p3, params.p4"
        )

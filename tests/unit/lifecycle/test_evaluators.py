"""Which evaluator is meant, and what a job does when that cannot be asked any more."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    Malformed,
    Missing,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.lifecycle import FINALIZER, claim_of
from nemo_eval_operator.lifecycle.connection import (
    defaults_among,
    is_bound,
    mismatch,
    moved,
)
from nemo_eval_operator.lifecycle.connection import status as connection_status
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable, RemoteGone, decide_job, evaluator_of_record
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.steps import (
    CollectResults,
    JobStep,
    RemoveFinalizer,
    RequeueAfter,
    SubmitJob,
    WriteStatus,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import ConnectionStatus, EvaluatorUsed, NemoEvaluatorConnection
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    STALLED,
    ago,
    benchmark,
    condition,
    condition_statuses,
    evaljob,
    facts,
    finished,
    followed,
    intent,
    lookup,
    remote,
    stamp,
)

HERE = EvaluatorUsed(url="http://here.test", connection="team-a/main")
THERE = EvaluatorUsed(url="http://there.test", connection="team-a/main")
CHANGED = moved(HERE, THERE.url)
GONE = EvaluatorUnusable(Reason.CONNECTION_NOT_FOUND, "there is no NemoEvaluatorConnection team-a/main")

RECORD = HERE.model_dump(by_alias=True)


def connection(name: str = "main", *, created: str = stamp(NOW), **spec: Any) -> NemoEvaluatorConnection:
    meta = {"name": name, "namespace": "team-a", "uid": name, "generation": 1, "creationTimestamp": created}
    return NemoEvaluatorConnection.model_validate(
        {"metadata": meta, "spec": {"url": "https://evaluator.test/", **spec}}
    )


class TestUrl:
    @pytest.mark.parametrize(
        ("spec", "url"),
        [
            ({"url": "https://evaluator.test/nemo/"}, "https://evaluator.test/nemo"),
            ({"url": None, "serviceRef": {"name": "e"}}, "http://e.team-a.svc:7331"),
            (
                {
                    "url": None,
                    "serviceRef": {"name": "e", "namespace": "nemo", "port": 443, "scheme": "https"},
                },
                "https://e.nemo.svc:443",
            ),
        ],
    )
    def test_it_is_the_same_however_it_is_written(self, spec: dict[str, Any], url: str) -> None:
        assert connection(**spec).url == url


class TestUse:
    @pytest.mark.parametrize(
        ("allowed", "namespace", "admitted"),
        [
            ([], "team-a", True),
            ([], "team-b", False),
            (["team-b"], "team-b", True),
            (["team-c"], "team-b", False),
            (["*"], "team-b", True),
        ],
    )
    def test_other_namespaces_have_to_be_named(
        self, allowed: list[str], namespace: str, admitted: bool
    ) -> None:
        assert connection(allowedNamespaces=allowed).allows_namespace(namespace) is admitted

    def test_of_several_defaults_the_oldest_comes_first_and_of_one_second_the_first_by_name(self) -> None:
        later = connection("a", created=stamp(NOW), default=True)
        older = connection("z", created=stamp(ago(60)), default=True)
        twin = connection("b", created=stamp(NOW), default=True)
        assert defaults_among([twin, connection("none"), later, older]) == [older, later, twin]

    def test_a_job_may_name_its_benchmarks_connection_and_no_other(self) -> None:
        has = benchmark(status={"evaluator": RECORD})
        assert mismatch("team-a/main", has) is None
        assert mismatch("team-a/other", has) is not None
        assert mismatch("team-a/main", benchmark()) is not None, "its config is at the operator's own"


class TestRecord:
    @pytest.mark.parametrize(
        ("status", "bound"), [({}, False), (intent(), True), (followed(), True), (finished(), True)]
    )
    def test_what_may_have_been_submitted_is_bound(self, status: dict[str, Any], bound: bool) -> None:
        assert is_bound(evaljob(status=status)) is bound

    def test_the_intent_says_where_it_goes(self) -> None:
        status = job_status.submitting(evaljob(), NOW, "n-1", HERE)
        assert status.evaluator == HERE

    def test_where_status_was_lost_the_claim_says_it(self) -> None:
        job = evaljob(meta=HELD)
        claimed = {**HELD, "annotations": claim_of(job.metadata, HERE)}
        lost = evaljob(meta=claimed)
        assert is_bound(lost)
        assert evaluator_of_record(lost) == HERE
        step = decide_job(lost, facts(evaluator=HERE, lookup=lookup(remote(custom_fields={}))))
        assert isinstance(step, WriteStatus)
        assert step.status.evaluator == HERE

    def test_the_claim_of_another_object_says_nothing(self) -> None:
        annotations = claim_of(evaljob(meta={"uid": "another"}).metadata, HERE)
        copied = evaljob(meta={**HELD, "annotations": annotations})
        assert not is_bound(copied)

    def test_a_claim_for_another_evaluator_is_renewed_before_the_submission(self) -> None:
        job = evaljob(meta=HELD, status={"attempt": 2})
        assert decide_job(job, facts(evaluator=HERE)) == SubmitJob(claim=True)
        annotations = claim_of(job.metadata, HERE)
        claimed = evaljob(meta={**HELD, "annotations": annotations}, status={"attempt": 2})
        assert decide_job(claimed, facts(evaluator=HERE)) == SubmitJob()
        assert decide_job(claimed, facts(evaluator=THERE)) == SubmitJob(claim=True)


OWN, OWN_NOW = EvaluatorUsed(url="http://own.test"), EvaluatorUsed(url="http://own-now.test")
OWN_RECORD = {"evaluator": OWN.model_dump(by_alias=True, exclude_none=True)}


class TestAnotherAddressOfTheOperatorsOwnEvaluator:
    """An evaluator at another address may be the same one, which only the remote job proves."""

    UNKNOWN_THERE = (
        ({"status": intent(600) | OWN_RECORD}, {"lookup": lookup()}),
        ({"status": followed(**OWN_RECORD)}, {"remote": RemoteGone()}),
        ({"status": followed(phase="Cancelling", **OWN_RECORD), "cancel": True}, {"remote": RemoteGone()}),
        ({"meta": {**HELD, "annotations": claim_of(evaljob().metadata, OWN)}}, {"lookup": lookup()}),
    )

    @pytest.mark.parametrize(("given", "known"), UNKNOWN_THERE)
    def test_what_it_does_not_know_is_neither_submitted_again_nor_given_up(
        self, given: dict[str, Any], known: dict[str, Any]
    ) -> None:
        job = evaljob(**{"meta": HELD, **given})
        step = decide_job(job, facts(evaluator=OWN_NOW, **known))
        assert isinstance(step, WriteStatus)
        assert step.status.conditions[0].reason == Reason.EVALUATOR_CHANGED
        assert condition_statuses(step.status.conditions) == STALLED
        assert OWN.url in (step.status.message or "")
        assert OWN_NOW.url in (step.status.message or "")
        assert step.status.completion_time is None
        again = job.model_copy(update={"status": step.status})
        assert decide_job(again, facts(evaluator=OWN_NOW, **known)) == RequeueAfter()

    def test_what_it_knows_runs_there(self) -> None:
        uncertain = evaljob(meta=HELD, status=intent(600) | OWN_RECORD)
        step = decide_job(uncertain, facts(evaluator=OWN_NOW, lookup=lookup(remote())))
        assert isinstance(step, WriteStatus)
        assert step.status.job_id == "eval-1"
        stalled = followed(conditions=[condition("Ready", "False", "EvaluatorChanged")], **OWN_RECORD)
        step = decide_job(evaljob(meta=HELD, status=stalled), facts(evaluator=OWN_NOW, remote=remote()))
        assert isinstance(step, WriteStatus)
        assert step.status.conditions[0].reason == Reason.RUNNING

    @pytest.mark.parametrize(
        ("status", "known"),
        [
            (intent(600) | OWN_RECORD, {"lookup": lookup()}),
            (followed(**OWN_RECORD), {"remote": RemoteGone()}),
        ],
    )
    def test_a_deletion_waits_its_time_and_names_what_it_may_leave(
        self, status: dict[str, Any], known: dict[str, Any]
    ) -> None:
        def deleted(seconds_ago: float) -> JobStep:
            meta = {**HELD, "deletionTimestamp": stamp(ago(seconds_ago))}
            return decide_job(evaljob(meta=meta, status=status), facts(evaluator=OWN_NOW, **known))

        assert isinstance(deleted(10), RequeueAfter)
        step = deleted(10_000)
        assert isinstance(step, RemoveFinalizer)
        assert "may still be running" in (step.left_behind or "")


class TestUnusable:
    """Whatever else is known, no request is sent, and nothing is started elsewhere."""

    @pytest.mark.parametrize("status", [{}, intent(600), followed(), followed(phase="Cancelling")])
    @pytest.mark.parametrize("unusable", [CHANGED, GONE])
    @pytest.mark.parametrize("spec", [{}, {"activeDeadlineSeconds": 1}])
    def test_it_is_said_and_nothing_done(
        self, status: dict[str, Any], unusable: EvaluatorUnusable, spec: dict[str, Any]
    ) -> None:
        job = evaljob(meta=HELD, status=status, **spec)
        step = decide_job(job, facts(evaluator=unusable))
        assert isinstance(step, WriteStatus)
        assert step.status.conditions[0].reason == unusable.reason
        assert condition_statuses(step.status.conditions) == {
            "Ready": "False",
            "Stalled" if unusable.stalled else "Reconciling": "True",
        }
        assert step.status.job_id == job.status.job_id
        assert step.status.completion_time is None
        again = job.model_copy(update={"status": step.status})
        assert decide_job(again, facts(evaluator=unusable)) == RequeueAfter()

    def test_the_phase_of_what_runs_is_kept(self) -> None:
        step = decide_job(evaljob(meta=HELD, status=followed()), facts(evaluator=CHANGED))
        assert isinstance(step, WriteStatus)
        assert (step.status.phase, step.status.job_id) == ("Running", "eval-1")
        assert HERE.url in (step.status.message or "")
        assert THERE.url in (step.status.message or "")

    @pytest.mark.parametrize("status", [intent(600), followed()])
    def test_a_deletion_waits_its_time_and_names_what_it_leaves(self, status: dict[str, Any]) -> None:
        meta = {**HELD, "deletionTimestamp": stamp(ago(10))}
        assert isinstance(
            decide_job(evaljob(meta=meta, status=status), facts(evaluator=CHANGED)), RequeueAfter
        )
        meta["deletionTimestamp"] = stamp(ago(61))
        step = decide_job(evaljob(meta=meta, status=status), facts(evaluator=CHANGED))
        assert isinstance(step, RemoveFinalizer)
        assert step.left_behind

    def test_once_it_is_there_again_the_job_goes_on(self) -> None:
        changed = evaljob(meta=HELD, status=followed())
        step = decide_job(changed, facts(evaluator=CHANGED))
        assert isinstance(step, WriteStatus)
        job = changed.model_copy(update={"status": step.status})
        back = decide_job(job, facts(evaluator=HERE, remote=remote("completed")))
        assert back == CollectResults("eval-1")
        running = decide_job(job, facts(evaluator=HERE, remote=remote()))
        assert isinstance(running, WriteStatus)
        assert running.status.conditions[0].reason == "Running"

    def test_what_has_ended_does_not_care(self) -> None:
        job = evaljob(meta={"finalizers": []}, status=finished(observedGeneration=1))
        assert decide_job(job, facts(evaluator=GONE)) == RequeueAfter()


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "reason", "stalled"),
        [
            (Unauthorized("no", status_code=401), "Unauthorized", True),
            (Unauthorized("no", status_code=403), "Unauthorized", True),
            (Unavailable("moved", status_code=307), "NotAnEvaluator", True),
            (Unavailable("no route", status_code=404), "NotAnEvaluator", True),
            (Missing("Not Found", status_code=404), "NotAnEvaluator", True),
            (Unsupported("no", status_code=405), "NotAnEvaluator", True),
            (Malformed("no JSON", status_code=200), "NotAnEvaluator", True),
            (Unavailable("slow down", status_code=429), "Busy", False),
            (Ambiguous("oops", status_code=500), "ServerError", False),
            (Ambiguous("bad gateway", status_code=502), "ServerError", False),
            (Unavailable("refused"), "Unreachable", False),
            (Ambiguous("reset"), "Unreachable", False),
        ],
    )
    def test_each_error_has_its_reason(self, error: EvaluatorError, reason: str, stalled: bool) -> None:
        trouble = connection_status.trouble_of(error, connection())
        assert (trouble.reason, trouble.stalled) == (reason, stalled)
        assert error.detail in trouble.message

    def test_the_last_error_is_kept_when_it_is_over(self) -> None:
        one = connection()

        def after(status: ConnectionStatus, trouble: EvaluatorUnusable | None) -> ConnectionStatus:
            was = one.model_copy(update={"status": status})
            return connection_status.standing(was, NOW, trouble, siblings=[one], running=0, waiting=0)

        oops = connection_status.trouble_of(Ambiguous("oops", status_code=500), one)
        failing = after(one.status, oops)
        fine = after(failing, None)
        assert fine.last_error == "oops"
        assert [condition.type for condition in fine.conditions] == ["Ready"]
        assert after(fine, None) == fine, "nothing to write"

    def test_the_same_trouble_in_other_words_is_not_written_again(self) -> None:
        one, error = connection(), Ambiguous("oops, request 1", status_code=500)
        first = connection_status.trouble_of(error, one)
        status = connection_status.standing(one, NOW, first, siblings=[one], running=0, waiting=0)
        seen = one.model_copy(update={"status": status})
        again = connection_status.trouble_of(Ambiguous("oops, request 2", status_code=500), seen)
        assert connection_status.standing(seen, NOW, again, siblings=[seen], running=0, waiting=0) == status
        other = connection_status.trouble_of(Unauthorized("who are you", status_code=401), seen)
        assert other.message == "who are you"
        edited = seen.model_copy(update={"metadata": seen.metadata.model_copy(update={"generation": 2})})
        assert connection_status.trouble_of(error, edited).message == "oops, request 1"

    def test_warnings_accompany_the_verdict_and_are_reported_once(self) -> None:
        one = connection("one", default=True, tls={"insecureSkipVerify": True})
        two = connection("two", default=True, created=stamp(ago(60)))
        status = connection_status.standing(one, NOW, None, siblings=[one, two], running=1, waiting=2)
        types = [condition.type for condition in status.conditions]
        assert types == ["Ready", "DefaultConflict", "InsecureSkipVerify"]
        assert "team-a/two, the oldest, is used" in status.conditions[1].message
        assert (status.jobs_running, status.jobs_waiting) == (1, 2)
        events = connection_status.events_of_connection(one.status, status)
        assert [(event.type, event.reason) for event in events] == [
            ("Warning", "DefaultConflict"),
            ("Warning", "InsecureSkipVerify"),
        ]
        assert connection_status.events_of_connection(status, status) == []


def test_a_finished_attempt_of_another_evaluator_is_not_deleted_at_this_one() -> None:
    history = [
        {"number": 1, "jobId": "eval-0", "outcome": "x", "completionTime": stamp(NOW), "evaluator": RECORD}
    ]
    status = finished(history=history, evaluator=THERE.model_dump(by_alias=True))
    meta = {"finalizers": [FINALIZER], "deletionTimestamp": stamp(NOW)}
    job = evaljob(meta=meta, status=status, deletionPolicy="Delete")
    step = decide_job(job, facts(evaluator=THERE, deleted=frozenset({"eval-1"})))
    assert step == RemoveFinalizer()

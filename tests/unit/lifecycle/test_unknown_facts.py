"""A decision uses only what is known: what it needs besides that it requests, one step for each fact."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemo_eval_operator.lifecycle.job import (
    UNKNOWN,
    BenchmarkUnusable,
    Facts,
    NothingNew,
    ResolvedEvaluator,
    Unknown,
    decide_job,
)
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    CollectResults,
    FindJob,
    JobStep,
    JudgeGate,
    ObserveJob,
    ReadBenchmark,
    RemoveFinalizer,
    RequeueAfter,
    ResolveEvaluator,
    WriteStatus,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import NemoEvalJob
from tests.unit.lifecycle.any_job import answered, facts_with_gaps, filled, jobs, judged_by
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    SETTLE,
    USED,
    ago,
    evaljob,
    finished,
    followed,
    intent,
    lookup,
    remote,
    stamp,
    working,
)

REQUESTS: dict[type[Any], str] = {
    ReadBenchmark: "benchmark",
    ResolveEvaluator: "evaluator",
    ObserveJob: "remote",
    AcquireSlot: "slot_decision",
    FindJob: "lookup",
    CollectResults: "stored",
    JudgeGate: "gate",
}
"""The fact that each step requests."""

NOTHING_KNOWN = Facts(now=NOW, settle=SETTLE)

MANY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_an_unknown_fact_cannot_be_used() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)
    with pytest.raises(AttributeError):
        UNKNOWN.reason  # type: ignore[attr-defined] # noqa: B018


@MANY
@given(job=jobs(), facts=facts_with_gaps(), data=st.data())
def test_no_decision_depends_on_a_fact_that_is_not_known(
    job: NemoEvalJob, facts: Facts, data: st.DataObject
) -> None:
    """A step that requests nothing is the right one, whatever the unknown facts turn out to be."""
    facts = judged_by(job, facts)
    step = decide_job(job, facts)
    if (requested := REQUESTS.get(type(step))) is None:
        assert decide_job(job, judged_by(job, data.draw(answered(facts)))) == step
    elif step == JudgeGate(may_wait=False):
        assert decide_job(job, judged_by(job, facts, may_wait=False)) != step or facts.gate is UNKNOWN
    else:
        assert isinstance(getattr(facts, requested), Unknown)


@MANY
@given(job=jobs(), facts=facts_with_gaps(), data=st.data())
def test_a_decision_is_reached_after_one_request_for_each_fact(
    job: NemoEvalJob, facts: Facts, data: st.DataObject
) -> None:
    facts = judged_by(job, facts)
    complete = judged_by(job, data.draw(filled(facts)))
    for _ in REQUESTS:
        step = decide_job(job, facts)
        if (requested := REQUESTS.get(type(step))) is None:
            break
        if isinstance(step, JudgeGate):
            complete = judged_by(job, complete, may_wait=step.may_wait)
        facts = Facts(**{**_fields(facts), requested: getattr(complete, requested)})
    assert type(decide_job(job, facts)) not in REQUESTS


def _fields(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in Facts.__slots__}


class TestRequests:
    """Which facts are requested, and in which order: each of them may cost a call."""

    @pytest.mark.parametrize(
        ("status", "meta", "spec"),
        [
            (finished(), {}, {}),
            (finished(), HELD, {"ttlSecondsAfterFinished": 0}),
            ({}, {}, {"cancel": True}),
            ({}, {}, {"suspend": True}),
            (followed(), HELD | {"deletionTimestamp": stamp(NOW)}, {"deletionPolicy": "Orphan"}),
            (finished(), HELD | {"deletionTimestamp": stamp(NOW)}, {}),
            (followed(), {"deletionTimestamp": stamp(NOW)}, {}),
        ],
    )
    def test_none_where_the_object_alone_says_what_to_do(
        self, status: dict[str, Any], meta: dict[str, Any], spec: dict[str, Any]
    ) -> None:
        assert type(decide_job(evaljob(meta=meta, status=status, **spec), NOTHING_KNOWN)) not in REQUESTS

    def test_of_a_new_job_the_benchmark_first_then_the_evaluator_then_a_slot(self) -> None:
        job = evaljob()
        assert decide_job(job, NOTHING_KNOWN) == ReadBenchmark()
        assert decide_job(job, self.known(benchmark=None)) == ResolveEvaluator()
        known = self.known(benchmark=None, evaluator=ResolvedEvaluator(USED))
        assert decide_job(job, known) == AcquireSlot()

    def test_no_evaluator_while_the_benchmark_is_not_ready(self) -> None:
        unready = BenchmarkUnusable(Reason.BENCHMARK_NOT_READY, "drafting")
        assert isinstance(decide_job(evaljob(), self.known(benchmark=unready)), WriteStatus)

    def test_no_benchmark_while_a_submission_may_have_happened(self) -> None:
        job = evaljob(meta=HELD, status=intent(100))
        assert decide_job(job, NOTHING_KNOWN) == ResolveEvaluator()
        resolved = ResolvedEvaluator(USED)
        assert isinstance(decide_job(job, self.known(evaluator=resolved)), FindJob)
        settled = self.known(evaluator=resolved, lookup=lookup())
        assert decide_job(job, settled) == ReadBenchmark()

    @pytest.mark.parametrize(
        ("status", "ask"),
        [
            (followed(), False),
            (followed(conditions=working("QueuedInEvaluator")), False),
            (followed(conditions=working("RemoteStatusUnknown")), False),
            (followed(phase="Cancelling"), True),
            (followed(conditions=working("EvaluatorUnreachable")), True),
            (followed(conditions=working("ResultsNotKept")), True),
        ],
    )
    def test_a_run_that_goes_on_as_its_status_says_is_left_to_the_poller(
        self, status: dict[str, Any], ask: bool
    ) -> None:
        job, known = evaljob(meta=HELD, status=status), self.known(evaluator=ResolvedEvaluator(USED))
        assert decide_job(job, known) == ObserveJob("eval-1", ask=ask)

    def test_before_a_deletion_cancels_a_job_it_looks_at_it(self) -> None:
        job = evaljob(meta=HELD | {"deletionTimestamp": stamp(NOW)}, status=followed())
        assert decide_job(job, NOTHING_KNOWN) == ResolveEvaluator()
        known = self.known(evaluator=ResolvedEvaluator(USED))
        assert decide_job(job, known) == ObserveJob("eval-1", ask=True)

    def test_nothing_new_of_a_job_is_an_answer(self) -> None:
        job = evaljob(meta=HELD, status=followed())
        known = self.known(evaluator=ResolvedEvaluator(USED), remote=NothingNew())
        assert decide_job(job, known) == RequeueAfter()

    def test_results_are_requested_when_the_job_has_completed(self) -> None:
        job = evaljob(meta=HELD, status=followed())
        known = self.known(evaluator=ResolvedEvaluator(USED), remote=remote("completed"))
        assert decide_job(job, known) == CollectResults("eval-1")

    def test_an_ended_job_of_which_nothing_is_to_be_deleted_is_let_go_at_once(self) -> None:
        meta = HELD | {"deletionTimestamp": stamp(ago(1))}
        assert self.step(evaljob(meta=meta)) == RemoveFinalizer()
        assert self.step(evaljob(meta=meta, status=finished())) == RemoveFinalizer()
        kept = evaljob(meta=meta, status=finished(), deletionPolicy="Delete")
        assert self.step(kept) == ResolveEvaluator()

    @staticmethod
    def step(job: NemoEvalJob) -> JobStep:
        return decide_job(job, NOTHING_KNOWN)

    @staticmethod
    def known(**facts: Any) -> Facts:
        return Facts(now=NOW, settle=SETTLE, **facts)

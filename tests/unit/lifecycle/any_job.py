"""Strategies: a NemoEvalJob in any state, also one that no operator writes, and facts about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from nemo_eval_operator.gates import CriterionReason, not_judged
from nemo_eval_operator.lifecycle import FINALIZER, RERUN_ANNOTATION
from nemo_eval_operator.lifecycle.job import (
    UNKNOWN,
    Admitted,
    BenchmarkUnusable,
    Counting,
    EvaluatorUnusable,
    Facts,
    GateFacts,
    Judged,
    NothingNew,
    Queued,
    RemoteGone,
    RemoteUnclear,
    ResolvedEvaluator,
    Unknown,
    WaitForBaseline,
    gate_hash,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvaluatorUsed, GateSpec, NemoEvalJob
from tests.unit.lifecycle.attempt_gate import GATES
from tests.unit.lifecycle.objects import (
    CLAIMED,
    NOW,
    SETTLE,
    UID,
    USED,
    ago,
    benchmark,
    evaljob,
    finished,
    followed,
    intent,
    lookup,
    remote,
    stamp,
    stored,
    working,
)

__all__ = ["answered", "facts_with_gaps", "filled", "jobs", "judged_by"]

SOMETIME = st.sampled_from([ago(seconds) for seconds in (0, 1, 50, 100, 1000, 1_000_000)])

EARLIER = {"number": 1, "jobId": "eval-0", "outcome": "EvaluationFailed", "completionTime": stamp(ago(5))}

REASONS = (
    "EvaluatorUnreachable",
    "QueuedInEvaluator",
    "RemoteStatusUnknown",
    "ResultsNotKept",
    "ConnectionNotFound",
    "BackOff",
    "Queued",
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "attempt": st.sampled_from([None, 1, 2]),
    "submission": st.sampled_from([None, intent(10)["submission"], intent(100)["submission"]]),
    "jobId": st.sampled_from([None, "eval-1"]),
    "completionTime": st.sampled_from([None, stamp(ago(100))]),
    "phase": st.sampled_from([None, "Pending", "Submitting", "Running", "Cancelling", "Suspended", "Failed"]),
    "observedGeneration": st.sampled_from([-1, 1, 2]),
    "startTime": st.sampled_from([None, stamp(ago(100))]),
    "retries": st.sampled_from([None, 1]),
    "history": st.sampled_from([None, [EARLIER]]),
    "rerun": st.sampled_from([None, "one"]),
    "adopted": st.sampled_from([None, True]),
    "queuePosition": st.sampled_from([None, 3]),
    "conditions": st.sampled_from([[], *(working(reason) for reason in REASONS)]),
    "gate": st.sampled_from(
        [
            {"verdict": verdict, "hash": digest}
            for verdict in ("Passed", "Failed", "Inconclusive", "Pending")
            for digest in [*(gate_hash(evaljob(gate=gate)) for gate in GATES.values()), "sha256:another"]
        ]
    ),
}

STATUSES = st.builds(
    dict.__or__,
    st.sampled_from([{}, intent(), followed(), finished()]),
    st.fixed_dictionaries({}, optional=FIELDS),
)

SPECS = st.fixed_dictionaries(
    {},
    optional={
        "cancel": st.booleans(),
        "suspend": st.booleans(),
        "activeDeadlineSeconds": st.sampled_from([1, 100, 10_000]),
        "ttlSecondsAfterFinished": st.sampled_from([0, 100, 10_000]),
        "deletionPolicy": st.sampled_from(["Cancel", "Delete", "Orphan"]),
        "cancelTimeoutSeconds": st.sampled_from([0, 60]),
        "backoffLimit": st.sampled_from([0, 2]),
        "gate": st.sampled_from([gate for gate in GATES.values() if gate]),
    },
)

ANNOTATIONS = st.sampled_from(
    [
        {},
        {RERUN_ANNOTATION: "two"},
        {"evaluator.nemo.dev/claimed-by-uid": UID},
        CLAIMED["annotations"],
        {"meta.helm.sh/release-name": "evals"},
    ]
)

METAS = st.fixed_dictionaries(
    {
        "finalizers": st.sampled_from([[], [FINALIZER], ["argocd.argoproj.io/hook-finalizer"]]),
        "annotations": ANNOTATIONS,
    },
    optional={
        "deletionTimestamp": SOMETIME.map(stamp),
        "generation": st.sampled_from([1, 2]),
        "creationTimestamp": SOMETIME.map(stamp),
    },
)

WORDS = ("created", "pending", "running", "cancelling", "completed", "failed", "cancelled", "unheard of")

NOT_JUDGED = Judged(
    not_judged(
        GateSpec.model_validate(GATES["floor"]),
        CriterionReason.EVIDENCE_MISSING,
        "the ConfigMap is not there",
    ),
    None,
)

FACTS: dict[str, st.SearchStrategy[Any]] = {
    "benchmark": st.sampled_from(
        [None, benchmark(), BenchmarkUnusable(Reason.BENCHMARK_NOT_READY, "drafting")]
    ),
    "evaluator": st.sampled_from(
        [
            ResolvedEvaluator(USED),
            ResolvedEvaluator(EvaluatorUsed(url="http://other.test", connection="team-a/main")),
            ResolvedEvaluator(USED, outage="refused"),
            ResolvedEvaluator(USED, last_submission_at=ago(1)),
            EvaluatorUnusable(Reason.CONNECTION_NOT_FOUND, "there is none"),
            EvaluatorUnusable(Reason.EVALUATOR_CHANGED, "it has moved", stalled=True),
        ]
    ),
    "remote": st.sampled_from(
        [*(remote(word) for word in WORDS), RemoteGone(), RemoteUnclear("500"), NothingNew()]
    ),
    "slot_decision": st.sampled_from([Admitted(), Counting(), Queued(place=3, limit=20)]),
    "lookup": st.sampled_from([lookup(), lookup(remote()), lookup(begun=ago(99))]),
    "stored": st.just(stored()),
    "gate": st.sampled_from(
        [GateFacts("", found) for found in (NOT_JUDGED, WaitForBaseline("prod", "the baseline prod runs"))]
    ),
}
"""Everything that each fact can turn out to be."""

DONE = st.fixed_dictionaries(
    {},
    optional={
        "deleted": st.sampled_from([frozenset(), frozenset({"eval-0"}), frozenset({"eval-0", "eval-1"})]),
        "cancel_asked": st.booleans(),
        "failed": st.booleans(),
    },
)


@st.composite
def jobs(draw: st.DrawFn) -> NemoEvalJob:
    return evaljob(meta=draw(METAS), status=draw(STATUSES), **draw(SPECS))


def judged_by(job: NemoEvalJob, facts: Facts, *, may_wait: bool = True) -> Facts:
    """The same facts with `gate` as `JudgeGate` finds it for this job: of its gate, and waiting if it may."""
    if isinstance(facts.gate, Unknown):
        return facts
    found = facts.gate.found
    if isinstance(found, WaitForBaseline) and not may_wait:
        found = NOT_JUDGED
    return replace(facts, gate=GateFacts(gate_hash(job), found))


@st.composite
def facts_with_gaps(draw: st.DrawFn, now: datetime = NOW) -> Facts:
    """Facts of which any number is not known."""
    known: dict[str, Any] = {name: draw(st.just(UNKNOWN) | values) for name, values in FACTS.items()}
    done: dict[str, Any] = draw(DONE)
    return Facts(now=now, settle=SETTLE, **known, **done)


def filled(facts: Facts) -> st.SearchStrategy[Facts]:
    """The same facts without gaps: each that was not known may turn out to be anything."""
    return _filled(facts, FACTS)


@st.composite
def answered(draw: st.DrawFn, facts: Facts) -> Facts:
    """As `filled`, but an evaluator that cannot be reached, or a call that failed, answers nothing."""
    known = draw(_filled(facts, ("benchmark", "evaluator", "slot_decision")))
    evaluator = known.evaluator
    if known.failed or not isinstance(evaluator, ResolvedEvaluator) or evaluator.outage is not None:
        return known
    return draw(filled(known))


def _filled(facts: Facts, names: Iterable[str]) -> st.SearchStrategy[Facts]:
    gaps = {name: FACTS[name] for name in names if isinstance(getattr(facts, name), Unknown)}
    return st.fixed_dictionaries(gaps).map(lambda found: replace(facts, **found))

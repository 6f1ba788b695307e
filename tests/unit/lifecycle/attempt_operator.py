"""The operator for the laws: reconciles one job with `lifecycle`, and yields each call to the outside.

`reconcile` makes the decisions and transitions in the same order as the operator's reconcilers. A test
carries out each call that it yields; if a call gets no answer, the operator died in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    Missing,
    Rejected,
    RemoteJob,
    Results,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.lifecycle.job import (
    UNKNOWN,
    Admitted,
    Facts,
    LookUp,
    NothingNew,
    RemoteGone,
    ResolvedEvaluator,
    RunScores,
    Stored,
    attempt_status,
    decide_job,
    end_status,
    pick_marked,
)
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.requests import job_body
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteJob,
    DeleteObject,
    FindJob,
    JudgeGate,
    ObserveJob,
    ReadBenchmark,
    RemoveFinalizer,
    RequeueAfter,
    ResolveEvaluator,
    SubmitJob,
    WriteStatus,
)
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob
from tests.unit.lifecycle.attempt_calls import Call
from tests.unit.lifecycle.objects import SETTLE, USED

INTENT_SECONDS = 5.0
"""As in the reconciler: an intent that took longer to write is not acted on."""

Operator = Generator[Call, Any, None]


@dataclass
class Gate:
    """Outage of the evaluator as one operator process has recorded it."""

    outage: str | None = None


def record(job: NemoEvalJob, status: EvalJobStatus) -> Generator[Call, Any, NemoEvalJob]:
    if status == job.status:
        return job
    written: NemoEvalJob = yield Call("write", job=job, status=status)
    return written


def observe(job_id: str) -> Generator[Call, Any, RemoteJob | RemoteGone]:
    try:
        found: RemoteJob = yield Call("get", job_id=job_id)
    except Missing:
        return RemoteGone()
    return found


def delete(job_id: str) -> Generator[Call, Any, None]:
    with suppress(Missing):
        yield Call("delete", job_id=job_id)


def reconcile(clock: Callable[[], datetime], breaker: Gate) -> Operator:
    """Reconcile the object once."""
    job: NemoEvalJob | None = yield Call("read")
    if job is None:
        return
    deleting = job.metadata.deletion_timestamp is not None
    facts = Facts(now=clock(), settle=SETTLE)
    for _ in range(20):
        facts = as_of_now(facts, clock, breaker)
        step = decide_job(job, facts)
        match step:
            case RequeueAfter():
                return
            case RemoveFinalizer(left_behind):
                job = yield Call("let go", job=job, left_behind=left_behind)
                if deleting:
                    return
            case DeleteObject():
                raise AssertionError("no time to live was given")
            case _:
                try:
                    job, facts = yield from advance(job, facts, step, clock, breaker)
                except EvaluatorError as error:
                    if not deleting:
                        breaker.outage = error.detail if isinstance(error, Unavailable) else breaker.outage
                        return
                    facts = replace(facts, failed=True)
    raise AssertionError(f"still not at rest: {step}")


def as_of_now(facts: Facts, clock: Callable[[], datetime], breaker: Gate) -> Facts:
    facts = replace(facts, now=clock())
    if isinstance(facts.evaluator, ResolvedEvaluator):
        facts = replace(facts, evaluator=replace(facts.evaluator, outage=breaker.outage))
    return facts


def request(job: NemoEvalJob, facts: Facts, step: object, breaker: Gate) -> Generator[Call, Any, Facts]:
    """The fact that `step` requests. There is no poller: what it would report is asked for."""
    match step:
        case ReadBenchmark():
            return replace(facts, benchmark=None)
        case ResolveEvaluator():
            return replace(facts, evaluator=ResolvedEvaluator(USED))
        case JudgeGate(may_wait):
            return replace(facts, gate=(yield Call("judge", job=job, may_wait=may_wait)))
        case ObserveJob(job_id):
            try:
                return replace(facts, remote=(yield from observe(job_id)))
            except EvaluatorError as error:
                breaker.outage = error.detail if isinstance(error, Unavailable) else breaker.outage
                return replace(facts, remote=NothingNew())
        case _:
            raise AssertionError(step)


def advance(
    job: NemoEvalJob, facts: Facts, step: object, clock: Callable[[], datetime], breaker: Gate
) -> Generator[Call, Any, tuple[NemoEvalJob, Facts]]:
    match step:
        case WriteStatus(status):
            known = (job.status.attempt, job.status.job_id)
            job = yield from record(job, status)
            if (status.attempt, status.job_id) != known:
                facts = Facts(now=clock(), settle=SETTLE)
            return job, facts
        case AcquireSlot():
            return job, replace(facts, slot_decision=Admitted())
        case AddFinalizer():
            job = yield Call("hold", job=job)
            return job, facts
        case SubmitJob(claim):
            return (yield from submit(job, clock, breaker, claim=claim)), replace(facts, lookup=UNKNOWN)
        case FindJob():
            return job, replace(facts, lookup=(yield from look_up(job, step, clock)))
        case CancelJob(job_id):
            job = yield from record(job, job_status.cancelling(job, clock()))
            yield from cancel(job_id)
            return job, replace(facts, cancel_asked=True, remote=(yield from observe(job_id)))
        case DeleteJob(job_id):
            yield from delete(job_id)
            return job, replace(facts, deleted=facts.deleted | {job_id})
        case CollectResults(job_id):
            return job, replace(facts, stored=(yield from collect(job, job_id, clock)))
        case _:
            return job, (yield from request(job, facts, step, breaker))


def look_up(job: NemoEvalJob, step: FindJob, clock: Callable[[], datetime]) -> Generator[Call, Any, LookUp]:
    begun = clock()
    listed: list[RemoteJob] = yield Call("list", since=step.created_since)
    found = pick_marked(listed, job.metadata, step.attempt)
    for extra in found[1:]:
        if not extra.is_terminal:
            yield from cancel(extra.id)
    return LookUp(begun=begun, found=tuple(found))


def cancel(job_id: str) -> Generator[Call, Any, None]:
    try:
        yield Call("cancel", job_id=job_id)
    except (Missing, Unsupported):
        remote = yield from observe(job_id)
        if isinstance(remote, RemoteJob) and not remote.is_terminal:
            yield from delete(job_id)
    except Rejected:
        pass


def collect(job: NemoEvalJob, job_id: str, clock: Callable[[], datetime]) -> Generator[Call, Any, Stored]:
    try:
        results: Results = yield Call("results", job_id=job_id)
    except EvaluatorError as error:
        yield from record(job, end_status.results_pending(job, clock(), error.detail))
        raise
    return Stored(
        scores=RunScores.of(results), config_map="results", key="results.json", url="u", truncated=False
    )


def submit(
    job: NemoEvalJob, clock: Callable[[], datetime], breaker: Gate, *, claim: bool
) -> Generator[Call, Any, NemoEvalJob]:
    """The finalizer; the intent, unless another client wrote in between; the POST; its result."""
    nonce = job.status.submission.nonce if job.status.submission else "n-1"
    body = job_body(job, None, nonce=nonce, secrets={}, benchmark_secrets={})
    if claim:
        job = yield Call("hold", job=job)
    begun = clock()
    job = yield from record(job, job_status.submitting(job, begun, nonce))
    if (clock() - begun).total_seconds() > INTENT_SECONDS:
        raise Ambiguous("an intent too old to act on")
    try:
        created: RemoteJob = yield Call("post", body=body, intent=begun)
    except EvaluatorError as error:
        job = yield from record(job, attempt_status.not_submitted(job, clock(), error))
        if isinstance(error, Unavailable) and error.status_code is None:
            breaker.outage = error.detail
            return job
        if isinstance(error, Unavailable | Missing | Unsupported):
            raise
        return job
    return (yield from record(job, job_status.submitted(job, clock(), created)))

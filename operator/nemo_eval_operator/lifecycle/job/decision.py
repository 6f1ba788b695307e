"""Next step for a NemoEvalJob: a pure function of the object, the facts and the time.

A job is in one of five situations: being deleted (`decide_deletion`), or, each with its own function below,
finished, followed (the remote job is known), uncertain (a POST may have happened), or not submitted.
First law: a POST only from `SubmitJob`, and `SubmitJob` only where no earlier POST of this attempt can
still turn into a job.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.evaluator.model import CANCELLING, JobStatus, RemoteJob
from nemo_eval_operator.lifecycle import FINALIZER, claimed_evaluator, owned_by_gitops, rerun_wanted
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteObject,
    JobStep,
    ObserveJob,
    ReadBenchmark,
    RemoveFinalizer,
    RequeueAfter,
    ResolveEvaluator,
    SubmitJob,
    WriteStatus,
    write_or_wait,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import JobDeletionPolicy, NemoEvalJob, Phase

from . import attempt_status, end_status
from . import status as job_status
from .attempts import may_retry, remote_jobs, retry_due
from .deletion import RECHECK_SECONDS, decide_deletion
from .facts import (
    BenchmarkUnusable,
    EvaluatorUnusable,
    Facts,
    NothingNew,
    RemoteGone,
    RemoteUnclear,
    ResolvedEvaluator,
    Unknown,
)
from .gate import await_verdict, decide_gate
from .lookup import (
    look_up,
    look_up_latest,
    status_was_lost,
    unsettled_seconds,
    why_absence_is_no_proof,
)
from .slots import Admitted, Counting, Queued
from .snapshot import snapshot_in_status
from .status_parts import observed

__all__ = ["decide_job"]

CANCEL_AGAIN_SECONDS: Final = 15.0
"""Seconds after which a job that is still running is cancelled again; the poller reports its end at once."""


def decide_job(job: NemoEvalJob, facts: Facts) -> JobStep:
    """Return the next step for `job`: RequeueAfter where nothing is to be done.

    A fact that is needed and `Unknown` is requested by the step that is returned. So any other step is
    correct for every value of the facts that are still Unknown.
    """
    if job.metadata.deletion_timestamp is not None:
        return decide_deletion(job, job.metadata.deletion_timestamp, facts)
    if job.status.completion_time is not None:
        return _finished(job, parse_timestamp(job.status.completion_time), facts)
    if job.status.job_id is not None:
        return _followed(job, job.status.job_id, facts)
    if job.status.submission is not None:
        return _uncertain(job, parse_timestamp(job.status.submission.time), facts)
    return _not_submitted(job, facts)


def _not_submitted(job: NemoEvalJob, facts: Facts) -> JobStep:
    if job.spec.cancel:
        return write_or_wait(job, end_status.cancelled(job, facts.now, "cancelled before it was submitted"))
    if job.spec.suspend:
        return write_or_wait(job, job_status.suspended(job, facts.now))
    if _is_overdue(job, facts.now):
        return WriteStatus(end_status.deadline_exceeded(job, facts.now))
    if isinstance(facts.benchmark, Unknown):
        return ReadBenchmark()
    if isinstance(facts.benchmark, BenchmarkUnusable):
        return write_or_wait(
            job, job_status.waiting(job, facts.now, facts.benchmark.reason, facts.benchmark.message)
        )
    match facts.evaluator:
        case Unknown():
            return ResolveEvaluator()
        case EvaluatorUnusable() as unusable:
            return write_or_wait(job, job_status.without_evaluator(job, facts.now, unusable))
        case ResolvedEvaluator(outage=str() as outage):
            return write_or_wait(
                job, job_status.waiting(job, facts.now, Reason.EVALUATOR_UNREACHABLE, outage)
            )
        case ResolvedEvaluator() as evaluator:
            return _submittable(job, evaluator, facts)


def _submittable(job: NemoEvalJob, evaluator: ResolvedEvaluator, facts: Facts) -> JobStep:
    """Benchmark and evaluator are usable: a retry waits for its time, and a lost status is looked for."""
    deadline, due = _deadline(job), retry_due(job)
    if due is not None and facts.now < due:
        sooner = due if deadline is None else min(due, deadline)
        return write_or_wait(
            job, attempt_status.backing_off(job, facts.now, due), rest=_until(sooner, facts.now)
        )
    if status_was_lost(job):
        if isinstance(facts.lookup, Unknown):
            return look_up_latest(job, facts.now)
        if facts.lookup.found:
            return WriteStatus(job_status.adopted(job, facts.now, facts.lookup.found, evaluator.used))
        if (elsewhere := why_absence_is_no_proof(job, evaluator)) is not None:
            return write_or_wait(job, job_status.without_evaluator(job, facts.now, elsewhere))
    return _in_turn(job, evaluator, facts)


def _in_turn(job: NemoEvalJob, evaluator: ResolvedEvaluator, facts: Facts) -> JobStep:
    """Return the step of a job that only needs a slot."""
    match facts.slot_decision:
        case Unknown():
            return AcquireSlot()
        case Counting():
            return RequeueAfter()
        case Queued() as queued:
            return write_or_wait(
                job, job_status.queued(job, facts.now, queued), rest=_until(_deadline(job), facts.now)
            )
        case Admitted():
            # Whether the claim names this evaluator; it is the only record where status is lost.
            claimed_here = claimed_evaluator(job.metadata) == evaluator.used
            return SubmitJob(claim=not (claimed_here and FINALIZER in job.metadata.finalizers))


def _uncertain(job: NemoEvalJob, submitted: datetime, facts: Facts) -> JobStep:
    evaluator = facts.evaluator
    if isinstance(evaluator, Unknown):
        return ResolveEvaluator()
    if isinstance(facts.lookup, Unknown):
        if isinstance(evaluator, EvaluatorUnusable):
            return write_or_wait(job, job_status.without_evaluator(job, facts.now, evaluator))
        return RequeueAfter() if evaluator.outage is not None else look_up(job, submitted)
    if facts.lookup.found:
        return WriteStatus(job_status.adopted(job, facts.now, facts.lookup.found))
    if (elsewhere := why_absence_is_no_proof(job, evaluator)) is not None:
        return write_or_wait(job, job_status.without_evaluator(job, facts.now, elsewhere))
    if unsettled := unsettled_seconds(submitted, facts.lookup, evaluator, facts.settle):
        return write_or_wait(job, job_status.uncertain(job, facts.now), rest=unsettled)
    # No remote job exists: nothing is uncertain any more, whatever delays this one now.
    certain = job.status.model_copy(update={"submission": None})
    return _not_submitted(job.model_copy(update={"status": certain}), facts)


def _followed(job: NemoEvalJob, job_id: str, facts: Facts) -> JobStep:
    match facts.evaluator:
        case Unknown():
            return ResolveEvaluator()
        case EvaluatorUnusable() as unusable:
            if FINALIZER not in job.metadata.finalizers:
                return AddFinalizer()
            return write_or_wait(job, job_status.without_evaluator(job, facts.now, unusable))
        case ResolvedEvaluator() as evaluator:
            if isinstance(facts.remote, Unknown):
                return ObserveJob(job_id, ask=not snapshot_in_status(job.status).is_live)
            if isinstance(facts.remote, RemoteJob) and facts.remote.is_terminal:
                return _run_ended(job, job_id, facts.remote, facts)
            return _may_run(job, job_id, facts.remote, evaluator, facts)


def _run_ended(job: NemoEvalJob, job_id: str, remote: RemoteJob, facts: Facts) -> JobStep:
    overdue = _is_overdue(job, facts.now)
    if remote.status == JobStatus.COMPLETED:
        if isinstance(facts.stored, Unknown):
            return CollectResults(job_id)
        completed = end_status.succeeded(job, facts.now, remote, facts.stored)
        return WriteStatus(await_verdict(job, completed, facts.now))
    if remote.status == JobStatus.CANCELLED:
        return WriteStatus(end_status.ended_by_cancel(job, facts.now, overdue=overdue))
    again = may_retry(job, remote) and not job.spec.cancel and not overdue
    return WriteStatus((attempt_status.retrying if again else end_status.failed)(job, facts.now, remote))


def _may_run(
    job: NemoEvalJob,
    job_id: str,
    remote: RemoteJob | RemoteGone | RemoteUnclear | NothingNew,
    evaluator: ResolvedEvaluator,
    facts: Facts,
) -> JobStep:
    """The remote job, as far as it is known, has not ended; it may be gone."""
    deadline, overdue = _deadline(job), _is_overdue(job, facts.now)
    if isinstance(remote, RemoteGone):
        if (elsewhere := why_absence_is_no_proof(job, evaluator)) is not None:
            return write_or_wait(job, job_status.without_evaluator(job, facts.now, elsewhere))
        return WriteStatus(end_status.lost(job, facts.now, overdue=overdue))
    if FINALIZER not in job.metadata.finalizers:
        # An uninstallation removed the finalizer. With it a deletion of the object cancels the remote job.
        return AddFinalizer()
    match remote:
        case NothingNew():
            return _unseen(job, job_id, evaluator, facts.now)
        case RemoteUnclear() if job.spec.cancel or overdue or job.status.phase is Phase.CANCELLING:
            return _unseen(job, job_id, evaluator, facts.now)
        case RemoteUnclear(detail):
            status = job_status.unclear(job, facts.now, f"remote job {job_id} cannot be observed: {detail}")
            return write_or_wait(job, status, rest=_until(deadline, facts.now))
        case RemoteJob():
            cancelling = remote.status == CANCELLING
            if (job.spec.cancel or overdue) and not cancelling:
                return RequeueAfter(CANCEL_AGAIN_SECONDS) if facts.cancel_asked else CancelJob(job_id)
            rest = RECHECK_SECONDS if cancelling else _until(deadline, facts.now)
            return write_or_wait(job, job_status.running(job, facts.now, remote), rest=rest)


def _unseen(job: NemoEvalJob, job_id: str, evaluator: ResolvedEvaluator, now: datetime) -> JobStep:
    """Return the step for a remote job of which no state is known: the poller reports a change."""
    if evaluator.outage is not None:
        return write_or_wait(job, job_status.out_of_sight(job, now, evaluator.outage))
    if (job.spec.cancel or _is_overdue(job, now)) and job.status.phase is not Phase.CANCELLING:
        return CancelJob(job_id)
    return write_or_wait(job, observed(job), rest=_until(_deadline(job), now))


def _finished(job: NemoEvalJob, completed: datetime, facts: Facts) -> JobStep:
    runs_again = rerun_wanted(job)
    gate = None if isinstance(facts.gate, Unknown) else facts.gate
    judging = None if runs_again else decide_gate(job, gate, facts.now, _deadline(job))
    if judging is None and (status := observed(job)) != job.status:
        return WriteStatus(status)
    if runs_again:
        again = attempt_status.rerun_ignored if job.spec.cancel else attempt_status.rerun
        return WriteStatus(again(job, facts.now))
    needs_finalizer = job.spec.deletion_policy is JobDeletionPolicy.DELETE and bool(remote_jobs(job.status))
    has_finalizer = FINALIZER in job.metadata.finalizers
    if has_finalizer != needs_finalizer:
        return AddFinalizer() if needs_finalizer else RemoveFinalizer()
    if judging is not None:
        return judging
    if job.spec.ttl_seconds_after_finished is None or owned_by_gitops(job.metadata):
        return RequeueAfter()
    expiry = completed + timedelta(seconds=job.spec.ttl_seconds_after_finished)
    return DeleteObject() if facts.now >= expiry else RequeueAfter(_until(expiry, facts.now))


def _deadline(job: NemoEvalJob) -> datetime | None:
    if job.spec.active_deadline_seconds is None or job.status.start_time is None:
        return None
    return parse_timestamp(job.status.start_time) + timedelta(seconds=job.spec.active_deadline_seconds)


def _is_overdue(job: NemoEvalJob, now: datetime) -> bool:
    deadline = _deadline(job)
    return deadline is not None and now >= deadline


def _until(moment: datetime | None, now: datetime) -> float | None:
    """Return the seconds until `moment`; None where it has passed."""
    return None if moment is None or moment <= now else (moment - now).total_seconds()

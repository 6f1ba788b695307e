"""What to do next for a NemoEvalJob: a pure function of the object, the facts and the time.

A job is in one of five situations: being deleted (`job_deletion`), or, each with its own function below,
finished, followed (the remote job is known), uncertain (a POST may have happened), or not submitted.
First law: a POST only from `SubmitJob`, and `SubmitJob` only where no earlier POST of this attempt can
still turn into a job.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.evaluator.model import CANCELLING, JobStatus, RemoteJob
from nemo_eval_operator.lifecycle import FINALIZER, claimed_evaluator, owned_by_gitops
from nemo_eval_operator.lifecycle.steps import (
    AcquireSlot,
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteObject,
    JobStep,
    RemoveFinalizer,
    RequeueAfter,
    SubmitJob,
    WriteStatus,
    write_or_wait,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvaluatorUsed, JobDeletionPolicy, NemoEvalJob, Phase

from . import attempt_status, end_status
from . import status as job_status
from .attempts import may_retry, remote_ids, rerun_wanted, retry_due
from .deletion import RECHECK_SECONDS, decide_deletion
from .facts import BenchmarkUnusable, EvaluatorUnusable, Facts, RemoteGone, RemoteUnclear
from .gate import await_verdict, decide_gate
from .lookup import look_up, look_up_latest, status_was_lost, unsettled_seconds
from .slots import Admitted, Counting, Queued
from .status_parts import observed

__all__ = ["decide_job", "depends_on_remote"]

CANCEL_AGAIN_SECONDS: Final = 15.0
"""When a job that goes on running is asked again to end; that it has ended the poller tells at once."""


def decide_job(job: NemoEvalJob, facts: Facts) -> JobStep:
    """The next step for `job`; Rest where nothing is to be done."""
    if job.metadata.deletion_timestamp is not None:
        return decide_deletion(job, job.metadata.deletion_timestamp, facts)
    if job.status.completion_time is not None:
        return _finished(job, parse_timestamp(job.status.completion_time), facts)
    if job.status.job_id is not None:
        return _followed(job, job.status.job_id, facts)
    if job.status.submission is not None:
        return _uncertain(job, parse_timestamp(job.status.submission.time), facts)
    return _not_submitted(job, facts)


def depends_on_remote(job: NemoEvalJob) -> bool:
    """Whether how the remote job stands could change the next step."""
    left_alone = (
        job.metadata.deletion_timestamp is not None and job.spec.deletion_policy is JobDeletionPolicy.ORPHAN
    )
    return job.status.job_id is not None and job.status.completion_time is None and not left_alone


def _not_submitted(job: NemoEvalJob, facts: Facts) -> JobStep:
    deadline = _deadline(job)
    if job.spec.cancel:
        return write_or_wait(job, end_status.cancelled(job, facts.now, "cancelled before it was submitted"))
    if job.spec.suspend:
        return write_or_wait(job, job_status.suspended(job, facts.now))
    if deadline is not None and facts.now >= deadline:
        return WriteStatus(end_status.deadline_exceeded(job, facts.now))
    if isinstance(facts.benchmark, BenchmarkUnusable):
        return write_or_wait(
            job, job_status.waiting(job, facts.now, facts.benchmark.reason, facts.benchmark.message)
        )
    if isinstance(facts.evaluator, EvaluatorUnusable):
        return write_or_wait(job, job_status.without_evaluator(job, facts.now, facts.evaluator))
    if facts.outage is not None:
        return write_or_wait(
            job, job_status.waiting(job, facts.now, Reason.EVALUATOR_UNREACHABLE, facts.outage)
        )
    due = retry_due(job)
    if due is not None and facts.now < due:
        sooner = due if deadline is None else min(due, deadline)
        return write_or_wait(
            job, attempt_status.backing_off(job, facts.now, due), rest=_until(sooner, facts.now)
        )
    if status_was_lost(job):
        if facts.lookup is None:
            return look_up_latest(job, facts)
        if facts.lookup.found:
            return WriteStatus(job_status.adopted(job, facts.now, facts.lookup.found, _used(facts)))
    return _in_turn(job, facts)


def _in_turn(job: NemoEvalJob, facts: Facts) -> JobStep:
    """Nothing is in the way any more but others."""
    match facts.slot_decision:
        case None:
            return AcquireSlot()
        case Counting():
            return RequeueAfter()
        case Queued() as queued:
            return write_or_wait(
                job, job_status.queued(job, facts.now, queued), rest=_until(_deadline(job), facts.now)
            )
        case Admitted():
            claimed = FINALIZER in job.metadata.finalizers and not _is_claimed_elsewhere(job, facts)
            return SubmitJob(claim=not claimed)


def _uncertain(job: NemoEvalJob, submitted: datetime, facts: Facts) -> JobStep:
    if facts.lookup is None:
        if isinstance(facts.evaluator, EvaluatorUnusable):
            return write_or_wait(job, job_status.without_evaluator(job, facts.now, facts.evaluator))
        return RequeueAfter() if facts.outage is not None else look_up(job, submitted)
    if facts.lookup.found:
        return WriteStatus(job_status.adopted(job, facts.now, facts.lookup.found))
    if unsettled := unsettled_seconds(submitted, facts.lookup, facts):
        return write_or_wait(job, job_status.uncertain(job, facts.now), rest=unsettled)
    # Surely there is no job: whatever holds this one up now, nothing is uncertain any more.
    certain = job.status.model_copy(update={"submission": None})
    return _not_submitted(job.model_copy(update={"status": certain}), facts)


def _followed(job: NemoEvalJob, job_id: str, facts: Facts) -> JobStep:
    deadline = _deadline(job)
    overdue = deadline is not None and facts.now >= deadline
    ended = isinstance(facts.remote, RemoteGone) or (
        isinstance(facts.remote, RemoteJob) and facts.remote.is_terminal
    )
    if not ended and FINALIZER not in job.metadata.finalizers:
        # Let go of when an operator was uninstalled: who deletes it expects its job to be cancelled.
        return AddFinalizer()
    match facts.remote:
        case None:
            return _unseen(job, job_id, facts, overdue=overdue)
        case RemoteUnclear() if job.spec.cancel or overdue or job.status.phase is Phase.CANCELLING:
            return _unseen(job, job_id, facts, overdue=overdue)
        case RemoteUnclear(detail):
            status = job_status.unclear(job, facts.now, f"remote job {job_id} cannot be observed: {detail}")
            return write_or_wait(job, status, rest=_until(deadline, facts.now))
        case RemoteGone():
            return WriteStatus(end_status.lost(job, facts.now, overdue=overdue))
        case RemoteJob(status=JobStatus.COMPLETED) as remote:
            if facts.stored is None:
                return CollectResults(job_id)
            completed = end_status.succeeded(job, facts.now, remote, facts.stored)
            return WriteStatus(await_verdict(job, completed, facts.now))
        case RemoteJob(status=JobStatus.FAILED) as remote:
            again = may_retry(job, remote) and not job.spec.cancel and not overdue
            return WriteStatus(
                (attempt_status.retrying if again else end_status.failed)(job, facts.now, remote)
            )
        case RemoteJob(status=JobStatus.CANCELLED):
            return WriteStatus(end_status.ended_by_cancel(job, facts.now, overdue=overdue))
        case RemoteJob() as remote:
            cancelling = remote.status == CANCELLING
            if (job.spec.cancel or overdue) and not cancelling:
                return RequeueAfter(CANCEL_AGAIN_SECONDS) if facts.cancel_asked else CancelJob(job_id)
            rest = RECHECK_SECONDS if cancelling else _until(deadline, facts.now)
            return write_or_wait(job, job_status.running(job, facts.now, remote), rest=rest)


def _unseen(job: NemoEvalJob, job_id: str, facts: Facts, *, overdue: bool) -> JobStep:
    """Nothing is known of the remote job but that there is one: the poller says when that changes."""
    if isinstance(facts.evaluator, EvaluatorUnusable):
        return write_or_wait(job, job_status.without_evaluator(job, facts.now, facts.evaluator))
    if facts.outage is not None:
        return write_or_wait(job, job_status.out_of_sight(job, facts.now, facts.outage))
    if (job.spec.cancel or overdue) and job.status.phase is not Phase.CANCELLING:
        return CancelJob(job_id)
    return write_or_wait(job, observed(job), rest=_until(_deadline(job), facts.now))


def _finished(job: NemoEvalJob, completed: datetime, facts: Facts) -> JobStep:
    runs_again = rerun_wanted(job)
    judging = None if runs_again else decide_gate(job, facts.gate, facts.now, _deadline(job))
    if judging is None and (status := observed(job)) != job.status:
        return WriteStatus(status)
    if runs_again:
        again = attempt_status.rerun_ignored if job.spec.cancel else attempt_status.rerun
        return WriteStatus(again(job, facts.now))
    needs_finalizer = job.spec.deletion_policy is JobDeletionPolicy.DELETE and bool(remote_ids(job.status))
    has_finalizer = FINALIZER in job.metadata.finalizers
    if has_finalizer != needs_finalizer:
        return AddFinalizer() if needs_finalizer else RemoveFinalizer()
    if judging is not None:
        return judging
    if job.spec.ttl_seconds_after_finished is None or owned_by_gitops(job.metadata):
        return RequeueAfter()
    expiry = completed + timedelta(seconds=job.spec.ttl_seconds_after_finished)
    return DeleteObject() if facts.now >= expiry else RequeueAfter(_until(expiry, facts.now))


def _used(facts: Facts) -> EvaluatorUsed | None:
    return facts.evaluator if isinstance(facts.evaluator, EvaluatorUsed) else None


def _is_claimed_elsewhere(job: NemoEvalJob, facts: Facts) -> bool:
    """Should status be lost after the submission, the claim alone says where to look."""
    used = _used(facts)
    return used is not None and claimed_evaluator(job.metadata) != used


def _deadline(job: NemoEvalJob) -> datetime | None:
    if job.spec.active_deadline_seconds is None or job.status.start_time is None:
        return None
    return parse_timestamp(job.status.start_time) + timedelta(seconds=job.spec.active_deadline_seconds)


def _until(moment: datetime | None, now: datetime) -> float | None:
    """Seconds until then; None where it has passed, which some other fact has to end."""
    return None if moment is None or moment <= now else (moment - now).total_seconds()

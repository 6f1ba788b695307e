"""What to do next for a NemoEvalJob: a pure function of the object, the facts and the time.

A job is in one of five situations, each with its own function below: being deleted,
finished, followed (the remote job is known), uncertain (a POST may have happened),
or not submitted. First law: a POST only from `SubmitJob`, and `SubmitJob` only where
no earlier POST of this attempt can still turn into a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.evaluator import JobStatus, RemoteJob
from nemo_eval_operator.resources import EvalJobStatus, JobDeletionPolicy, NemoEvalJob, Phase

from . import job_status
from .clock import parse_timestamp
from .facts import BenchmarkUnusable, Facts, LookUp, RemoteGone
from .marks import FINALIZER, is_claimed, owned_by_gitops
from .steps import (
    AddFinalizer,
    CancelJob,
    CollectResults,
    DeleteJob,
    DeleteObject,
    LookUpJob,
    Record,
    RemoveFinalizer,
    Rest,
    SubmitJob,
)

__all__ = ["JobStep", "decide"]

CLOCK_SLACK: Final = timedelta(hours=25)
"""How far the evaluator's times may be behind ours in a look-up: they carry no zone, so a day and an hour."""

CANCEL_RECHECK_SECONDS: Final = 2.0
"""A cancelled job ends within seconds; a person is waiting for it."""

CANCEL_AGAIN_SECONDS: Final = 15.0
"""When a job that goes on running is asked again to end; that it has ended the poller tells at once."""

JobStep = (
    Rest
    | Record[EvalJobStatus]
    | AddFinalizer
    | RemoveFinalizer
    | DeleteObject
    | SubmitJob
    | LookUpJob
    | CancelJob
    | DeleteJob
    | CollectResults
)


def decide(job: NemoEvalJob, facts: Facts) -> JobStep:
    """The next step for `job`; Rest where nothing is to be done."""
    if job.metadata.deletion_timestamp is not None:
        return _deleted(job, job.metadata.deletion_timestamp, facts)
    if job.status.completion_time is not None:
        return _finished(job, parse_timestamp(job.status.completion_time), facts)
    if job.status.job_id is not None:
        return _followed(job, job.status.job_id, facts)
    if job.status.submission is not None:
        return _uncertain(job, parse_timestamp(job.status.submission.time), facts)
    return _not_submitted(job, facts)


def _not_submitted(job: NemoEvalJob, facts: Facts) -> JobStep:
    if job.spec.cancel:
        return _record(job, job_status.cancelled(job, facts.now, "cancelled before it was submitted"))
    if job.spec.suspend:
        return _record(job, job_status.suspended(job, facts.now))
    if isinstance(facts.benchmark, BenchmarkUnusable):
        return _record(
            job, job_status.waiting(job, facts.now, facts.benchmark.reason, facts.benchmark.message)
        )
    if facts.outage is not None:
        return _record(job, job_status.waiting(job, facts.now, "EvaluatorUnreachable", facts.outage))
    if job.status.attempt is None and is_claimed(job.metadata) and not facts.claimed:
        # Submitted or about to be, yet status knows nothing: a restored backup, or a tool that strips it.
        if facts.lookup is None:
            return LookUpJob(created_since=(job.metadata.creation_timestamp or facts.now) - CLOCK_SLACK)
        if facts.lookup.found:
            return Record(job_status.adopted(job, facts.now, facts.lookup.found))
    if FINALIZER not in job.metadata.finalizers:
        return AddFinalizer()
    return SubmitJob()


def _uncertain(job: NemoEvalJob, submitted: datetime, facts: Facts) -> JobStep:
    if facts.lookup is None:
        return Rest() if facts.outage is not None else LookUpJob(created_since=submitted - CLOCK_SLACK)
    if facts.lookup.found:
        return Record(job_status.adopted(job, facts.now, facts.lookup.found))
    if unsettled := _unsettled_seconds(submitted, facts.lookup, facts):
        return _record(job, job_status.uncertain(job, facts.now), rest=unsettled)
    # Surely there is no job: whatever holds this one up now, nothing is uncertain any more.
    certain = job.status.model_copy(update={"submission": None})
    return _not_submitted(job.model_copy(update={"status": certain}), facts)


def _followed(job: NemoEvalJob, job_id: str, facts: Facts) -> JobStep:
    deadline = _deadline(job)
    overdue = deadline is not None and facts.now >= deadline
    match facts.remote:
        case None:
            if facts.outage is not None:
                return _record(job, job_status.out_of_sight(job, facts.now, facts.outage))
            if (job.spec.cancel or overdue) and not _is_cancelling(job):
                return CancelJob(job_id)
            return _record(job, job_status.observed(job), rest=_until(deadline, facts.now))
        case RemoteGone():
            return Record(job_status.lost(job, facts.now, overdue=overdue))
        case RemoteJob(status=JobStatus.COMPLETED) as remote:
            if facts.stored is None:
                return CollectResults(job_id)
            return Record(job_status.succeeded(job, facts.now, remote, facts.stored))
        case RemoteJob(status=JobStatus.FAILED) as remote:
            return Record(job_status.failed(job, facts.now, remote))
        case RemoteJob(status=JobStatus.CANCELLED):
            return Record(job_status.ended_by_cancel(job, facts.now, overdue=overdue))
        case RemoteJob() as remote:
            cancelling = remote.status == "cancelling"
            if (job.spec.cancel or overdue) and not cancelling:
                return Rest(CANCEL_AGAIN_SECONDS) if facts.cancel_asked else CancelJob(job_id)
            rest = CANCEL_RECHECK_SECONDS if cancelling else _until(deadline, facts.now)
            return _record(job, job_status.running(job, facts.now, remote), rest=rest)


def _finished(job: NemoEvalJob, completed: datetime, facts: Facts) -> JobStep:
    status = job_status.observed(job)
    if status != job.status:
        return Record(status)
    needs_finalizer = job.spec.deletion_policy is JobDeletionPolicy.DELETE and job.status.job_id is not None
    has_finalizer = FINALIZER in job.metadata.finalizers
    if has_finalizer != needs_finalizer:
        return AddFinalizer() if needs_finalizer else RemoveFinalizer()
    if job.spec.ttl_seconds_after_finished is None or owned_by_gitops(job.metadata):
        return Rest()
    expiry = completed + timedelta(seconds=job.spec.ttl_seconds_after_finished)
    return DeleteObject() if facts.now >= expiry else Rest(_until(expiry, facts.now))


def _deleted(job: NemoEvalJob, since: datetime, facts: Facts) -> JobStep:
    status = job.status
    if FINALIZER not in job.metadata.finalizers:
        return Rest()
    if job.spec.deletion_policy is JobDeletionPolicy.ORPHAN:
        return RemoveFinalizer()
    if status.job_id is not None:
        return _deleted_followed(job, status.job_id, _Patience.of(job, since, facts), facts)
    if status.submission is not None:
        submitted = parse_timestamp(status.submission.time)
        return _deleted_uncertain(job, submitted, _Patience.of(job, since, facts), facts)
    return RemoveFinalizer()


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a deletion waits for the evaluator; what it ends with is tried at least once."""

    over: bool
    limit: timedelta

    @classmethod
    def of(cls, job: NemoEvalJob, since: datetime, facts: Facts) -> _Patience:
        limit = timedelta(seconds=job.spec.cancel_timeout_seconds)
        return cls(over=facts.now >= since + limit, limit=limit)

    def wait_or_let_go(self, remains: str) -> JobStep:
        if not self.over:
            return Rest(CANCEL_RECHECK_SECONDS)
        return RemoveFinalizer(left_behind=f"{remains}, not confirmed as ended within {self.limit}")


def _is_cancelling(job: NemoEvalJob) -> bool:
    return job.status.phase is Phase.CANCELLING


def _deleted_uncertain(job: NemoEvalJob, submitted: datetime, patience: _Patience, facts: Facts) -> JobStep:
    remains = "possibly a remote job that was being submitted"
    if facts.lookup is None:
        return (
            patience.wait_or_let_go(remains)
            if facts.failed
            else LookUpJob(created_since=submitted - CLOCK_SLACK)
        )
    if facts.lookup.found:
        return Record(job_status.adopted(job, facts.now, facts.lookup.found))
    if _unsettled_seconds(submitted, facts.lookup, facts):
        return patience.wait_or_let_go(remains)
    return RemoveFinalizer()


def _deleted_followed(job: NemoEvalJob, job_id: str, patience: _Patience, facts: Facts) -> JobStep:
    remains = f"remote job {job_id}"
    ended = job.status.completion_time is not None
    if ended and job.spec.deletion_policy is not JobDeletionPolicy.DELETE:
        return RemoveFinalizer()
    match facts.remote:
        case RemoteGone():
            return RemoveFinalizer()
        case RemoteJob(is_terminal=is_terminal) if is_terminal or ended:
            if job.spec.deletion_policy is not JobDeletionPolicy.DELETE or facts.remote_deleted:
                return RemoveFinalizer()
            return patience.wait_or_let_go(remains) if facts.failed else DeleteJob(job_id)
        case RemoteJob(status="cancelling") if not patience.over:
            return _record(job, job_status.cancelling(job, facts.now), rest=CANCEL_RECHECK_SECONDS)
        case RemoteJob() if facts.failed or facts.cancel_asked or (patience.over and _is_cancelling(job)):
            return patience.wait_or_let_go(remains)
        case RemoteJob():
            return CancelJob(job_id)
        case None:
            return patience.wait_or_let_go(remains)


def _record(job: NemoEvalJob, status: EvalJobStatus, *, rest: float | None = None) -> JobStep:
    """Write the status if it says anything new, else rest."""
    return Record(status) if status != job.status else Rest(rest)


def _unsettled_seconds(submitted: datetime, lookup: LookUp, facts: Facts) -> float:
    """How long a look-up must still wait before "not found" means "never created"; 0 if it need not.

    A look-up that began earlier may have run before the evaluator finished creating the job.
    """
    quiet_since = facts.quiet_since or submitted
    return max(0.0, (quiet_since + facts.settle - lookup.begun).total_seconds())


def _deadline(job: NemoEvalJob) -> datetime | None:
    if job.spec.active_deadline_seconds is None or job.status.start_time is None:
        return None
    return parse_timestamp(job.status.start_time) + timedelta(seconds=job.spec.active_deadline_seconds)


def _until(moment: datetime | None, now: datetime) -> float | None:
    """Seconds until then; None where it has passed, which some other fact has to end."""
    return None if moment is None or moment <= now else (moment - now).total_seconds()

"""Next step for a NemoEvalJob that is being deleted; its time-out bounds the deletion in every case.

What runs is cancelled and awaited; then the object is let go, and says what it leaves behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text, parse_timestamp
from nemo_eval_operator.evaluator.model import RemoteJob
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.steps import (
    CancelJob,
    DeleteJob,
    JobStep,
    ObserveJob,
    RemoveFinalizer,
    RequeueAfter,
    ResolveEvaluator,
    WriteStatus,
    write_or_wait,
)
from nemo_eval_operator.resources import JobDeletionPolicy, NemoEvalJob, Phase

from . import end_status
from . import status as job_status
from .attempts import remote_jobs
from .facts import EvaluatorUnusable, Facts, NothingNew, RemoteGone, RemoteUnclear, ResolvedEvaluator, Unknown
from .lookup import (
    look_up,
    look_up_latest,
    status_was_lost,
    unsettled_seconds,
    why_absence_is_no_proof,
)

__all__ = ["RECHECK_SECONDS", "decide_deletion", "release_job_seconds"]

RECHECK_SECONDS: Final = 2.0
"""A cancelled job ends within seconds; a person is waiting for it."""


def decide_deletion(job: NemoEvalJob, since: datetime, facts: Facts) -> JobStep:
    status = job.status
    if FINALIZER not in job.metadata.finalizers:
        return _held_by_others(job, facts)
    if job.spec.deletion_policy is JobDeletionPolicy.ORPHAN:
        return RemoveFinalizer()
    if _nothing_runs(job) and not _still_to_delete(job, facts) and not facts.not_found:
        return RemoveFinalizer()
    if isinstance(facts.evaluator, Unknown):
        return ResolveEvaluator()
    patience = _Patience.of(job, since, facts.now, facts.evaluator)
    if status.job_id is not None:
        return _followed(job, status.job_id, patience, facts)
    if status.submission is not None:
        return _uncertain(job, parse_timestamp(status.submission.time), patience, facts)
    if status_was_lost(job):
        return _uncertain(job, None, patience, facts)
    return _ended(job, patience, facts)


def _nothing_runs(job: NemoEvalJob) -> bool:
    """Return whether status alone shows that no remote job of the last attempt can be running."""
    status = job.status
    if status.job_id is not None:
        return status.completion_time is not None
    return status.submission is None and not status_was_lost(job)


def _held_by_others(job: NemoEvalJob, facts: Facts) -> JobStep:
    """Return whether another finalizer holds it: Argo CD keeps a hook's object until it reads as ended."""
    if not job.metadata.finalizers or job.status.completion_time is not None:
        return RequeueAfter()
    return WriteStatus(
        end_status.cancelled(job, facts.now, "the object was deleted before its evaluation ended")
    )


@dataclass(frozen=True, slots=True)
class _Patience:
    """Wait of a deletion for the evaluator. A reachable evaluator is called at least once."""

    left: float
    limit: timedelta
    evaluator: ResolvedEvaluator | EvaluatorUnusable

    @classmethod
    def of(
        cls,
        job: NemoEvalJob,
        since: datetime,
        now: datetime,
        evaluator: ResolvedEvaluator | EvaluatorUnusable,
    ) -> _Patience:
        limit = timedelta(seconds=job.spec.cancel_timeout_seconds)
        return cls(left=(since + limit - now).total_seconds(), limit=limit, evaluator=evaluator)

    @property
    def outage(self) -> bool:
        """Return whether calls to the evaluator would fail."""
        return isinstance(self.evaluator, EvaluatorUnusable) or self.evaluator.outage is not None

    @property
    def over(self) -> bool:
        return self.left <= 0

    def wait_or_let_go(self, remains: str) -> JobStep:
        if not self.over:
            # The breaker wakes the job after an outage; calls before that would take workers' time.
            return RequeueAfter(self.left if self.outage else min(RECHECK_SECONDS, self.left))
        return RemoveFinalizer(
            left_behind=f"{remains} may still be running: its end was not confirmed "
            f"within {duration_text(self.limit)}"
        )


def release_job_seconds(job: NemoEvalJob, now: datetime) -> float | None:
    """Return for how many seconds a deleted job may still wait; None for one that is not deleted."""
    if job.metadata.deletion_timestamp is None:
        return None
    limit = timedelta(seconds=job.spec.cancel_timeout_seconds)
    return max(0.0, (job.metadata.deletion_timestamp + limit - now).total_seconds())


def _is_cancelling(job: NemoEvalJob) -> bool:
    return job.status.phase is Phase.CANCELLING


def _uncertain(job: NemoEvalJob, submitted: datetime | None, patience: _Patience, facts: Facts) -> JobStep:
    """Return the step for a submission without a known outcome; `submitted` None: status was lost."""
    remains = "a remote job that was being submitted"
    evaluator = patience.evaluator
    if isinstance(facts.lookup, Unknown):
        if facts.failed or patience.outage:
            return patience.wait_or_let_go(remains)
        return look_up_latest(job, facts.now) if submitted is None else look_up(job, submitted)
    if facts.lookup.found:
        used = evaluator.used if isinstance(evaluator, ResolvedEvaluator) else None
        return WriteStatus(job_status.adopted(job, facts.now, facts.lookup.found, used))
    if why_absence_is_no_proof(job, evaluator) is not None:
        return patience.wait_or_let_go(remains)
    if submitted is not None and unsettled_seconds(submitted, facts.lookup, evaluator, facts.settle):
        return patience.wait_or_let_go(remains)
    return _ended(job, patience, facts)


def _followed(job: NemoEvalJob, job_id: str, patience: _Patience, facts: Facts) -> JobStep:
    remains = f"remote job {job_id}"
    if job.status.completion_time is not None:
        return _ended(job, patience, facts)
    if isinstance(patience.evaluator, EvaluatorUnusable):
        return patience.wait_or_let_go(remains)
    match facts.remote:
        case Unknown():
            return ObserveJob(job_id, ask=True)
        case RemoteGone() if why_absence_is_no_proof(job, patience.evaluator) is not None:
            return patience.wait_or_let_go(remains)
        case RemoteGone():
            return _ended(job, patience, facts, gone=job_id)
        case RemoteJob(is_terminal=True):
            return _ended(job, patience, facts)
        case RemoteJob(status="cancelling") if not patience.over:
            return write_or_wait(job, job_status.cancelling(job, facts.now), rest=RECHECK_SECONDS)
        case RemoteJob() if facts.failed or facts.cancel_asked or (patience.over and _is_cancelling(job)):
            return patience.wait_or_let_go(remains)
        case RemoteJob():
            return CancelJob(job_id)
        case RemoteUnclear() | NothingNew():
            return patience.wait_or_let_go(remains)


def _ended(job: NemoEvalJob, patience: _Patience, facts: Facts, *, gone: str | None = None) -> JobStep:
    """Return the step after the end of the remote job; the policy Delete also removes the attempts' jobs.

    `gone`: the remote job that the evaluator does not have any more.
    """
    left = [job_id for job_id in _still_to_delete(job, facts) if job_id != gone]
    if not left:
        return RemoveFinalizer(left_behind=_perhaps_at_former_url(job, patience.evaluator, facts))
    if facts.failed or patience.outage:
        return patience.wait_or_let_go(f"remote job {', '.join(left)}")
    return DeleteJob(left[0])


def _still_to_delete(job: NemoEvalJob, facts: Facts) -> list[str]:
    ids = list(remote_jobs(job.status)) if job.spec.deletion_policy is JobDeletionPolicy.DELETE else []
    return [job_id for job_id in ids if job_id not in facts.deleted]


def _perhaps_at_former_url(
    job: NemoEvalJob, evaluator: ResolvedEvaluator | EvaluatorUnusable, facts: Facts
) -> str | None:
    """The remote jobs that were to be deleted, but are not at the URL that NVIDIA_EVALUATOR_URL has now."""
    if isinstance(evaluator, EvaluatorUnusable):
        return None
    elsewhere = {
        job_id: used.url
        for job_id, used in remote_jobs(job.status).items()
        if job_id in facts.not_found and used is not None and used != evaluator.used
    }
    if not elsewhere:
        return None
    return (
        f"remote job {', '.join(elsewhere)}, unless it was deleted before: submitted to "
        f"{', '.join(dict.fromkeys(elsewhere.values()))}, but NVIDIA_EVALUATOR_URL of the operator is now "
        f"{evaluator.used.url}, which does not know it"
    )

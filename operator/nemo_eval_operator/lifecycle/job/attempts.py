"""The attempts of a job: when another one starts, what it begins with, and what is kept of the earlier ones.

Words and delays are batch/v1 Job's: `backoffLimit` counts retries; they wait 10 s, 20 s, 40 s, at most
six minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import parse_timestamp, timestamp
from nemo_eval_operator.evaluator.model import EvaluatorError, RemoteJob
from nemo_eval_operator.lifecycle import (
    Operation,
    Retry,
    is_infrastructure,
    meaning_of,
    rerun_value,
)
from nemo_eval_operator.resources import AttemptRecord, EvalJobStatus, EvaluatorUsed, NemoEvalJob

__all__ = [
    "is_retryable",
    "is_same_attempt",
    "may_retry",
    "may_retry_refused",
    "next_attempt",
    "remote_jobs",
    "retry_delay",
    "retry_due",
]

HISTORY_LENGTH: Final = 5
"""Earlier attempts kept in status, which lives in etcd."""

FIRST_RETRY: Final = timedelta(seconds=10)
MAX_RETRY: Final = timedelta(minutes=6)


def is_same_attempt(job: NemoEvalJob, later: NemoEvalJob) -> bool:
    """Return whether what was learned of the attempt of `job` is still true of the one of `later`.

    The nonce alone does not say so: a submission that surely came to nothing is repeated with the same one.
    """

    def attempt(status: EvalJobStatus) -> tuple[object, ...]:
        return status.attempt, status.submission, status.job_id, status.completion_time

    if job.status.submission is None and job.status.job_id is None:
        return False
    return job.metadata.uid == later.metadata.uid and attempt(job.status) == attempt(later.status)


def is_retryable(job: NemoEvalJob, failed: RemoteJob) -> bool:
    """Return whether a failure may be retried: one of infrastructure, or of a job that was found by its mark.

    The submission of the latter already went wrong.
    """
    return bool(job.status.adopted) or is_infrastructure(failed.message)


def may_retry(job: NemoEvalJob, failed: RemoteJob) -> bool:
    """Return whether a failed remote job is followed by another attempt."""
    return is_retryable(job, failed) and (job.status.retries or 0) < job.spec.backoff_limit


def may_retry_refused(job: NemoEvalJob, error: EvaluatorError) -> bool:
    """Return whether a submission that the evaluator refused is followed by another attempt."""
    again = meaning_of(error, Operation.CREATE_JOB).retry is Retry.ATTEMPT
    return again and (job.status.retries or 0) < job.spec.backoff_limit


def retry_delay(retries: int) -> timedelta:
    """Return the delay of the retry with this number, from 1."""
    doublings: int = 2 ** min(retries - 1, 10)
    return min(MAX_RETRY, FIRST_RETRY * doublings)


def retry_due(job: NemoEvalJob) -> datetime | None:
    """Return when a retry may be submitted; None where the next attempt is not a retry."""
    if not job.status.retries or not job.status.history:
        return None
    return parse_timestamp(job.status.history[-1].completion_time) + retry_delay(job.status.retries)


def next_attempt(job: NemoEvalJob, ended: EvalJobStatus, now: datetime) -> EvalJobStatus:
    """The status with which the attempt after `ended` begins; nothing of it is submitted yet."""
    number = ended.attempt or 1
    entry = AttemptRecord(
        number=number,
        job_id=ended.job_id,
        outcome=_outcome(ended),
        start_time=_started(ended),
        completion_time=ended.completion_time or timestamp(now),
        evaluator=ended.evaluator,
    )
    return ended.model_copy(
        update={
            "attempt": number + 1,
            "rerun": rerun_value(job),
            "history": [*(ended.history or []), entry][-HISTORY_LENGTH:],
            "submission": None,
            "benchmark": None,
            "adopted": None,
            "job_id": None,
            "progress": None,
            "completion_time": None,
            "duration": None,
            "score": None,
            "scores": None,
            "results_ref": None,
            "evidence_ref": None,
            "gate": None,
        }
    )


def _outcome(ended: EvalJobStatus) -> str:
    """Return the reason with which an attempt ended; one whose gate was not judged yet has completed."""
    reasons = {one.type: one.reason for one in ended.conditions if one.status == "True"}
    if "Reconciling" in reasons and "Complete" in reasons:
        return reasons["Complete"]
    return ended.conditions[0].reason if ended.conditions else "Unknown"


def remote_jobs(status: EvalJobStatus) -> dict[str, EvaluatorUsed | None]:
    """The ids of the remote jobs of this and of the earlier attempts, and where each was submitted.

    As far as they are in the same evaluator.
    """
    here = _connected(status.evaluator)
    earlier = [(entry.job_id, entry.evaluator) for entry in status.history or []]
    every = [*earlier, (status.job_id, status.evaluator)]
    return {job_id: used for job_id, used in every if job_id is not None and _connected(used) == here}


def _connected(evaluator: EvaluatorUsed | None) -> EvaluatorUsed | None:
    """Return the connection that was used; None for the operator's own evaluator, at any URL."""
    return evaluator if evaluator is not None and evaluator.connection is not None else None


def _started(status: EvalJobStatus) -> str | None:
    """The attempt's own start; startTime is the run's, and a retry does not move it."""
    if status.submission is None:
        return status.start_time
    return timestamp(parse_timestamp(status.submission.time))

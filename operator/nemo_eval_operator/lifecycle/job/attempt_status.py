"""The status of a NemoEvalJob between two attempts: what the next one begins with, and why there is one."""

from __future__ import annotations

from datetime import datetime

from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.evaluator.model import EvaluatorError, RemoteJob
from nemo_eval_operator.lifecycle import RERUN_ANNOTATION, reason_of, rerun_value
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob

from . import status as job_status
from .attempts import may_retry_refused, next_attempt, retry_delay
from .end_status import failed
from .status import waiting
from .status_parts import observed

__all__ = ["backing_off", "not_submitted", "rerun", "rerun_ignored", "retrying"]


def retrying(job: NemoEvalJob, now: datetime, remote: RemoteJob) -> EvalJobStatus:
    """The attempt failed for a reason outside the evaluation: the next one follows after a while."""
    return _retry_after(job, now, failed(job, now, remote))


def not_submitted(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """Return the status after a failed POST; a refusal that blames the infrastructure is retried."""
    status = job_status.not_submitted(job, now, error)
    return _retry_after(job, now, status) if may_retry_refused(job, error) else status


def _retry_after(job: NemoEvalJob, now: datetime, ended: EvalJobStatus) -> EvalJobStatus:
    retries = (job.status.retries or 0) + 1
    fresh = next_attempt(job, ended, now).model_copy(update={"retries": retries, "rerun": job.status.rerun})
    message = (
        f"{ended.message}. Retry {retries} of {job.spec.backoff_limit}, attempt {fresh.attempt}, "
        f"follows at {timestamp(now + retry_delay(retries))}"
    )
    return waiting(job.model_copy(update={"status": fresh}), now, Reason.BACK_OFF, message)


def backing_off(job: NemoEvalJob, now: datetime, due: datetime) -> EvalJobStatus:
    if reason_of(job.status.conditions) == Reason.BACK_OFF:
        return observed(job)
    return waiting(
        job, now, Reason.BACK_OFF, f"attempt {job.status.attempt}, a retry, follows at {timestamp(due)}"
    )


def rerun(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    """Return the status of the attempt that the annotation requests; the history is kept."""
    fresh = next_attempt(job, job.status, now).model_copy(update={"start_time": None, "retries": None})
    message = f"attempt {fresh.attempt} starts: {RERUN_ANNOTATION} was set to {fresh.rerun!r}"
    return waiting(job.model_copy(update={"status": fresh}), now, Reason.RERUN, message)


def rerun_ignored(job: NemoEvalJob, _now: datetime) -> EvalJobStatus:
    """A job with spec.cancel stays cancelled; that its annotation was seen is remembered."""
    return observed(job).model_copy(update={"rerun": rerun_value(job)})

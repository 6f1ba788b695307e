"""Resources that stay in the evaluator when an object's finalizer is removed."""

from __future__ import annotations

from nemo_eval_operator.resources import NemoEvalJob

from .lookup import status_was_lost

__all__ = ["left_running"]


def left_running(job: NemoEvalJob) -> str | None:
    """The remote job that goes on without the object; None where none does."""
    if job.status.completion_time is not None:
        return None
    if job.status.job_id is not None:
        return f"remote job {job.status.job_id}"
    if job.status.submission is not None or status_was_lost(job):
        return "a remote job that was being submitted"
    return None

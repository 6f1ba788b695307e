"""Whether a job is to run again, as its annotation requests."""

from __future__ import annotations

from nemo_eval_operator.resources import NemoEvalJob

from .ownership import RERUN_ANNOTATION

__all__ = ["rerun_value", "rerun_wanted"]


def rerun_value(job: NemoEvalJob) -> str | None:
    """Return the current value of the rerun annotation."""
    return job.metadata.annotations.get(RERUN_ANNOTATION)


def rerun_wanted(job: NemoEvalJob) -> bool:
    """Return whether the annotation has a value for which no attempt was started yet."""
    value = rerun_value(job)
    return value is not None and value != job.status.rerun

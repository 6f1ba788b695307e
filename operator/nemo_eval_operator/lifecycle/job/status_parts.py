"""The parts that every status of a NemoEvalJob is made of: phase, conditions and progress. Pure."""

from __future__ import annotations

from datetime import datetime

from nemo_eval_operator.lifecycle import Outcome, conditions_of
from nemo_eval_operator.lifecycle.requests import model_name
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob, Phase, Progress

__all__ = ["observed", "progress_at", "with_outcome"]


def observed(job: NemoEvalJob) -> EvalJobStatus:
    """Return the status with the observed generation."""
    return job.status.model_copy(update={"observed_generation": job.metadata.generation})


def with_outcome(job: NemoEvalJob, now: datetime, phase: Phase, outcome: Outcome) -> EvalJobStatus:
    generation = job.metadata.generation
    conditions = conditions_of(outcome, previous=job.status.conditions, generation=generation, now=now)
    return job.status.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "message": outcome.message,
            "queue_position": None,
            "model": model_name(job),
            "conditions": conditions,
        }
    )


def progress_at(percent: int | None, samples: int | None) -> Progress:
    # additionalPrinterColumns can show a field, but cannot add text to it.
    percentage = None if percent is None else f"{percent}%"
    return Progress(percent=percent, percentage=percentage, samples_processed=samples)

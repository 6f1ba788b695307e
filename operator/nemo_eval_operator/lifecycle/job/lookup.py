"""Look-up of a remote job: where and since when to look, which one counts, and when none exists.

It is chosen by our marks alone, whatever the server filtered.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from nemo_eval_operator.evaluator.model import RemoteJob
from nemo_eval_operator.lifecycle import attempt_carried, claimed_evaluator, is_claimed
from nemo_eval_operator.lifecycle.steps import FindJob
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvaluatorUsed, NemoEvalJob, ObjectMeta

from .facts import EvaluatorUnusable, LookUp, ResolvedEvaluator

__all__ = [
    "evaluator_of_record",
    "look_up",
    "look_up_latest",
    "pick_marked",
    "status_was_lost",
    "unsettled_seconds",
    "why_absence_is_no_proof",
]

CLOCK_SLACK: Final = timedelta(hours=25)
"""Slack for the evaluator's timestamps in a look-up: they have no time zone, so a day and an hour."""

UNDATED: Final = datetime.max.replace(tzinfo=UTC)
"""A job without a readable time of creation comes after those that have one."""


def pick_marked(jobs: Iterable[RemoteJob], meta: ObjectMeta, attempt: int | None) -> list[RemoteJob]:
    """The jobs of this attempt, oldest first: the first is the attempt's, the others are surplus.

    `attempt` None: of whichever attempt, those of the latest first.
    """
    marked: list[tuple[int, datetime, str, RemoteJob]] = []
    for job in jobs:
        number = attempt_carried(job.custom_fields, meta)
        if number is not None and attempt in {None, number}:
            marked.append((-number, job.created_at or UNDATED, job.id, job))
    return [job for *_, job in sorted(marked, key=lambda entry: entry[:3])]


def status_was_lost(job: NemoEvalJob) -> bool:
    """Submitted or about to be, yet status knows nothing: a restored backup, or a tool that strips it."""
    return job.status.attempt is None and is_claimed(job.metadata)


def evaluator_of_record(job: NemoEvalJob) -> EvaluatorUsed | None:
    """Return where a bound job was submitted; None for a job of a version that did not record it."""
    return claimed_evaluator(job.metadata) if status_was_lost(job) else job.status.evaluator


def why_absence_is_no_proof(
    job: NemoEvalJob, evaluator: ResolvedEvaluator | EvaluatorUnusable
) -> EvaluatorUnusable | None:
    """Return why a remote job that `evaluator` does not know may exist; None where it does not exist.

    The administrator may give the operator another address of the same evaluator at any time. An
    evaluator at another address that does not know the job may be another one.
    """
    record = evaluator_of_record(job)
    if record is None or isinstance(evaluator, EvaluatorUnusable) or record == evaluator.used:
        return None
    message = (
        f"submitted to {record.url}, but NVIDIA_EVALUATOR_URL of the operator is now {evaluator.used.url}, "
        "which does not know the run. The administrator can restore the URL until the run has finished; or "
        "delete this object (the remote job keeps running)"
    )
    return EvaluatorUnusable(Reason.EVALUATOR_CHANGED, message, stalled=True)


def look_up(job: NemoEvalJob, submitted: datetime) -> FindJob:
    return FindJob(created_since=submitted - CLOCK_SLACK, attempt=job.status.attempt or 1)


def look_up_latest(job: NemoEvalJob, now: datetime) -> FindJob:
    return FindJob((job.metadata.creation_timestamp or now) - CLOCK_SLACK, attempt=None)


def unsettled_seconds(
    submitted: datetime, lookup: LookUp, evaluator: ResolvedEvaluator | EvaluatorUnusable, settle: timedelta
) -> float:
    """Return the seconds before "not found" means "never created"; 0 where it does already.

    A look-up that began earlier may have run before the evaluator finished creating the job, and so may one
    that began soon after a look-up had failed: an evaluator that stood still goes on with what it had.
    """
    ended = evaluator.last_submission_at if isinstance(evaluator, ResolvedEvaluator) else None
    since = ended or submitted
    since = max(since, lookup.answered_since or since)
    return max(0.0, (since + settle - lookup.begun).total_seconds())

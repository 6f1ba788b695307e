"""The status of a NemoEvalJob while it waits, is submitted and runs; `end_status` has its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nemo_eval_operator.clock import micro_timestamp, timestamp
from nemo_eval_operator.evaluator.model import (
    CANCELLING,
    EvaluatorError,
    RemoteJob,
    readable,
)
from nemo_eval_operator.lifecycle import (
    LOOK_UP_HINT,
    ConditionSet,
    Operation,
    Outcome,
    attempt_carried,
    lasting_condition,
    meaning_of,
    reason_of,
    rerun_value,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    EvalJobStatus,
    EvaluatorUsed,
    MeasuredConfig,
    NemoEvalJob,
    Phase,
    Progress,
    Submission,
)

from .end_status import refused
from .facts import EvaluatorUnusable
from .slots import Queued
from .status_parts import observed, progress_at, with_outcome

__all__ = [
    "adopted",
    "cancel_refused",
    "cancel_requested",
    "cancelling",
    "invalid",
    "not_submitted",
    "out_of_sight",
    "queued",
    "running",
    "submitted",
    "submitting",
    "suspended",
    "uncertain",
    "unclear",
    "waiting",
    "without_evaluator",
]

MAX_WORD_CHARACTERS: Final = 64
"""Characters that are shown of a status that the evaluator reports."""

REMOTE_STATUS_UNKNOWN: Final = Reason.REMOTE_STATUS_UNKNOWN
"""Reason, and condition: present since and while the evaluator does not say how the remote job stands."""


def waiting(job: NemoEvalJob, now: datetime, reason: Reason, message: str) -> EvalJobStatus:
    """Not submitted yet, for a reason outside the job."""
    return with_outcome(job, now, Phase.PENDING, Outcome(ConditionSet.WORKING, reason, message))


def queued(job: NemoEvalJob, now: datetime, slot_decision: Queued) -> EvalJobStatus:
    """Not submitted yet, because the evaluator runs as many jobs as it may."""
    place = (
        "next in the queue"
        if slot_decision.place == 1
        else f"about position {slot_decision.place} in the queue"
    )
    slots = (
        "the only evaluator slot is"
        if slot_decision.limit == 1
        else f"all {slot_decision.limit} evaluator slots are"
    )
    message = f"{place}: {slots} in use"
    return waiting(job, now, Reason.QUEUED, message).model_copy(
        update={"queue_position": slot_decision.place}
    )


def without_evaluator(job: NemoEvalJob, now: datetime, unusable: EvaluatorUnusable) -> EvalJobStatus:
    """Return the status of a job whose evaluator is not usable, for submitting or for polling."""
    remote = job.status.job_id
    message = unusable.message if remote is None else f"remote job {remote}: {unusable.message}"
    standing = ConditionSet.STALLED if unusable.stalled else ConditionSet.WORKING
    submitted = remote is not None or job.status.submission is not None
    phase = (job.status.phase or Phase.RUNNING) if submitted else Phase.PENDING
    return with_outcome(job, now, phase, Outcome(standing, unusable.reason, message))


def suspended(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    message = "spec.suspend is true; the job will be submitted when it is set to false"
    status = with_outcome(
        job, now, Phase.SUSPENDED, Outcome(ConditionSet.SUSPENDED, Reason.SUSPENDED, message)
    )
    # As in batch/v1: activeDeadlineSeconds restarts when the job is resumed.
    return status.model_copy(update={"start_time": None})


def invalid(
    job: NemoEvalJob, now: datetime, message: str, *, reason: Reason = Reason.INVALID_SPEC
) -> EvalJobStatus:
    """The spec cannot be read, or not be turned into a request; a remote job runs as it did."""
    if job.status.job_id is None:
        return with_outcome(job, now, Phase.PENDING, Outcome(ConditionSet.STALLED, reason, message))
    message = f"remote job {job.status.job_id} is not followed: {message}"
    phase = job.status.phase or Phase.RUNNING
    return with_outcome(job, now, phase, Outcome(ConditionSet.STALLED, reason, message))


def submitting(
    job: NemoEvalJob,
    now: datetime,
    nonce: str,
    evaluator: EvaluatorUsed | None = None,
    config: MeasuredConfig | None = None,
) -> EvalJobStatus:
    """The intent: written before the POST, so that a crash in between is noticed, and where to look then.

    A further try after a failed one changes no condition: only its outcome is news.
    """
    reason = reason_of(job.status.conditions)
    if reason is not None and reason.retried:
        status = observed(job).model_copy(update={"phase": Phase.SUBMITTING})
    else:
        outcome = Outcome(
            ConditionSet.WORKING, Reason.SUBMITTING, "the job is being submitted to the evaluator"
        )
        status = with_outcome(job, now, Phase.SUBMITTING, outcome)
    return status.model_copy(
        update={
            "attempt": job.status.attempt or 1,
            "rerun": job.status.rerun if rerun_value(job) is None else rerun_value(job),
            "submission": Submission(nonce=nonce, time=micro_timestamp(now)),
            "evaluator": evaluator,
            "benchmark": config,
        }
    )


def submitted(job: NemoEvalJob, now: datetime, remote: RemoteJob) -> EvalJobStatus:
    return _live(job, now, remote).model_copy(
        update={
            "attempt": job.status.attempt or 1,
            "job_id": remote.id,
            "start_time": job.status.start_time or timestamp(now),
            "progress": _progress(remote, None),
        }
    )


def adopted(
    job: NemoEvalJob, now: datetime, found: Sequence[RemoteJob], evaluator: EvaluatorUsed | None = None
) -> EvalJobStatus:
    """Return the status after the job of an earlier POST was found; the caller cancels duplicates.

    `evaluator`: where it was found, should status no longer know.
    """
    status = submitted(job, now, found[0])
    if job.status.attempt is not None:
        return status.model_copy(update={"adopted": True})
    # Status was lost: what the annotation asked for may have been done, and nothing is run twice on a guess.
    attempt = attempt_carried(found[0].custom_fields, job.metadata) or 1
    return status.model_copy(update={"attempt": attempt, "rerun": rerun_value(job), "evaluator": evaluator})


def not_submitted(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """Return the status after a failed POST, as `lifecycle.evaluator_errors` says."""
    meaning = meaning_of(error, Operation.CREATE_JOB)
    if meaning.may_have_acted:
        return uncertain(job, now, error)
    if meaning.standing is ConditionSet.FAILED:
        return refused(job, now, error)
    status = with_outcome(job, now, Phase.PENDING, meaning.outcome(error))
    return status.model_copy(update={"submission": None})


def uncertain(job: NemoEvalJob, now: datetime, error: EvaluatorError | None = None) -> EvalJobStatus:
    """A POST may or may not have been carried out; it is looked for before another is made."""
    if error is None and reason_of(job.status.conditions) == Reason.SUBMISSION_UNCERTAIN:
        return observed(job)
    cause = error.detail if error else "the operator was interrupted while it submitted the job"
    message = f"{cause}. {LOOK_UP_HINT}"
    return with_outcome(
        job, now, Phase.SUBMITTING, Outcome(ConditionSet.WORKING, Reason.SUBMISSION_UNCERTAIN, message)
    )


def running(job: NemoEvalJob, now: datetime, remote: RemoteJob) -> EvalJobStatus:
    if job.status.phase is Phase.CANCELLING or remote.status == CANCELLING:
        return cancelling(job, now)
    return _live(job, now, remote).model_copy(update={"progress": _progress(remote, job.status.progress)})


def _live(job: NemoEvalJob, now: datetime, remote: RemoteJob) -> EvalJobStatus:
    """The remote job has neither ended nor is it being cancelled."""
    if remote.is_unclear:
        word = readable(remote.status, MAX_WORD_CHARACTERS)
        problem = f'the evaluator reports remote job {remote.id} as "{word}"'
        return unclear(job, now, f"{problem}, which does not say whether it runs")
    if remote.is_queued:
        message = f"the evaluator has accepted it as {remote.id} and has not started it yet"
        return with_outcome(
            job, now, Phase.PENDING, Outcome(ConditionSet.WORKING, Reason.QUEUED_IN_EVALUATOR, message)
        )
    message = f"the evaluator runs it as {remote.id}"
    return with_outcome(job, now, Phase.RUNNING, Outcome(ConditionSet.WORKING, Reason.RUNNING, message))


def unclear(job: NemoEvalJob, now: datetime, problem: str) -> EvalJobStatus:
    """The evaluator answers, but not how the remote job stands; never a failed evaluation."""
    phase = job.status.phase if job.status.phase is Phase.PENDING else Phase.RUNNING
    message = f"{problem}. The operator keeps looking"
    status = with_outcome(job, now, phase, Outcome(ConditionSet.WORKING, REMOTE_STATUS_UNKNOWN, message))
    lasting = lasting_condition(
        REMOTE_STATUS_UNKNOWN,
        status.message or "",
        previous=job.status.conditions,
        generation=job.metadata.generation,
        now=now,
    )
    return status.model_copy(update={"conditions": [*status.conditions, lasting]})


def out_of_sight(job: NemoEvalJob, now: datetime, outage: str) -> EvalJobStatus:
    """The remote job goes on, but the evaluator cannot be asked about it."""
    message = f"remote job {job.status.job_id} cannot be followed: {outage}"
    outcome = Outcome(ConditionSet.WORKING, Reason.EVALUATOR_UNREACHABLE, message)
    return with_outcome(job, now, job.status.phase or Phase.RUNNING, outcome)


def cancelling(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    message = f"cancellation of remote job {job.status.job_id} was requested"
    return with_outcome(job, now, Phase.CANCELLING, Outcome(ConditionSet.WORKING, Reason.CANCELLING, message))


def cancel_requested(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    """Cancellation is about to be requested; that it was refused before is shown until it is accepted."""
    return (
        observed(job) if reason_of(job.status.conditions) == Reason.CANCEL_REFUSED else cancelling(job, now)
    )


def cancel_refused(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """The evaluator answered a cancellation with `error`, and the remote job goes on."""
    message = (
        f"the evaluator does not cancel remote job {job.status.job_id}: {error.detail}. The operator keeps "
        "requesting it"
    )
    return with_outcome(
        job, now, Phase.CANCELLING, Outcome(ConditionSet.WORKING, Reason.CANCEL_REFUSED, message)
    )


def _progress(remote: RemoteJob, before: Progress | None) -> Progress | None:
    """Return progress in steps of one per cent, since each write wakes all watchers; None until counted."""
    details = remote.status_details
    if details.progress is None and details.samples_processed is None:
        return before
    percent = None if details.progress is None else max(0, min(100, int(details.progress)))
    if before is not None and percent is not None and percent == before.percent:
        return before
    return progress_at(percent, details.samples_processed)

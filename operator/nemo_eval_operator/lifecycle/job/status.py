"""The status of a NemoEvalJob after each thing that can happen to it. Pure: job and news in, status out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nemo_eval_operator.clock import duration_text, micro_timestamp, parse_timestamp, timestamp
from nemo_eval_operator.evaluator.model import (
    CANCELLING,
    Ambiguous,
    EvaluatorError,
    Missing,
    RemoteJob,
    Unavailable,
    Unsupported,
    readable,
)
from nemo_eval_operator.lifecycle import (
    ConditionSet,
    Outcome,
    attempt_carried,
    conditions_of,
    lasting_condition,
    reason_of,
    reason_of_absence,
    rerun_command,
)
from nemo_eval_operator.lifecycle.requests import model_name
from nemo_eval_operator.resources import (
    EvalJobStatus,
    EvaluatorUsed,
    MeasuredConfig,
    NemoEvalJob,
    Phase,
    Progress,
    ResultsRef,
    Submission,
)

from .attempts import is_retryable, rerun_value
from .facts import EvaluatorUnusable, Stored
from .failures import is_infrastructure
from .score_line import summary_of
from .scores import MAX_SCORES, metrics_without_scores, scores_of
from .slots import Queued

__all__ = [
    "adopted",
    "cancel_refused",
    "cancel_requested",
    "cancelled",
    "cancelling",
    "deadline_exceeded",
    "ended_by_cancel",
    "failed",
    "invalid",
    "lost",
    "not_submitted",
    "observed",
    "out_of_sight",
    "queued",
    "results_pending",
    "running",
    "submitted",
    "submitting",
    "succeeded",
    "suspended",
    "uncertain",
    "unclear",
    "waiting",
    "without_evaluator",
]

MAX_METRICS_NAMED: Final = 3

DRY_RUN_SCORE: Final = "(dry run)"
"""In the column of scores, in which runs are compared."""

MAX_WORD_CHARACTERS: Final = 64
"""Shown of a status that the evaluator reports."""

REMOTE_STATUS_UNKNOWN: Final = "RemoteStatusUnknown"
"""Reason, and condition: present since and while the evaluator does not say how the remote job stands."""

RETRIED: Final = frozenset(
    {"EvaluatorBusy", "EvaluatorRefusing", "EvaluatorUnauthorized", "EvaluatorUnreachable"}
)
"""Reasons after which the same submission is simply made again."""


def waiting(job: NemoEvalJob, now: datetime, reason: str, message: str) -> EvalJobStatus:
    """Not submitted yet, for a reason outside the job."""
    return _with(job, now, Phase.PENDING, Outcome(ConditionSet.WORKING, reason, message))


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
    return waiting(job, now, "Queued", message).model_copy(update={"queue_position": slot_decision.place})


def without_evaluator(job: NemoEvalJob, now: datetime, unusable: EvaluatorUnusable) -> EvalJobStatus:
    """Nothing can be submitted to the evaluator, or what was submitted cannot be followed there."""
    remote = job.status.job_id
    message = unusable.message if remote is None else f"remote job {remote}: {unusable.message}"
    standing = ConditionSet.STALLED if unusable.stalled else ConditionSet.WORKING
    submitted = remote is not None or job.status.submission is not None
    phase = (job.status.phase or Phase.RUNNING) if submitted else Phase.PENDING
    return _with(job, now, phase, Outcome(standing, unusable.reason, message))


def suspended(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    message = "spec.suspend is true; the job will be submitted when it is set to false"
    status = _with(job, now, Phase.SUSPENDED, Outcome(ConditionSet.SUSPENDED, "Suspended", message))
    # As in batch/v1: the time of activeDeadlineSeconds starts anew when the job is resumed.
    return status.model_copy(update={"start_time": None})


def invalid(job: NemoEvalJob, now: datetime, message: str, *, reason: str = "InvalidSpec") -> EvalJobStatus:
    """The spec cannot be turned into a request."""
    return _with(job, now, Phase.PENDING, Outcome(ConditionSet.STALLED, reason, message))


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
    if reason_of(job.status.conditions) in RETRIED:
        status = observed(job).model_copy(update={"phase": Phase.SUBMITTING})
    else:
        outcome = Outcome(ConditionSet.WORKING, "Submitting", "the job is being submitted to the evaluator")
        status = _with(job, now, Phase.SUBMITTING, outcome)
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
    """The job of an earlier POST was found; the first is ours, the others are cancelled by the caller.

    `evaluator`: where it was found, should status no longer know.
    """
    status = submitted(job, now, found[0])
    if job.status.attempt is not None:
        return status.model_copy(update={"adopted": True})
    # Status was lost: what the annotation asked for may have been done, and nothing is run twice on a guess.
    attempt = attempt_carried(found[0].custom_fields, job.metadata) or 1
    return status.model_copy(update={"attempt": attempt, "rerun": rerun_value(job), "evaluator": evaluator})


def not_submitted(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """What a failed POST means: not reached, refused for good, refused for now, or unknown."""
    match error:
        case Ambiguous():
            return uncertain(job, now, error)
        case Unavailable():
            retry = waiting(job, now, reason_of_absence(error), error.detail)
        case Missing():
            retry = waiting(
                job, now, "EvaluatorRefusing", f"{error.detail}. Tried again once the config is there"
            )
        case Unsupported():
            retry = waiting(job, now, "EvaluatorRefusing", f"{error.detail}. Is this URL a NeMo Evaluator?")
        case _:
            return _refused(job, now, error)
    return retry.model_copy(update={"submission": None})


def uncertain(job: NemoEvalJob, now: datetime, error: EvaluatorError | None = None) -> EvalJobStatus:
    """A POST may or may not have been carried out; it is looked for before another is made."""
    if error is None and reason_of(job.status.conditions) == "SubmissionUncertain":
        return observed(job)
    cause = error.detail if error else "the operator was interrupted while it submitted the job"
    message = f"{cause}. Looking for the job in the evaluator before submitting again"
    return _with(job, now, Phase.SUBMITTING, Outcome(ConditionSet.WORKING, "SubmissionUncertain", message))


def _refused(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """A clear no to the POST: there is no remote job, and the same request will most likely be refused again.

    One that blames the infrastructure may be retried, as spec.backoffLimit says (`attempt_status`).
    """
    reason, message = "EvaluatorRejected", f"{error.detail}. {_correction(job)}"
    if is_infrastructure(error.detail):
        retries = job.status.retries or 0
        exhausted = retries > 0 and retries >= job.spec.backoff_limit
        reason = "BackoffLimitExceeded" if exhausted else reason
        count = f" (after spec.backoffLimit={retries} retries)" if exhausted else ""
        message = f"{error.detail}{count}. To start another attempt: {rerun_command(job)}"
    status = _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, reason, message))
    return status.model_copy(update={"submission": None})


def _correction(job: NemoEvalJob) -> str:
    """Who is at fault is not known: a job with a benchmark brings only the target and a few values."""
    if job.spec.benchmark_ref is None:
        return "Correct it in a new NemoEvalJob"
    name = job.spec.benchmark_ref.name
    return (
        f"If the config is at fault, correct the NemoBenchmark {name} and start another attempt: "
        f"{rerun_command(job)}. Otherwise correct the target in a new NemoEvalJob"
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
        return _with(job, now, Phase.PENDING, Outcome(ConditionSet.WORKING, "QueuedInEvaluator", message))
    message = f"the evaluator runs it as {remote.id}"
    return _with(job, now, Phase.RUNNING, Outcome(ConditionSet.WORKING, "Running", message))


def unclear(job: NemoEvalJob, now: datetime, problem: str) -> EvalJobStatus:
    """The evaluator answers, but not how the remote job stands; never a failed evaluation."""
    phase = job.status.phase if job.status.phase is Phase.PENDING else Phase.RUNNING
    message = f"{problem}. The operator keeps looking"
    status = _with(job, now, phase, Outcome(ConditionSet.WORKING, REMOTE_STATUS_UNKNOWN, message))
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
    outcome = Outcome(ConditionSet.WORKING, "EvaluatorUnreachable", message)
    return _with(job, now, job.status.phase or Phase.RUNNING, outcome)


def cancelling(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    message = f"cancellation of remote job {job.status.job_id} was requested"
    return _with(job, now, Phase.CANCELLING, Outcome(ConditionSet.WORKING, "Cancelling", message))


def cancel_requested(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    """Cancellation is about to be requested; that it was refused before is shown until it is accepted."""
    return observed(job) if reason_of(job.status.conditions) == "CancelRefused" else cancelling(job, now)


def cancel_refused(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """The evaluator answered a cancellation with `error`, and the remote job goes on."""
    message = (
        f"the evaluator does not cancel remote job {job.status.job_id}: {error.detail}. The operator keeps "
        "requesting it"
    )
    return _with(job, now, Phase.CANCELLING, Outcome(ConditionSet.WORKING, "CancelRefused", message))


def succeeded(job: NemoEvalJob, now: datetime, remote: RemoteJob, stored: Stored) -> EvalJobStatus:
    samples = remote.status_details.samples_processed
    if samples is None and job.status.progress is not None:
        samples = job.status.progress.samples_processed
    scores = scores_of(stored.results)
    where = f"full results in ConfigMap {stored.config_map}"
    cut = f"; rows were dropped to fit, all of them are at {stored.url}" if stored.truncated else ""
    count = "1 score" if len(scores) == 1 else f"{len(scores)} scores"
    message = f"{count}{_without(stored)}{_limited(job)}; {where}{cut}"
    outcome = Outcome(ConditionSet.COMPLETE, "Completed", message)
    if job.spec.dry_run:
        outcome = Outcome(ConditionSet.COMPLETE, "DryRunCompleted", f"dry run, not a result: {message}")
    return _ended(job, now, Phase.SUCCEEDED, outcome).model_copy(
        update={
            "progress": _progress_at(100, samples),
            "scores": scores[:MAX_SCORES],
            "score": DRY_RUN_SCORE if job.spec.dry_run else summary_of(scores),
            "results_ref": ResultsRef(
                config_map=stored.config_map,
                key=stored.key,
                url=stored.url,
                truncated=stored.truncated or None,
            ),
        }
    )


def _without(stored: Stored) -> str:
    """`, none for metrics em, f1`: those that could be computed for no sample."""
    missing = metrics_without_scores(stored.results)
    if not missing:
        return ""
    named = ", ".join(missing[:MAX_METRICS_NAMED])
    more = f" and {len(missing) - MAX_METRICS_NAMED} more" if len(missing) > MAX_METRICS_NAMED else ""
    return f", none for metric{'s' if len(missing) > 1 else ''} {named}{more}"


def _limited(job: NemoEvalJob) -> str:
    """`, limited to 5 samples of each task`: such scores are not comparable with those of all samples."""
    limit = job.status.benchmark and job.status.benchmark.limit_samples
    return f", limited to {limit} sample{'' if limit == 1 else 's'} of each task" if limit else ""


def failed(job: NemoEvalJob, now: datetime, remote: RemoteJob) -> EvalJobStatus:
    retries, reason, count = job.status.retries or 0, "EvaluationFailed", ""
    if retries and retries >= job.spec.backoff_limit and is_retryable(job, remote):
        reason, count = "BackoffLimitExceeded", f", after spec.backoffLimit={retries} retries"
    said = remote.readable_message or "the evaluator gave no message"
    message = f"{said} (remote job {remote.id}{count})"
    return _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, reason, message))


def lost(job: NemoEvalJob, now: datetime, *, overdue: bool = False) -> EvalJobStatus:
    if job.status.phase is Phase.CANCELLING:
        # A server that cannot cancel was asked to delete instead.
        if overdue and not job.spec.cancel:
            return ended_by_cancel(job, now, overdue=True)
        return cancelled(job, now, f"remote job {job.status.job_id} is gone after its cancellation")
    message = (
        f"the evaluator no longer has job {job.status.job_id}. It is not run again by itself; to start "
        f"another attempt: {rerun_command(job)}"
    )
    return _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, "ExternalJobLost", message))


def ended_by_cancel(job: NemoEvalJob, now: datetime, *, overdue: bool) -> EvalJobStatus:
    """The remote job is cancelled: because we asked, because of the deadline, or by somebody else."""
    if job.spec.cancel:
        return cancelled(job, now, f"remote job {job.status.job_id} was cancelled as spec.cancel asks")
    if overdue:
        return deadline_exceeded(job, now)
    return cancelled(job, now, f"remote job {job.status.job_id} was cancelled in the evaluator")


def deadline_exceeded(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    message = f"cancelled after spec.activeDeadlineSeconds={job.spec.active_deadline_seconds}"
    return _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, "DeadlineExceeded", message))


def cancelled(job: NemoEvalJob, now: datetime, message: str) -> EvalJobStatus:
    """No result was delivered, so whoever waits for one has to learn of it: Failed, reason Cancelled."""
    status = _ended(job, now, Phase.CANCELLED, Outcome(ConditionSet.FAILED, "Cancelled", message))
    return status.model_copy(update={"submission": None}) if job.status.job_id is None else status


def results_pending(
    job: NemoEvalJob, now: datetime, problem: str, *, given_up: bool = False
) -> EvalJobStatus:
    """Completed in the evaluator, but its results cannot be read or kept yet. Never a failed evaluation.

    `given_up`: it will not mend by itself, so whoever waits is told at once; the job still goes on trying.
    """
    message = f"the evaluation completed, its results are not here yet: {problem}"
    if given_up:
        message += f". Remote job {job.status.job_id} still has them; the operator keeps retrying"
        return _with(job, now, Phase.RUNNING, Outcome(ConditionSet.STALLED, "ResultsNotKept", message))
    return _with(job, now, Phase.RUNNING, Outcome(ConditionSet.WORKING, "ResultsUnavailable", message))


def observed(job: NemoEvalJob) -> EvalJobStatus:
    """Nothing new but the generation that was handled."""
    return job.status.model_copy(update={"observed_generation": job.metadata.generation})


def _ended(job: NemoEvalJob, now: datetime, phase: Phase, outcome: Outcome) -> EvalJobStatus:
    start = job.status.start_time
    duration = duration_text(now - parse_timestamp(start)) if start else None
    measured = job.status.benchmark
    update = {
        "completion_time": timestamp(now),
        "duration": duration,
        # By now the results ConfigMap has it, and without results there is nothing to compare.
        "benchmark": measured and measured.model_copy(update={"config": None}),
    }
    return _with(job, now, phase, outcome).model_copy(update=update)


def _with(job: NemoEvalJob, now: datetime, phase: Phase, outcome: Outcome) -> EvalJobStatus:
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


def _progress(remote: RemoteJob, before: Progress | None) -> Progress | None:
    """In steps of one per cent, since each write wakes all watchers; null until the evaluator counts."""
    details = remote.status_details
    if details.progress is None and details.samples_processed is None:
        return before
    percent = None if details.progress is None else max(0, min(100, int(details.progress)))
    if before is not None and percent is not None and percent == before.percent:
        return before
    return _progress_at(percent, details.samples_processed)


def _progress_at(percent: int | None, samples: int | None) -> Progress:
    # additionalPrinterColumns can show a field, but cannot add text to it.
    percentage = None if percent is None else f"{percent}%"
    return Progress(percent=percent, percentage=percentage, samples_processed=samples)

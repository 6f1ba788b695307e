"""The status of a NemoEvalJob whose attempt has ended, or whose results are still to be kept. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from nemo_eval_operator.clock import duration_text, parse_timestamp, timestamp
from nemo_eval_operator.evaluator.model import EvaluatorError, RemoteJob
from nemo_eval_operator.lifecycle import (
    Advice,
    ConditionSet,
    Operation,
    Outcome,
    Retry,
    meaning_of,
    rerun_command,
    with_advice,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob, Phase, ResultsRef

from .attempts import is_retryable
from .facts import Stored
from .scores import RunScores
from .status_parts import progress_at, with_outcome

__all__ = [
    "cancelled",
    "deadline_exceeded",
    "ended_by_cancel",
    "failed",
    "lost",
    "refused",
    "results_pending",
    "succeeded",
]

DRY_RUN_SCORE: Final = "(dry run)"
"""Text in the column of scores for a dry run."""


def refused(job: NemoEvalJob, now: datetime, error: EvaluatorError) -> EvalJobStatus:
    """Return the status after a refused POST: no remote job exists, and a repetition would be refused.

    One that blames the infrastructure may be retried, as spec.backoffLimit says (`attempt_status`).
    """
    meaning = meaning_of(error, Operation.CREATE_JOB)
    reason, message = meaning.outcome(error).reason, _with_correction(meaning.message(error), job)
    if meaning.retry is Retry.ATTEMPT:
        retries = job.status.retries or 0
        exhausted = retries > 0 and retries >= job.spec.backoff_limit
        reason = Reason.BACKOFF_LIMIT_EXCEEDED if exhausted else reason
        count = f" (after spec.backoffLimit={retries} retries)" if exhausted else ""
        message = with_advice(f"{error.detail}{count}", Advice.RERUN, f" {rerun_command(job)}")
    status = _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, reason, message))
    return status.model_copy(update={"submission": None})


def _with_correction(cause: str, job: NemoEvalJob) -> str:
    """Add the fields to correct: a job with a benchmark brings only the target and a few values."""
    if job.spec.benchmark_ref is None:
        return with_advice(cause, Advice.CORRECT_JOB)
    rest = (
        f" {job.spec.benchmark_ref.name} and start another attempt: {rerun_command(job)}. "
        "Otherwise correct the target in a new NemoEvalJob"
    )
    return with_advice(cause, Advice.CORRECT_CONFIG, rest)


def succeeded(job: NemoEvalJob, now: datetime, remote: RemoteJob, stored: Stored) -> EvalJobStatus:
    samples = remote.status_details.samples_processed
    if samples is None and job.status.progress is not None:
        samples = job.status.progress.samples_processed
    scores = stored.scores
    where = f"full results in ConfigMap {stored.config_map}"
    cut = f"; rows were dropped to fit, all of them are at {stored.url}" if stored.truncated else ""
    count = "1 score" if scores.count == 1 else f"{scores.count} scores"
    message = f"{count}{_without(scores)}{_limited(job)}; {where}{cut}"
    outcome = Outcome(ConditionSet.COMPLETE, Reason.COMPLETED, message)
    if job.spec.dry_run:
        outcome = Outcome(
            ConditionSet.COMPLETE, Reason.DRY_RUN_COMPLETED, f"dry run, not a result: {message}"
        )
    return _ended(job, now, Phase.SUCCEEDED, outcome).model_copy(
        update={
            "progress": progress_at(100, samples),
            "scores": list(scores.first),
            "score": DRY_RUN_SCORE if job.spec.dry_run else scores.line,
            "results_ref": ResultsRef(
                config_map=stored.config_map,
                key=stored.key,
                url=stored.url,
                truncated=stored.truncated or None,
            ),
            "evidence_ref": stored.evidence,
        }
    )


def _without(scores: RunScores) -> str:
    """Return `, none for metrics em, f1`: metrics that could not be computed for any sample."""
    named, count = scores.metrics_without, scores.metrics_without_count
    if not named:
        return ""
    more = f" and {count - len(named)} more" if count > len(named) else ""
    return f", none for metric{'s' if count > 1 else ''} {', '.join(named)}{more}"


def _limited(job: NemoEvalJob) -> str:
    """Return `, limited to 5 samples of each task`: such scores are not comparable with full ones."""
    limit = job.status.benchmark and job.status.benchmark.limit_samples
    return f", limited to {limit} sample{'' if limit == 1 else 's'} of each task" if limit else ""


def failed(job: NemoEvalJob, now: datetime, remote: RemoteJob) -> EvalJobStatus:
    retries, reason, count = job.status.retries or 0, Reason.EVALUATION_FAILED, ""
    if retries and retries >= job.spec.backoff_limit and is_retryable(job, remote):
        reason, count = Reason.BACKOFF_LIMIT_EXCEEDED, f", after spec.backoffLimit={retries} retries"
    said = remote.readable_message or "the evaluator gave no message"
    message = f"{said} (remote job {remote.id}{count})"
    return _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, reason, message))


def lost(job: NemoEvalJob, now: datetime, *, overdue: bool = False) -> EvalJobStatus:
    if job.status.phase is Phase.CANCELLING:
        # A server that cannot cancel was asked to delete instead.
        if overdue and not job.spec.cancel:
            return ended_by_cancel(job, now, overdue=True)
        return cancelled(job, now, f"remote job {job.status.job_id} is gone after its cancellation")
    cause = f"the evaluator no longer has job {job.status.job_id}, which is not run again by itself"
    message = with_advice(cause, Advice.RERUN, f" {rerun_command(job)}")
    return _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, Reason.EXTERNAL_JOB_LOST, message))


def ended_by_cancel(job: NemoEvalJob, now: datetime, *, overdue: bool) -> EvalJobStatus:
    """Return the status of a cancelled remote job: by spec.cancel, by the deadline, or by another client."""
    if job.spec.cancel:
        return cancelled(job, now, f"remote job {job.status.job_id} was cancelled as spec.cancel asks")
    if overdue:
        return deadline_exceeded(job, now)
    return cancelled(job, now, f"remote job {job.status.job_id} was cancelled in the evaluator")


def deadline_exceeded(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    message = f"cancelled after spec.activeDeadlineSeconds={job.spec.active_deadline_seconds}"
    return _ended(job, now, Phase.FAILED, Outcome(ConditionSet.FAILED, Reason.DEADLINE_EXCEEDED, message))


def cancelled(job: NemoEvalJob, now: datetime, message: str) -> EvalJobStatus:
    """Return the status of a cancelled run. It is Failed, since no result was delivered."""
    status = _ended(job, now, Phase.CANCELLED, Outcome(ConditionSet.FAILED, Reason.CANCELLED, message))
    return status.model_copy(update={"submission": None}) if job.status.job_id is None else status


def results_pending(
    job: NemoEvalJob, now: datetime, problem: str, *, given_up: bool = False
) -> EvalJobStatus:
    """Return the status of a completed job whose results cannot be read or stored yet; it has not failed.

    `given_up`: the failure will not pass by itself, so the job is stalled; the operator still retries.
    """
    message = f"the evaluation completed, but its results are not stored yet: {problem}"
    if given_up:
        message += f". Remote job {job.status.job_id} still has them; the operator keeps retrying"
        return with_outcome(
            job, now, Phase.RUNNING, Outcome(ConditionSet.STALLED, Reason.RESULTS_NOT_KEPT, message)
        )
    return with_outcome(
        job, now, Phase.RUNNING, Outcome(ConditionSet.WORKING, Reason.RESULTS_UNAVAILABLE, message)
    )


def _ended(job: NemoEvalJob, now: datetime, phase: Phase, outcome: Outcome) -> EvalJobStatus:
    start = job.status.start_time
    duration = duration_text(now - parse_timestamp(start)) if start else None
    measured = job.status.benchmark
    update = {
        "completion_time": timestamp(now),
        "duration": duration,
        # The results ConfigMap has it now, and without results there is nothing to compare.
        "benchmark": measured and measured.model_copy(update={"config": None}),
    }
    return with_outcome(job, now, phase, outcome).model_copy(update=update)

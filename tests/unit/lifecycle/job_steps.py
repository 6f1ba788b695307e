"""Expectations about decisions on a NemoEvalJob, and situations that several test modules share."""

from __future__ import annotations

from nemo_eval_operator.lifecycle.job import BenchmarkUnusable
from nemo_eval_operator.lifecycle.steps import JobStep, WriteStatus
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob

MISSING = BenchmarkUnusable(Reason.BENCHMARK_NOT_FOUND, "there is no NemoBenchmark qa in team-a")
UNREADY = BenchmarkUnusable(Reason.BENCHMARK_NOT_READY, "NemoBenchmark qa is not ready: drafting")
OUTAGE = "cannot connect to http://evaluator.test: refused"


def written(step: JobStep) -> EvalJobStatus:
    """Return the status that the step writes; fail if it writes none."""
    assert isinstance(step, WriteStatus), step
    return step.status


def outcome(step: JobStep) -> tuple[str | None, str]:
    """Return phase and reason of the status that the step writes."""
    status = written(step)
    assert {entry.reason for entry in status.conditions} == {status.conditions[0].reason}
    return status.phase, status.conditions[0].reason


UNCLEAR_WORDS = ("ready", "unknown", "error", "active", "UNAVAILABLE", "tomorrow's word")


def after(job: NemoEvalJob, step: JobStep) -> NemoEvalJob:
    """Return the object as it is once the step's status is written."""
    return job.model_copy(update={"status": written(step)})

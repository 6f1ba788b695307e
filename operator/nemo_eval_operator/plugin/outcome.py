"""How a run stands and how it has ended, read off the object: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.lifecycle import cause_of, rerun_wanted
from nemo_eval_operator.resources import Condition, NemoEvalJob

from .exit_codes import ExitCode

__all__ = [
    "Ending",
    "awaits_rerun",
    "condition_of",
    "ending_of",
    "gate_condition",
    "is_behind",
    "not_ended",
    "overall",
    "reason_in",
    "stage_of",
    "time_left",
]

PRECEDENCE: Final = (
    *(ExitCode.NOT_FOUND, ExitCode.UNAVAILABLE, ExitCode.FAILED, ExitCode.TIMED_OUT),
    *(ExitCode.INCONCLUSIVE, ExitCode.PASSED),
)
"""Of several runs, the first of these exit codes that one of them has is the command's."""

VERDICT: Final = re.compile(r"^the gate (passed|failed|is inconclusive): ")
"""Beginning of a message that repeats the word for the outcome."""

MIN_PERCENT: Final = 3
"""Percent done below which the time left is not estimated."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: the exit code, a word and the cause in the operator's message."""

    code: ExitCode
    word: str
    message: str


def condition_of(job: NemoEvalJob, kind: str) -> Condition | None:
    """Return the job's condition of this type."""
    return next((one for one in job.status.conditions if one.type == kind), None)


def ending_of(job: NemoEvalJob) -> Ending | None:
    """Return how the run ended; None while it goes on, or the operator has not seen the latest change.

    A run that is Stalled has ended: it does not proceed until a person changes something, as Flux and
    kstatus read it too.
    """
    if is_behind(job) or awaits_rerun(job):
        return None
    true = {one.type for one in job.status.conditions if one.status == "True"}
    message = VERDICT.sub("", cause_of(job.status.message or ""))
    if "Ready" in true:
        gate = gate_condition(job)
        if gate is not None and gate.status == "Unknown":
            return Ending(ExitCode.PASSED, "passed, as onInconclusive is Pass", message)
        return Ending(ExitCode.PASSED, "passed" if gate else "succeeded", message)
    if "Stalled" not in true:
        return None
    if "Failed" in true:
        phase = job.status.phase
        return Ending(ExitCode.FAILED, phase.value.lower() if phase else "failed", message)
    match gate_condition(job):
        case Condition(status="False"):
            return Ending(ExitCode.FAILED, "gate failed", message)
        case Condition():
            return Ending(ExitCode.INCONCLUSIVE, "gate inconclusive", message)
        case None:
            return Ending(ExitCode.FAILED, "stalled", message)


def is_behind(job: NemoEvalJob) -> bool:
    """Return whether the operator has not seen the latest change of the object."""
    return (job.status.observed_generation or 0) < job.metadata.generation


def awaits_rerun(job: NemoEvalJob) -> bool:
    """Return whether an attempt has ended, and another one is requested that the operator has yet to start.

    After spec.cancel it starts none. An attempt that was never submitted is itself the one to come.
    """
    return job.status.completion_time is not None and rerun_wanted(job) and not job.spec.cancel


def not_ended(job: NemoEvalJob) -> str:
    """Return how a run without an ending stands, to follow its name in a sentence."""
    if awaits_rerun(job):
        return f"is to run again: attempt {_next_attempt(job)} is requested and has not started yet"
    if job.status.completion_time is not None and is_behind(job):
        return "was changed after it had ended, which the operator has not seen yet"
    return f"has not ended yet: {stage_of(job)}"


def _next_attempt(job: NemoEvalJob) -> int:
    return (job.status.attempt or 1) + 1


def overall(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of a command about several runs."""
    found = set(codes)
    return next((code for code in PRECEDENCE if code in found), ExitCode.PASSED)


def stage_of(job: NemoEvalJob) -> str:
    """Return where the run stands in a few words: the phase, and its percentage or reason."""
    phase, progress = job.status.phase, job.status.progress
    if phase is None:
        return "not reconciled yet"
    if awaits_rerun(job):
        return f"Rerun requested (attempt {_next_attempt(job)} has not started yet)"
    if phase == "Running":
        return f"Running {progress.percent}%" if progress and progress.percent is not None else "Running"
    reason = reason_in(job)
    position = f", about position {job.status.queue_position}" if job.status.queue_position else ""
    return f"{phase.value} ({reason}{position})" if reason and reason != phase.value else phase.value


def gate_condition(job: NemoEvalJob) -> Condition | None:
    """Return the condition that has the gate's verdict; None where the run was not judged."""
    return condition_of(job, "GatePassed")


def reason_in(job: NemoEvalJob) -> str:
    """Return the reason of the condition Ready; empty where there is none."""
    ready = condition_of(job, "Ready")
    return ready.reason if ready else ""


def time_left(job: NemoEvalJob, now: datetime) -> timedelta | None:
    """Estimate when the run is done, from the share that is done; None where too little is known."""
    status = job.status
    percent = status.progress.percent if status.progress else None
    if status.start_time is None or status.completion_time is not None or percent is None:
        return None
    if not MIN_PERCENT <= percent < 100:  # noqa: PLR2004 - percent
        return None
    return (now - parse_timestamp(status.start_time)) * (100 - percent) / percent

"""Whose turn it is to be submitted: the evaluator may run only so many jobs at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.evaluator.model import JobStatus
from nemo_eval_operator.resources import NemoEvalJob

from .snapshot import snapshot_in_status

__all__ = ["Admitted", "Counting", "Queued", "Run", "SlotDecision", "occupies", "rounded_position", "run_of"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The job has a slot at the evaluator until its run ends."""


@dataclass(frozen=True, slots=True)
class Queued:
    """All slots are taken. `place` is the job's position in the queue, rounded up."""

    place: int
    limit: int


@dataclass(frozen=True, slots=True)
class Counting:
    """The number of jobs that run already is not known yet."""


SlotDecision = Admitted | Queued | Counting


@dataclass(frozen=True, slots=True)
class Run:
    """One submission of an object, or its remote job (`job_id`), which may have a slot."""

    uid: str
    namespace: str
    job_id: str | None
    since: datetime
    """When it was submitted."""


def occupies(job: NemoEvalJob) -> bool:
    """Return whether a remote job of it may be running: one is known, or a POST may have created one.

    A completed job needs no slot, also while its results cannot be read or kept.
    """
    status = job.status
    if status.completion_time is not None or JobStatus.is_terminal(snapshot_in_status(status).state):
        return False
    return status.job_id is not None or status.submission is not None


def run_of(job: NemoEvalJob) -> Run:
    """The run of a job that `occupies`."""
    status, meta = job.status, job.metadata
    since = status.submission.time if status.submission else status.start_time
    submitted = parse_timestamp(since) if since else meta.creation_timestamp or datetime.now(UTC)
    return Run(uid=meta.uid, namespace=meta.namespace, job_id=status.job_id, since=submitted)


def rounded_position(place: int) -> int:
    """Return `place` rounded up to 1, 3, 10, 30, 100 and so on.

    A job that moves up from the 5,000th place writes eight times, not 5,000.
    """
    rounded = 1
    while rounded < place:
        rounded = rounded * 3 if str(rounded)[0] == "1" else rounded // 3 * 10
    return rounded

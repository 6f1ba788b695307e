"""Whose turn it is to be submitted: the evaluator may run only so many jobs at once."""

from __future__ import annotations

from dataclasses import dataclass

from nemo_eval_operator.resources import NemoEvalJob

__all__ = ["Admitted", "Counting", "Queued", "Turn", "occupies", "rounded_place"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """One of the places at the evaluator is the job's, until its run ends."""


@dataclass(frozen=True, slots=True)
class Queued:
    """All places are taken. The job is `place`th in line or before that."""

    place: int
    limit: int


@dataclass(frozen=True, slots=True)
class Counting:
    """How many jobs run already is not known yet."""


Turn = Admitted | Queued | Counting


def occupies(job: NemoEvalJob) -> bool:
    """Whether a remote job of it may be running: one is known, or a POST may have become one."""
    status = job.status
    return status.completion_time is None and (status.job_id is not None or status.submission is not None)


def rounded_place(place: int) -> int:
    """`place` or the next told one after it: 1, 3, 10, 30, 100 and so on.

    A job that moves up from the 5,000th place writes eight times, not 5,000.
    """
    told = 1
    while told < place:
        told = told * 3 if str(told)[0] == "1" else told // 3 * 10
    return told

"""The event that a change of status deserves: one where the verdict's reason changes, none otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nemo_eval_operator.resources import Condition

__all__ = ["Event", "event_of_change"]


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event to be: type, reason and message."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


TROUBLE = frozenset(
    {
        "BenchmarkNotFound",
        "EvaluatorFailing",
        "EvaluatorUnreachable",
        "ResultsUnavailable",
        "SubmissionUncertain",
    }
)
"""Reasons that a person should see although the operator goes on by itself."""

QUIET = frozenset({"Submitting"})
"""Lasts for one request; the next reason tells how it went."""


def event_of_change(before: Sequence[Condition], after: Sequence[Condition]) -> Event | None:
    """The event of the step from one list of conditions to the next."""
    reason, message = after[0].reason, after[0].message
    if reason in QUIET or (before and before[0].reason == reason):
        return None
    stalled = any(condition.type == "Stalled" for condition in after)
    return Event("Warning" if stalled or reason in TROUBLE else "Normal", reason, message)

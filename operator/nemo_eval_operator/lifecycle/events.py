"""The event of a change of status: one where the verdict's reason changes, unless all goes well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nemo_eval_operator.resources import BenchmarkStatus, Condition, NemoEvalJob

from .ownership import owned_by_gitops

__all__ = [
    "Event",
    "event_of_change",
    "event_of_ignored_rerun",
    "event_of_ignored_ttl",
    "event_of_moved_config",
]


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event to be: type, reason and message."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


TROUBLE = frozenset(
    {
        "BackOff",
        "BenchmarkNotFound",
        "CancelRefused",
        "ConnectionNotFound",
        "ConnectionNotReady",
        "ConnectionRefused",
        "DNSError",
        "EvaluatorFailing",
        "EvaluatorRefusing",
        "EvaluatorUnauthorized",
        "EvaluatorUnreachable",
        "RemoteStatusUnknown",
        "ResultsUnavailable",
        "SecretNotAllowed",
        "SecretNotFound",
        "SecretTooLarge",
        "ServerError",
        "SubmissionUncertain",
        "TimedOut",
    }
)
"""Reasons that a person should see although the operator goes on by itself."""

QUIET = frozenset({"BenchmarkReconciling", "Queued", "QueuedInEvaluator", "Submitting"})
"""Steps on the way that every job may take: status tells of them, and each event is a write."""

SMOOTH: Final = frozenset(
    {
        ("Submitting", "Running"),
        ("Running", "Completed"),
        ("Running", "DryRunCompleted"),
        ("QueuedInEvaluator", "Running"),
        ("QueuedInEvaluator", "Completed"),
        ("QueuedInEvaluator", "DryRunCompleted"),
        # Of an outage each running job's status tells: ten thousand events would tell nothing more.
        ("Running", "EvaluatorUnreachable"),
        ("QueuedInEvaluator", "EvaluatorUnreachable"),
        ("EvaluatorUnreachable", "Running"),
        # That its status is clear again, the object says; one event tells that it was not.
        ("RemoteStatusUnknown", "Running"),
    }
)
"""Steps of a job that nothing is wrong with: status tells of them, and each event is a write."""


def event_of_moved_config(before: BenchmarkStatus, after: BenchmarkStatus) -> Event | None:
    """That a benchmark's config was made anew in another evaluator; None where it was not."""
    old, new = before.evaluator, after.evaluator
    if old is None or new is None or old == new:
        return None
    message = f"the config is kept at {new.url} now; config {before.config} at {old.url} is left as it is"
    return Event("Normal", "EvaluatorChanged", message)


def event_of_ignored_ttl(before: NemoEvalJob, after: NemoEvalJob) -> Event | None:
    """Why a job that has just finished stays although it has a time to live; None where it does not stay."""
    owner = owned_by_gitops(after.metadata)
    ended = before.status.completion_time is None and after.status.completion_time is not None
    if owner is None or after.spec.ttl_seconds_after_finished is None or not ended:
        return None
    message = (
        f"spec.ttlSecondsAfterFinished is ignored: {owner} says that a GitOps tool owns this object "
        "and would create it again"
    )
    return Event("Normal", "TTLIgnored", message)


def event_of_ignored_rerun(before: NemoEvalJob, after: NemoEvalJob) -> Event | None:
    """Why a job that is asked to run again does not; None where it does, or was not asked."""
    asked = before.status.completion_time is not None and after.status.rerun != before.status.rerun
    if not asked or after.status.completion_time is None:
        return None
    message = "spec.cancel is true and cannot be taken back: create a new NemoEvalJob to evaluate once more"
    return Event("Warning", "RerunIgnored", message)


def event_of_change(before: Sequence[Condition], after: Sequence[Condition]) -> Event | None:
    """The event of the step from one list of conditions to the next."""
    if not after:
        return None
    reason, message = after[0].reason, after[0].message
    was = before[0].reason if before else None
    if reason in QUIET or was == reason or (was, reason) in SMOOTH:
        return None
    stalled = any(condition.type == "Stalled" for condition in after)
    return Event("Warning" if stalled or reason in TROUBLE else "Normal", reason, message)

"""The event of a change of status: one where the verdict's reason changes, unless all goes well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nemo_eval_operator.reasons import EventType, Reason
from nemo_eval_operator.resources import BenchmarkStatus, Condition, GateVerdict, NemoEvalJob

from .conditions import reason_of
from .ownership import owned_by_gitops

__all__ = [
    "Event",
    "event_of_change",
    "event_of_ignored_rerun",
    "event_of_ignored_ttl",
    "event_of_moved_config",
    "event_of_new_verdict",
]


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event to be: type, reason and message."""

    type: Literal["Normal", "Warning"]
    reason: Reason
    message: str


SMOOTH: Final = frozenset(
    {
        (Reason.SUBMITTING, Reason.RUNNING),
        (Reason.RUNNING, Reason.COMPLETED),
        (Reason.RUNNING, Reason.DRY_RUN_COMPLETED),
        (Reason.QUEUED_IN_EVALUATOR, Reason.RUNNING),
        (Reason.QUEUED_IN_EVALUATOR, Reason.COMPLETED),
        (Reason.QUEUED_IN_EVALUATOR, Reason.DRY_RUN_COMPLETED),
        # Each running job's status shows an outage: ten thousand events would add nothing.
        (Reason.RUNNING, Reason.EVALUATOR_UNREACHABLE),
        (Reason.QUEUED_IN_EVALUATOR, Reason.EVALUATOR_UNREACHABLE),
        (Reason.EVALUATOR_UNREACHABLE, Reason.RUNNING),
        # The object's status shows that it is clear again; one event reported that it was not.
        (Reason.REMOTE_STATUS_UNKNOWN, Reason.RUNNING),
    }
)
"""Reasons of a job without trouble. They cause no event: status shows them, and each event is a write."""


def event_of_moved_config(before: BenchmarkStatus, after: BenchmarkStatus) -> Event | None:
    """Return the event that a benchmark's config was created in another evaluator; None where it was not."""
    old, new = before.evaluator, after.evaluator
    if old is None or new is None or old == new:
        return None
    message = f"the config is kept at {new.url} now; config {before.config} at {old.url} is left as it is"
    return Event("Normal", Reason.EVALUATOR_CHANGED, message)


def event_of_ignored_ttl(before: NemoEvalJob, after: NemoEvalJob) -> Event | None:
    """Return why a finished job is kept although it has a time to live; None where it is deleted."""
    owner = owned_by_gitops(after.metadata)
    ended = before.status.completion_time is None and after.status.completion_time is not None
    if owner is None or after.spec.ttl_seconds_after_finished is None or not ended:
        return None
    message = (
        f"spec.ttlSecondsAfterFinished is ignored: {owner} says that a GitOps tool owns this object "
        "and would create it again"
    )
    return Event("Normal", Reason.TTL_IGNORED, message)


def event_of_ignored_rerun(before: NemoEvalJob, after: NemoEvalJob) -> Event | None:
    """Return why a requested rerun is ignored; None where it is not, or was not requested."""
    asked = before.status.completion_time is not None and after.status.rerun != before.status.rerun
    if not asked or after.status.completion_time is None:
        return None
    message = (
        "spec.cancel is true and cannot be set back to false: create a new NemoEvalJob to run the evaluation "
        "again"
    )
    return Event("Warning", Reason.RERUN_IGNORED, message)


def event_of_new_verdict(before: NemoEvalJob, after: NemoEvalJob) -> Event | None:
    """Return the event of a changed gate whose verdict has the same reason as before; None otherwise.

    Another reason is an event already, and the same gate is judged once.
    """
    old, new = before.status.gate, after.status.gate
    if old is None or new is None or old.hash == new.hash or new.verdict is GateVerdict.PENDING:
        return None
    reason = reason_of(after.status.conditions)
    if reason is None or reason is not reason_of(before.status.conditions):
        return None
    stalled = any(condition.type == "Stalled" for condition in after.status.conditions)
    return Event("Warning" if stalled else "Normal", reason, after.status.conditions[0].message)


def event_of_change(before: Sequence[Condition], after: Sequence[Condition]) -> Event | None:
    """The event of the step from one list of conditions to the next."""
    if not after:
        return None
    reason, message = reason_of(after), after[0].message
    was = reason_of(before)
    if reason is None or reason.event is EventType.NONE or was is reason or (was, reason) in SMOOTH:
        return None
    stalled = any(condition.type == "Stalled" for condition in after)
    warns = stalled or reason.event is EventType.WARNING
    return Event("Warning" if warns else "Normal", reason, message)

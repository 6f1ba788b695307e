"""Conditions that kubectl wait, Flux and Argo CD interpret.

For kstatus an object with `Ready=False` alone is in progress without an end, and one
without conditions is done: hence each outcome here sets Ready and, with it,
Reconciling (still working) or Stalled (a person has to act). Both are
abnormal-true: present only while true.
Source: Kubernetes API conventions, "Typical status properties"; kstatus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.evaluator.model import shortened
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import Condition

__all__ = ["ConditionSet", "Outcome", "conditions_of", "lasting_condition", "reason_of"]


class ConditionSet(Enum):
    """Set of conditions of an object; the value is their types and statuses."""

    WORKING = (("Ready", "False"), ("Reconciling", "True"))
    READY = (("Ready", "True"),)
    STALLED = (("Ready", "False"), ("Stalled", "True"))
    COMPLETE = (("Ready", "True"), ("Complete", "True"))
    FAILED = (("Ready", "False"), ("Stalled", "True"), ("Failed", "True"))
    SUSPENDED = (("Suspended", "True"),)
    GATE_PENDING = (
        ("Ready", "False"),
        ("Reconciling", "True"),
        ("GatePassed", "Unknown"),
        ("Complete", "True"),
    )
    GATE_PASSED = (("Ready", "True"), ("GatePassed", "True"), ("Complete", "True"))
    GATE_FAILED = (("Ready", "False"), ("Stalled", "True"), ("GatePassed", "False"), ("Complete", "True"))
    GATE_INCONCLUSIVE = (
        ("Ready", "False"),
        ("Stalled", "True"),
        ("GatePassed", "Unknown"),
        ("Complete", "True"),
    )
    GATE_LET_THROUGH = (("Ready", "True"), ("GatePassed", "Unknown"), ("Complete", "True"))


MAX_MESSAGE_CHARACTERS: Final = 4_000
"""A condition's may hold 32,768, but it stands in every condition and in status.message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A set of conditions with its reason (CamelCase, for machines) and message (for people)."""

    standing: ConditionSet
    reason: Reason
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message, MAX_MESSAGE_CHARACTERS))


def conditions_of(
    outcome: Outcome, *, previous: Sequence[Condition], generation: int, now: datetime
) -> list[Condition]:
    """Return all conditions of the object; a transition time changes only with the condition's status."""
    before = {condition.type: condition for condition in previous}

    def condition(kind: str, status: str) -> Condition:
        old = before.get(kind)
        kept = old.last_transition_time if old and old.status == status else timestamp(now)
        return Condition(
            type=kind,
            status=status,
            reason=outcome.reason.value,
            message=outcome.message,
            last_transition_time=kept,
            observed_generation=generation,
        )

    return [condition(kind, status) for kind, status in outcome.standing.value]


def lasting_condition(
    kind: Reason, message: str, *, previous: Sequence[Condition], generation: int, now: datetime
) -> Condition:
    """Return an additional condition that is true; its transition time is kept while it stays true."""
    since = next((old.last_transition_time for old in previous if old.type == kind), timestamp(now))
    return Condition(
        type=kind.value,
        status="True",
        reason=kind.value,
        message=message,
        last_transition_time=since,
        observed_generation=generation,
    )


def reason_of(conditions: Sequence[Condition]) -> Reason | None:
    """Return the reason of the last outcome, which all its conditions carry; None where it is not known."""
    return Reason.read(conditions[0].reason) if conditions else None

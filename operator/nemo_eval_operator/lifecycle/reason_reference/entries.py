"""One entry of the reference: a reason as one kind shows it."""

from __future__ import annotations

from dataclasses import dataclass

from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.reasons import Reason

__all__ = ["ConditionEntry", "EventEntry"]


@dataclass(frozen=True, slots=True)
class ConditionEntry:
    """What a reason of an object's conditions means, and what its user does. Plain text."""

    reason: Reason
    conditions: tuple[ConditionSet, ...]
    """Sets of conditions that it comes with; empty for a condition of its own beside them."""
    meaning: str
    action: str
    """Empty: nothing has to be done."""

    @property
    def needs_person(self) -> bool:
        """Whether the operator waits for a change by a person in every case."""
        return bool(self.conditions) and all(("Stalled", "True") in one.value for one in self.conditions)


@dataclass(frozen=True, slots=True)
class EventEntry:
    """What an event means that is posted besides changes of conditions. Plain text."""

    reason: Reason
    kinds: tuple[str, ...]
    meaning: str
    action: str

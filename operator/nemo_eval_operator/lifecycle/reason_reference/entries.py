"""One entry of the reference: a reason as one kind shows it."""

from __future__ import annotations

from dataclasses import dataclass

from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.reasons import Reason

__all__ = ["ConditionEntry", "EventEntry"]


@dataclass(frozen=True, slots=True)
class ConditionEntry:
    """Meaning of a condition's reason, and what a user does. Plain text."""

    reason: Reason
    conditions: tuple[ConditionSet, ...]
    """Sets of conditions that it comes with; empty for a condition of its own beside them."""
    meaning: str
    action: str
    """Empty: nothing has to be done."""

    @property
    def needs_person(self) -> bool:
        """Return whether the operator waits for a change by a person in every case."""
        return bool(self.conditions) and all(("Stalled", "True") in one.value for one in self.conditions)


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Meaning of an event that is not posted for a change of conditions. Plain text."""

    reason: Reason
    kinds: tuple[str, ...]
    meaning: str
    action: str

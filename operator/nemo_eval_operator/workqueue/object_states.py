"""What is kept in memory of an object between two reconciliations: one record each, forgotten in one place.

All of it can be lost: it comes from the objects and the evaluators again. What is kept by something other
than the object (jobs by evaluator, objects by connection) is an index, and registers how it forgets one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from nemo_eval_operator.kube import ObjectKey

__all__ = ["ObjectState", "ObjectStates"]


@dataclass(slots=True)
class ObjectState:
    """The record of one object. Each field is written by the module that its docstring names."""

    priority: int = 0
    """Among the keys of a namespace, as a watch event showed it last (handlers)."""
    urgent: bool = False
    """Whether it was added as urgent and not reconciled since (WorkQueue)."""
    failures: int = 0
    """Failed reconciliations in a row (WorkQueue)."""
    lane: str = ""
    """The connection whose share of the workers it takes up; empty where it has none (reconcile.lanes)."""
    connection: str | None = None
    """The connection whose changes concern it (EvaluatorResolver)."""
    submission: tuple[str, datetime] | None = None
    """The time of a job's intent, and since when no answer to it has come (Submitter)."""
    results_tries: tuple[str, int] | None = None
    """The remote job, and how often its results could not be kept (ResultsKeeper)."""
    files_tries: tuple[str, int] | None = None
    """The remote job, and how often its files with the items' scores could not be read (ResultsKeeper)."""
    generation: tuple[str, int] | None = None
    """uid and generation of a connection when it was reconciled last (ConnectionReconciler)."""
    counts: tuple[int, int] | None = None
    """Running and waiting jobs as a connection's status reports them (ConnectionReconciler)."""


_EMPTY = ObjectState()


class ObjectStates:
    """The records by key. One that says nothing is not kept."""

    def __init__(self) -> None:
        self._by_key: dict[ObjectKey, ObjectState] = {}
        self._indexes: list[Callable[[ObjectKey], None]] = []

    def of(self, key: ObjectKey) -> ObjectState:
        """Return the record to write to; it is made where there is none."""
        return self._by_key.setdefault(key, ObjectState())

    def read(self, key: ObjectKey) -> ObjectState:
        """Return the record to read only; an empty one where there is none."""
        return self._by_key.get(key, _EMPTY)

    def tidy(self, key: ObjectKey) -> None:
        """Drop the record if it says nothing."""
        if self._by_key.get(key) == _EMPTY:
            del self._by_key[key]

    def calm(self, key: ObjectKey) -> None:
        """Note that the object, if it was urgent, was reconciled."""
        if self.read(key).urgent:
            self.of(key).urgent = False
            self.tidy(key)

    def on_forget(self, forget: Callable[[ObjectKey], None]) -> None:
        """Have an index forget each object that is forgotten here."""
        self._indexes.append(forget)

    def forget(self, key: ObjectKey) -> None:
        """Keep nothing of an object that is gone or is another operator's, here or in any index."""
        for forget in self._indexes:
            forget(key)
        state = self._by_key.pop(key, None)
        if state is not None and state.priority:
            # Another object of this name may have come. Without one, the handlers set the priority to 0.
            self._by_key[key] = ObjectState(priority=state.priority)

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._by_key

"""Lanes of the work queue: all objects about one evaluator share a lane and its share of workers."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.resources import CONNECTION_PLURAL, EvaluatorUsed

__all__ = ["OWN_LANE", "Lanes", "lane_at"]

OWN_LANE: Final = "own"
"""No connection's, whose names have a slash."""


def lane_at(used: EvaluatorUsed) -> str:
    """Return the lane of all objects about this evaluator."""
    return used.connection or OWN_LANE


class Lanes:
    """Lanes of connections, by object.

    One that is about the operator's own, or that was not looked at yet, has none: it takes one up
    (`WorkQueue.enter`) once it is known.
    """

    def __init__(self) -> None:
        self._by_key: dict[ObjectKey, str] = {}

    def lane_of(self, key: ObjectKey) -> str:
        if key.plural == CONNECTION_PLURAL:
            # They have to tell how it is, however busy an evaluator keeps jobs; each namespace its own.
            return f"{key.namespace}/"
        return self._by_key.get(key, "")

    def put(self, key: ObjectKey, used: EvaluatorUsed | None) -> None:
        if used is None or used.connection is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = used.connection

    def forget(self, key: ObjectKey) -> None:
        self._by_key.pop(key, None)

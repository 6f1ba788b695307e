"""Whose turn in the work queue an object takes up: that of the evaluator it is about."""

from __future__ import annotations

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.resources import CONNECTION_PLURAL, EvaluatorUsed

__all__ = ["Lanes"]


class Lanes:
    """Connections by object. One that was not looked at yet, or is about the operator's own, has none."""

    def __init__(self) -> None:
        self._by_key: dict[ObjectKey, str] = {}

    def lane_of(self, key: ObjectKey) -> str:
        if key.plural == CONNECTION_PLURAL:
            # They have to tell how it is, however busy an evaluator keeps the others.
            return CONNECTION_PLURAL
        return self._by_key.get(key, "")

    def put(self, key: ObjectKey, used: EvaluatorUsed | None) -> None:
        if used is None or used.connection is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = used.connection

    def forget(self, key: ObjectKey) -> None:
        self._by_key.pop(key, None)

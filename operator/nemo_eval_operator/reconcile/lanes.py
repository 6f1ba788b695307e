"""Lanes of the work queue: all objects about one evaluator share a lane and its share of workers."""

from __future__ import annotations

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.resources import CONNECTION_PLURAL, EvaluatorUsed
from nemo_eval_operator.workqueue import OWN_LANE, ObjectStates

__all__ = ["OWN_LANE", "lane_at", "lane_of", "put_in_lane"]


def lane_at(used: EvaluatorUsed) -> str:
    """Return the lane of all objects about this evaluator."""
    return used.connection or OWN_LANE


def lane_of(states: ObjectStates, key: ObjectKey) -> str:
    """Return the lane of a connection that an object's reconciliation begins in; empty for all others.

    One that is about the operator's own evaluator, or that was not reconciled yet, takes up a lane
    (`WorkQueue.enter`) once it is known.
    """
    if key.plural == CONNECTION_PLURAL:
        # Their status has to be current, however busy an evaluator keeps jobs: a lane for each namespace.
        return f"{key.namespace}/"
    return states.read(key).lane


def put_in_lane(states: ObjectStates, key: ObjectKey, used: EvaluatorUsed | None) -> None:
    """Let later reconciliations of the object begin in the lane of its evaluator."""
    lane = "" if used is None or used.connection is None else used.connection
    if lane != states.read(key).lane:
        states.of(key).lane = lane

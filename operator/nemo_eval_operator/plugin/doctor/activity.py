"""What the runs of a namespace show of an operator whose lease is not found: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text, parse_timestamp
from nemo_eval_operator.resources import NemoEvalJob

from .findings import Finding, Level
from .judging import UNSEEN_AFTER

__all__ = ["activity_finding"]

RECENT: Final = timedelta(hours=1)
"""Age of the last change of a run up to which an operator is taken to work."""

NAME_LEASE: Final = (
    "Name its lease with --lease and its namespace with --operator-namespace. An operator outside the "
    "cluster without leader election is fine, and has none."
)


def activity_finding(jobs: Sequence[NemoEvalJob], namespace: str, now: datetime) -> Finding:
    """Judge an operator without a lease by what it has done to these runs."""
    unseen = [
        one.metadata.name
        for one in jobs
        if (one.status.observed_generation or 0) < one.metadata.generation
        and one.metadata.creation_timestamp is not None
        and now - one.metadata.creation_timestamp > UNSEEN_AFTER
    ]
    if unseen:
        message = f"no lease was found, and run {unseen[0]} in namespace {namespace} has not been reconciled"
        return Finding("operator", Level.WARNING, message, NAME_LEASE)
    changes = [
        parse_timestamp(condition.last_transition_time) for one in jobs for condition in one.status.conditions
    ]
    if not changes:
        message = "no lease was found: none is installed, or it has another lease or no leader election"
        return Finding("operator", Level.WARNING, message, NAME_LEASE)
    age = max(now - max(changes), timedelta())
    seen = f"the last change of a run in namespace {namespace} was {duration_text(age)} ago"
    if age > RECENT:
        return Finding("operator", Level.WARNING, f"no lease was found, and {seen}", NAME_LEASE)
    return Finding(
        "operator", Level.OK, f"it reconciles runs: {seen}. It has no lease here, as one outside the cluster"
    )

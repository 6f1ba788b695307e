"""Deletion of a NemoEvaluatorConnection: how long it is kept for the objects that need it.

A namespace, or a file of manifests, is deleted in any order. If the connection went first, the operator could
neither cancel the jobs that run nor remove the configs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.lifecycle import FINALIZER, claimed_evaluator
from nemo_eval_operator.lifecycle.benchmark import RELEASE_PATIENCE
from nemo_eval_operator.lifecycle.job import evaluator_of_record
from nemo_eval_operator.resources import EvaluatorUsed, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection

from .selection import connection_name

__all__ = ["Hold", "Needs", "hold_of", "needs_of"]

GRACE: Final = timedelta(seconds=60)
"""Time for which a deleted connection is kept for objects that are not deleted: they may be deleted next."""

MARGIN: Final = timedelta(seconds=10)
"""Margin beyond the time-out of an object's own deletion, for the write of its release."""

Owner = NemoBenchmark | NemoEvalJob


@dataclass(frozen=True, slots=True)
class Needs:
    """Number of objects that need a deleted connection, and until when it is kept for them."""

    jobs: int
    benchmarks: int
    until: datetime

    @property
    def message(self) -> str:
        """A sentence for the condition."""
        counts = ((self.jobs, "NemoEvalJob"), (self.benchmarks, "NemoBenchmark"))
        parts = [f"{count} {kind}{'' if count == 1 else 's'}" for count, kind in counts if count]
        need = "needs" if self.jobs + self.benchmarks == 1 else "need"
        return (
            f"the connection is being deleted, but {' and '.join(parts)} still {need} it. It is released "
            f"when they have ended or been deleted, at the latest at {timestamp(self.until)}"
        )


class Hold(NamedTuple):
    """One object that needs a deleted connection, and until when it holds it."""

    is_job: bool
    until: datetime


def hold_of(connection: NemoEvaluatorConnection, owner: Owner, deleted: datetime) -> Hold | None:
    """Return how `owner` holds the connection, deleted at `deleted`; None where it does not need it.

    It does while its own deletion has to end something in the connection's evaluator.
    """
    if FINALIZER not in owner.metadata.finalizers or not connection.allows_namespace(
        owner.metadata.namespace
    ):
        return None
    if _recorded(owner) != EvaluatorUsed(url=connection.url, connection=connection_name(connection)):
        return None
    return Hold(isinstance(owner, NemoEvalJob), _until(connection, owner, deleted))


def needs_of(holds: Iterable[Hold], now: datetime) -> Needs | None:
    """Those of `holds` that still count; None where none does."""
    held = [hold for hold in holds if hold.until > now]
    if not held:
        return None
    jobs = sum(hold.is_job for hold in held)
    return Needs(jobs, len(held) - jobs, max(hold.until for hold in held))


def _recorded(owner: Owner) -> EvaluatorUsed | None:
    if isinstance(owner, NemoEvalJob):
        return evaluator_of_record(owner)
    return owner.status.evaluator or claimed_evaluator(owner.metadata)


def _until(connection: NemoEvaluatorConnection, owner: Owner, deleted: datetime) -> datetime:
    """Objects of other namespaces, which may be hostile, hold it for the grace period only."""
    grace, since = deleted + GRACE, owner.metadata.deletion_timestamp
    if since is None or since > grace or owner.metadata.namespace != connection.metadata.namespace:
        return grace
    if isinstance(owner, NemoEvalJob):
        return max(grace, since + timedelta(seconds=owner.spec.cancel_timeout_seconds) + MARGIN)
    return max(grace, since + RELEASE_PATIENCE + MARGIN)

"""The part of a remote job that can change its object's status, small enough to keep for each."""

from __future__ import annotations

from typing import NamedTuple

from nemo_eval_operator.evaluator import RemoteJob
from nemo_eval_operator.resources import EvalJobStatus, Phase

from .conditions import reason_of

__all__ = ["Glimpse", "glimpse_of", "glimpse_told_by"]


class Glimpse(NamedTuple):
    """`state` is "active" for every state in which the job may still run, bar cancelling."""

    state: str
    percent: int | None

    def tells_more_than(self, known: Glimpse) -> bool:
        """Evaluators that count may stop to: no number is no news."""
        return self.state != known.state or (self.percent is not None and self.percent != known.percent)


def glimpse_of(remote: RemoteJob) -> Glimpse:
    telling = remote.is_terminal or remote.status == "cancelling"
    progress = remote.status_details.progress
    percent = None if progress is None else max(0, min(100, int(progress)))
    return Glimpse(remote.status if telling else "active", percent)


def glimpse_told_by(status: EvalJobStatus) -> Glimpse:
    """What a reader of the status already knows of the remote job."""
    percent = status.progress.percent if status.progress else None
    if reason_of(status.conditions) in {"EvaluatorUnreachable", "ResultsUnavailable"}:
        return Glimpse("out of sight", percent)
    return Glimpse("cancelling" if status.phase is Phase.CANCELLING else "active", percent)

"""The part of a remote job that can change its object's status, small enough to keep for each."""

from __future__ import annotations

from typing import Final, NamedTuple

from nemo_eval_operator.evaluator.model import CANCELLING, JobState, JobStatus
from nemo_eval_operator.lifecycle import reason_of
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvalJobStatus, Phase

__all__ = ["JobSnapshot", "snapshot_in_status", "snapshot_of"]


LIVE: Final = frozenset({"active", "queued", "unclear"})
"""States in which the job may still run and was not cancelled."""


class JobSnapshot(NamedTuple):
    """State of a remote job: "queued" until the evaluator starts it, "unclear" for an unknown status."""

    state: str
    percent: int | None
    samples: int | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    def tells_more_than(self, known: JobSnapshot) -> bool:
        """Return whether this differs from `other`; a missing count is not a change."""
        if self.state != known.state:
            # Still at it although cancellation was asked for: that is asked again in its own time.
            return not (self.is_live and known.state == "cancelling")
        if JobStatus.is_terminal(self.state):
            return False
        if self.percent is not None:
            return self.percent != known.percent
        return self.samples is not None and self.samples != known.samples


def snapshot_of(remote: JobState) -> JobSnapshot:
    progress = remote.progress
    percent = None if progress is None else max(0, min(100, int(progress)))
    return JobSnapshot(_state_of(remote), percent, _rounded(remote.samples_processed))


def _state_of(remote: JobState) -> str:
    if remote.is_unclear:
        # Not the word: an evaluator that changes it each time must not cause as many writes.
        return "unclear"
    if remote.is_queued:
        return "queued"
    return remote.status if remote.is_terminal or remote.status == CANCELLING else "active"


def _rounded(samples: int | None) -> int | None:
    """Round to two digits, so that counting to a million is a hundred changes and not a million."""
    if samples is None:
        return None
    step: int = 10 ** max(0, len(str(samples)) - 2)
    return samples // step * step


def snapshot_in_status(status: EvalJobStatus) -> JobSnapshot:
    """Return the state of the remote job that the status shows already."""
    percent = status.progress.percent if status.progress else None
    samples = _rounded(status.progress.samples_processed) if status.progress else None
    match reason_of(status.conditions):
        case None:
            # A newer version of the operator may have written it.
            state = "out of sight"
        case reason if reason.hides_remote_job:
            state = "out of sight"
        case Reason.RESULTS_UNAVAILABLE | Reason.RESULTS_NOT_KEPT:
            # Fetching them again has a backoff of its own, which the poller must not cut short.
            state = JobStatus.COMPLETED.value
        case Reason.REMOTE_STATUS_UNKNOWN:
            state = "unclear"
        case Reason.QUEUED_IN_EVALUATOR:
            state = "queued"
        case _:
            state = CANCELLING if status.phase is Phase.CANCELLING else "active"
    return JobSnapshot(state, percent, samples)

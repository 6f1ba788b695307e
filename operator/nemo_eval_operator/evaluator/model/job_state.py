"""How far a remote job is, by the words and numbers of its document."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple, Self

from nemo_eval_operator.json_types import JsonObject

from .wire_types import count_or_none, dict_or_empty, number_or_none, word_of

__all__ = ["CANCELLING", "LIVE_STATES", "JobState", "JobStatus"]

LIVE_STATES: Final = ("created", "pending", "running")
"""Those that NeMo's documentation lists for filter[status] and in which a job goes on."""


QUEUED_STATES: Final = ("created", "pending")
"""Those in which the evaluator has accepted a job and not started it."""


CANCELLING: Final = "cancelling"
"""The state of a job whose cancellation was accepted and that has not ended yet."""


class JobStatus(StrEnum):
    """The states of a v1 job that end it; every other word means that it may still run."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @staticmethod
    def is_terminal(status: str) -> bool:
        return status in _TERMINAL


_TERMINAL: Final = frozenset(JobStatus)


class JobState(NamedTuple):
    """How far a job is. `status` stays a string, since new words may appear."""

    status: str
    progress: float | None
    samples_processed: int | None

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        """Return the state of the job, as the `RemoteJob` of this document has it."""
        details = dict_or_empty(document.get("status_details"))
        return cls(
            word_of(document.get("status")),
            number_or_none(details.get("progress")),
            count_or_none(details.get("samples_processed")),
        )

    @property
    def is_terminal(self) -> bool:
        return JobStatus.is_terminal(self.status)

    @property
    def is_queued(self) -> bool:
        return self.status in QUEUED_STATES

    @property
    def is_unclear(self) -> bool:
        """Whether the status does not say if the job runs: a word that v1 does not document, or none."""
        return not (self.is_terminal or self.status in LIVE_STATES or self.status == CANCELLING)

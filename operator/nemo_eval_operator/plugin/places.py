"""The links of a run's chain, and to which one each reason of a job belongs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from nemo_eval_operator.reasons import Reason

__all__ = ["PLACES", "Place"]


class Place(StrEnum):
    """A link of the chain, in its order."""

    SPEC = "spec"
    CONNECTION = "connection"
    BENCHMARK = "benchmark"
    QUEUE = "queue"
    REMOTE_JOB = "remote job"
    RESULTS = "results"
    GATE = "gate"


PLACES: Final[Mapping[Reason, Place]] = {
    **dict.fromkeys(
        (
            *(Reason.CONNECTION_NOT_FOUND, Reason.CONNECTION_NOT_ALLOWED, Reason.CONNECTION_NOT_READY),
            *(Reason.CONNECTION_TERMINATING, Reason.EVALUATOR_CHANGED, Reason.EVALUATOR_MISMATCH),
            *(Reason.EVALUATOR_UNREACHABLE, Reason.EVALUATOR_UNAUTHORIZED, Reason.EVALUATOR_BUSY),
            Reason.EVALUATOR_REFUSING,
        ),
        Place.CONNECTION,
    ),
    **dict.fromkeys(
        (Reason.BENCHMARK_NOT_FOUND, Reason.BENCHMARK_NOT_READY, Reason.BENCHMARK_RECONCILING),
        Place.BENCHMARK,
    ),
    **dict.fromkeys((Reason.QUEUED, Reason.SUSPENDED, Reason.BACK_OFF, Reason.RERUN), Place.QUEUE),
    **dict.fromkeys(
        (
            *(Reason.SUBMITTING, Reason.SUBMISSION_UNCERTAIN, Reason.QUEUED_IN_EVALUATOR, Reason.RUNNING),
            *(Reason.REMOTE_STATUS_UNKNOWN, Reason.CANCELLING, Reason.CANCEL_REFUSED, Reason.CANCELLED),
            *(Reason.EVALUATION_FAILED, Reason.EVALUATOR_REJECTED, Reason.BACKOFF_LIMIT_EXCEEDED),
            *(Reason.DEADLINE_EXCEEDED, Reason.EXTERNAL_JOB_LOST),
        ),
        Place.REMOTE_JOB,
    ),
    **dict.fromkeys(
        (
            *(Reason.RESULTS_UNAVAILABLE, Reason.RESULTS_NOT_KEPT),
            *(Reason.COMPLETED, Reason.DRY_RUN_COMPLETED),
        ),
        Place.RESULTS,
    ),
    **dict.fromkeys(
        (
            *(Reason.GATE_PENDING, Reason.GATE_PASSED, Reason.GATE_FAILED, Reason.GATE_INCONCLUSIVE),
            Reason.WAITING_FOR_BASELINE,
        ),
        Place.GATE,
    ),
}
"""Link of a job's reason; reasons that are not here are about the spec and what it refers to."""

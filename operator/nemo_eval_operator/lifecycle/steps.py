"""Steps that a decision can name; the reconcilers execute them.

ReadBenchmark, ResolveEvaluator, ObserveJob, AcquireSlot, FindJob and CollectResults request the facts of
`lifecycle.job.facts`: their answers are filled in, and it is decided again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from nemo_eval_operator.resources import EvalJobStatus, NemoEvalJob

__all__ = [
    "AcquireSlot",
    "AddFinalizer",
    "CancelJob",
    "CollectResults",
    "CreateConfig",
    "DeleteConfig",
    "DeleteJob",
    "DeleteObject",
    "FindJob",
    "JobStep",
    "JudgeGate",
    "ObserveConfig",
    "ObserveJob",
    "ReadBenchmark",
    "RemoveFinalizer",
    "ReplaceConfig",
    "RequeueAfter",
    "ResolveEvaluator",
    "SubmitJob",
    "UpdateConfig",
    "WriteStatus",
    "write_or_wait",
]

Status = TypeVar("Status")


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Nothing to do now; reconcile again in `seconds`, or only after an event."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class WriteStatus(Generic[Status]):
    """Write this status, then decide again."""

    status: Status


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Add the finalizer before anything is created in the evaluator."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Release the object. `left_behind` says what stays in the evaluator against the user's wish."""

    left_behind: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Delete the object: its time to live has passed."""


@dataclass(frozen=True, slots=True)
class ReadBenchmark:
    """Read the benchmark that the job refers to; nothing is read for a job that brings its own config."""


@dataclass(frozen=True, slots=True)
class ResolveEvaluator:
    """Find the evaluator that the job is about, and whether it can be used now."""


@dataclass(frozen=True, slots=True)
class ObserveJob:
    """Read what the poller last reported about the remote job.

    `ask`: where it reported nothing, ask the evaluator. Not for one that runs as its status says: the poller
    reports when that changes.
    """

    job_id: str
    ask: bool


@dataclass(frozen=True, slots=True)
class AcquireSlot:
    """Acquire a slot at the evaluator, or a position in its queue; nothing else delays the submission."""


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """Prepare the request, write the intent, and POST the job if no other operator has won that write.

    `claim`: the finalizer and the claim come before the intent. Not before the request is prepared: the
    deletion of a job that cannot be submitted has nothing to wait for.
    """

    claim: bool = False


@dataclass(frozen=True, slots=True)
class FindJob:
    """A POST may have been carried out: find the job by its mark among those created since.

    `attempt` None: whichever is the latest, since status no longer knows.
    """

    created_since: datetime
    attempt: int | None


@dataclass(frozen=True, slots=True)
class CancelJob:
    job_id: str


@dataclass(frozen=True, slots=True)
class DeleteJob:
    job_id: str


@dataclass(frozen=True, slots=True)
class CollectResults:
    job_id: str


@dataclass(frozen=True, slots=True)
class JudgeGate:
    """Read the evidence of the run and of its baseline, and judge it by `spec.gate`.

    `may_wait`: whether a baseline that still runs is waited for.
    """

    may_wait: bool


@dataclass(frozen=True, slots=True)
class ObserveConfig:
    """Read the config of the benchmark's name from the evaluator."""


@dataclass(frozen=True, slots=True)
class CreateConfig:
    pass


@dataclass(frozen=True, slots=True)
class UpdateConfig:
    pass


@dataclass(frozen=True, slots=True)
class ReplaceConfig:
    """Delete and create: the server cannot update, or its update kept what the spec dropped."""


@dataclass(frozen=True, slots=True)
class DeleteConfig:
    pass


JobStep = (
    RequeueAfter
    | WriteStatus[EvalJobStatus]
    | AddFinalizer
    | RemoveFinalizer
    | DeleteObject
    | ReadBenchmark
    | ResolveEvaluator
    | ObserveJob
    | AcquireSlot
    | SubmitJob
    | FindJob
    | CancelJob
    | DeleteJob
    | CollectResults
    | JudgeGate
)


def write_or_wait(job: NemoEvalJob, status: EvalJobStatus, *, rest: float | None = None) -> JobStep:
    """Return the step that writes the status where it changed, else wait."""
    return WriteStatus(status) if status != job.status else RequeueAfter(rest)

"""What the world says about a job, gathered before a decision is made about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from nemo_eval_operator.evaluator.model import CANCELLING, RemoteJob, Results
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvaluatorUsed, EvidenceRef, NemoBenchmark

from .gate import GateFacts
from .slots import SlotDecision

__all__ = [
    "BenchmarkUnusable",
    "EvaluatorUnusable",
    "Facts",
    "LookUp",
    "RemoteGone",
    "RemoteUnclear",
    "Stored",
    "goes_on",
]


@dataclass(frozen=True, slots=True)
class BenchmarkUnusable:
    """The benchmark that the job refers to is missing or not ready; says why."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class EvaluatorUnusable:
    """The evaluator that the object is about cannot be told, or not be asked; says why.

    `stalled`: a person has to change something before it can.
    """

    reason: Reason
    message: str
    stalled: bool = False


class RemoteGone:
    """The evaluator has no job of that id."""


@dataclass(frozen=True, slots=True)
class RemoteUnclear:
    """The evaluator answered several times in a row, but not how the remote job stands."""

    detail: str


def goes_on(remote: RemoteJob | RemoteGone) -> bool:
    """Return whether the remote job neither has ended nor is being cancelled."""
    return isinstance(remote, RemoteJob) and not remote.is_terminal and remote.status != CANCELLING


@dataclass(frozen=True, slots=True)
class LookUp:
    """What a look-up found: the jobs with the attempt's mark, oldest first."""

    begun: datetime
    found: tuple[RemoteJob, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """Results that are fetched and kept in a ConfigMap; `url` is where the evaluator has them."""

    results: Results
    config_map: str
    key: str
    url: str
    truncated: bool
    evidence: EvidenceRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the world says besides the object. None: not asked yet.

    `cancel_asked`: just now. `failed`: the last call to the evaluator.
    `deleted`: the ids of the remote jobs that are surely no longer there.
    `settle` is how long after a POST its job may still appear, and `quiet_since` when by this
    process' own clock the last one ended or was first seen: clocks of two nodes differ.
    `evaluator` is the one that all this is asked of, `turn` whether it has a place for one more job, and
    `outage` why it cannot be reached at the moment.
    """

    now: datetime
    settle: timedelta
    benchmark: NemoBenchmark | BenchmarkUnusable | None = None
    evaluator: EvaluatorUsed | EvaluatorUnusable | None = None
    outage: str | None = None
    slot_decision: SlotDecision | None = None
    lookup: LookUp | None = None
    last_submission_at: datetime | None = None
    remote: RemoteJob | RemoteGone | RemoteUnclear | None = None
    stored: Stored | None = None
    gate: GateFacts | None = None
    deleted: frozenset[str] = frozenset()
    cancel_asked: bool = False
    failed: bool = False

    @property
    def unreachable(self) -> bool:
        """Whether asking the evaluator would be in vain."""
        return self.outage is not None or isinstance(self.evaluator, EvaluatorUnusable)

"""Facts about a job besides its object. Each fact is `Unknown` until a step has requested it.

A decision that meets an Unknown which it needs returns the step that requests it (`lifecycle.steps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn

from nemo_eval_operator.evaluator.model import CANCELLING, RemoteJob
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import EvaluatorUsed, EvidenceRef, NemoBenchmark

from .gate import GateFacts
from .scores import RunScores
from .slots import SlotDecision

__all__ = [
    "UNKNOWN",
    "BenchmarkUnusable",
    "EvaluatorUnusable",
    "Facts",
    "LookUp",
    "NothingNew",
    "RemoteGone",
    "RemoteUnclear",
    "ResolvedEvaluator",
    "Stored",
    "Unknown",
    "goes_on",
]


class Unknown:
    """A fact that was not requested yet. It has no attributes and no truth value: to use it raises."""

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise TypeError("a fact that was not requested was used")


UNKNOWN: Final = Unknown()
"""The only instance that is needed."""


@dataclass(frozen=True, slots=True)
class BenchmarkUnusable:
    """The benchmark that the job refers to is missing or not ready, with reason and message."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class EvaluatorUnusable:
    """The object's evaluator is not known or not usable, with reason and message.

    `stalled`: a person has to change something before it can.
    """

    reason: Reason
    message: str
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedEvaluator:
    """The evaluator that the job is about, and what this process knows of it at this moment.

    `outage`: why it cannot be reached; None where it can. `last_submission_at`: when by this process' own
    clock the last submission of the job ended or was first seen, as clocks of two nodes differ; None where
    no submission of it is without an answer.
    """

    used: EvaluatorUsed
    outage: str | None = None
    last_submission_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RemoteGone:
    """The evaluator has no job of that id."""


@dataclass(frozen=True, slots=True)
class NothingNew:
    """No change of the remote job was reported that the object's status does not show."""


@dataclass(frozen=True, slots=True)
class RemoteUnclear:
    """The evaluator answered several times in a row, but not how the remote job stands."""

    detail: str


def goes_on(remote: RemoteJob | RemoteGone) -> bool:
    """Return whether the remote job neither has ended nor is being cancelled."""
    return isinstance(remote, RemoteJob) and not remote.is_terminal and remote.status != CANCELLING


@dataclass(frozen=True, slots=True)
class LookUp:
    """Result of a look-up: the jobs with the attempt's mark, oldest first.

    `answered_since`: since when the evaluator has answered look-ups again; None where it always has.
    """

    begun: datetime
    found: tuple[RemoteJob, ...]
    answered_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """Results that are fetched and kept in a ConfigMap; `url` is where the evaluator has them."""

    scores: RunScores
    config_map: str
    key: str
    url: str
    truncated: bool
    evidence: EvidenceRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts besides the object. `settle` is the time after a POST in which its job may still appear.

    Requested by a step each: `benchmark` (None: the job brings its own config) by ReadBenchmark, `evaluator`
    by ResolveEvaluator, `remote` by ObserveJob, `slot_decision` by AcquireSlot, `lookup` by FindJob,
    `stored` by CollectResults, and `gate` by JudgeGate.
    What was done in this pass: `deleted` has the ids of the remote jobs that the evaluator does not have any
    more, `not_found` those of them that it did not have before either,
    `cancel_asked` says that cancellation was requested, and `failed` that the last call to the evaluator
    failed.
    """

    now: datetime
    settle: timedelta
    benchmark: Unknown | NemoBenchmark | BenchmarkUnusable | None = UNKNOWN
    evaluator: Unknown | ResolvedEvaluator | EvaluatorUnusable = UNKNOWN
    remote: Unknown | RemoteJob | RemoteGone | RemoteUnclear | NothingNew = UNKNOWN
    slot_decision: Unknown | SlotDecision = UNKNOWN
    lookup: Unknown | LookUp = UNKNOWN
    stored: Unknown | Stored = UNKNOWN
    gate: Unknown | GateFacts = UNKNOWN
    deleted: frozenset[str] = frozenset()
    not_found: frozenset[str] = frozenset()
    cancel_asked: bool = False
    failed: bool = False

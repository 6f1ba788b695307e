"""Interface of evaluations: a check beforehand, the run, and reports of its progress.

Evaluations know nothing of jobs or storage. Cancelling `run` stops it, model calls included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nemo_local_evaluator.datasets import DatasetReader
from nemo_local_evaluator.harness import Harness
from nemo_local_evaluator.models import ModelClient
from nemo_local_evaluator.scoring import ScoringPool

__all__ = ["Evaluation", "Observer", "Outcome", "Progress", "Resources", "TaskStatus"]

TaskStatus = Literal["pending", "running", "completed", "failed"]


@dataclass(frozen=True)
class Progress:
    task_status: Mapping[str, TaskStatus]
    processed: int
    total: int

    @property
    def percent(self) -> float:
        return round(100 * self.processed / self.total, 1) if self.total else 0.0


class Observer(Protocol):
    """Is called with the progress, log lines and samples of a run while it goes on."""

    def progress(self, progress: Progress) -> None: ...

    def log(self, message: str) -> None: ...

    def sample(self, task: str, document: Mapping[str, Any]) -> None:
        """One sample's row, answer and scores."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The two parts of a result document."""

    tasks: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    message: str = "Job completed successfully."
    """The job's last word, which differs a little between NeMo's own evaluations."""
    incomplete: bool = False
    """True if scores are missing; the message says which."""


class Evaluation(Protocol):
    async def check(self) -> None:
        """All that can be said without evaluating. Raises EvaluationError."""

    async def run(self, observer: Observer) -> Outcome:
        """Evaluate, and return the outcome. Raise EvaluationError."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Resources that evaluations share."""

    datasets: DatasetReader
    models: ModelClient
    scoring: ScoringPool
    harness: Harness

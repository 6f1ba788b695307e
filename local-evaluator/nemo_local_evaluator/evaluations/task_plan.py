"""Plans of tasks that `tasks` runs: their rows, the model that answers, metrics and judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nemo_local_evaluator.datasets import DatasetSource, Row
from nemo_local_evaluator.models import Endpoint
from nemo_local_evaluator.scoring import (
    MetricSpec,
    PromptSpec,
)
from nemo_local_evaluator.templating import Generates

__all__ = ["DEFAULT_PARALLELISM", "MAX_PARALLELISM", "Answered", "Generation", "TaskPlan"]

DEFAULT_PARALLELISM: Final = 4


MAX_PARALLELISM: Final = 128
"""Model calls at the same time of one job; more would only wait for the endpoint's own limit."""


Answered = Callable[[Row], Mapping[str, Any]]
"""Function that returns the sample recorded in a row, for tasks without a model. Raises SampleFailed."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The model that answers, and what it is asked."""

    endpoint: Endpoint
    kind: Generates
    prompt: PromptSpec


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    rows: list[Row] | DatasetSource
    limit: int | None
    metrics: Mapping[str, MetricSpec]
    answer: Generation | Answered
    judges: Mapping[str, Endpoint] = field(default_factory=dict)
    """Endpoints of the judges, by metric."""

    @property
    def asks_models(self) -> bool:
        return isinstance(self.answer, Generation) or bool(self.judges)

    @property
    def endpoints(self) -> list[Endpoint]:
        own = [self.answer.endpoint] if isinstance(self.answer, Generation) else []
        return [*own, *self.judges.values()]

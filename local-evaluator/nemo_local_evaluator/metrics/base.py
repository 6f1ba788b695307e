"""Base of the metrics: scores for one sample, and for some also a score of all samples together.

Metrics run in worker processes (`scoring`): no I/O, and nothing kept between samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from nemo_local_evaluator.templating import Context, Template, TemplateEnvironment

__all__ = [
    "CorpusScore",
    "Evidence",
    "Judge",
    "Metric",
    "MetricFactory",
    "ReferenceMetric",
    "ReferenceParams",
    "Scored",
]


class Evidence(NamedTuple):
    """The texts that a metric compared."""

    prediction: str
    references: list[str]


@dataclass(frozen=True)
class Scored:
    scores: dict[str, float]
    """A score that is missing, or is not a number, could not be computed for this sample."""
    tally: tuple[float, ...] | None = None
    """The sample's contribution to the corpus's score."""
    problems: tuple[str, ...] = ()
    """Reason why a score is not a number, for readers of the sample."""


class Metric(Protocol):
    """Scores a sample by itself."""

    def score(self, context: Context) -> Scored: ...


@runtime_checkable
class Judge(Protocol):
    """Scores a sample by what a model says of it: the call in between is not the metric's to make."""

    def request(self, context: Context) -> dict[str, Any]: ...

    def parse(self, text: str) -> Scored: ...


class MetricFactory(Protocol):
    def __call__(self, params: Mapping[str, Any], environment: TemplateEnvironment, /) -> Metric | Judge: ...


CorpusScore = Callable[[Sequence[float]], float]
"""Computes a score that is not a mean over samples from the sum of all tallies."""


class ReferenceParams(BaseModel):
    """Params of the metrics that compare a text with references: the best reference counts."""

    model_config = ConfigDict(extra="forbid")

    references: list[str] = Field(min_length=1)
    prediction: str = "{{sample.output_text}}"


class ReferenceMetric(ABC):
    """A metric that compares a text with references.

    Its two halves have different limits. Rendering runs templates of the config, whose CPU time is bounded.
    Comparing is this program's own work: how long it takes depends on the sizes of the texts, which are
    bounded, and no score may depend on the speed of the machine.
    """

    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        checked = ReferenceParams.model_validate(params)
        self._prediction: Template = environment.compile(checked.prediction)
        self._references = [environment.compile(reference) for reference in checked.references]

    def render(self, context: Context) -> Evidence:
        return Evidence(
            self._prediction.render(context), [reference.render(context) for reference in self._references]
        )

    @abstractmethod
    def compare(self, evidence: Evidence) -> Scored:
        """Raise SampleFailed for texts that are too long to be compared."""

    def score(self, context: Context) -> Scored:
        return self.compare(self.render(context))

"""Functions that run in worker processes; their arguments and results are plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from nemo_local_evaluator.metrics import Judge, Metric, ReferenceMetric, Scored, build_metric
from nemo_local_evaluator.templating import Context, Generates, Prompt, TemplateEnvironment, context_for
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed
from nemo_local_evaluator.wire.schemas import Params

from .limits import limited

__all__ = [
    "MetricSpec",
    "PromptSpec",
    "SampleScores",
    "check",
    "parse_judgement",
    "render_prompt",
    "score_samples",
]

_ENVIRONMENT: Final = TemplateEnvironment()


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """A metric as a config describes it."""

    type: str
    params: str
    """JSON text."""


@dataclass(frozen=True, kw_only=True)
class PromptSpec:
    """A task's prompt as a config describes it."""

    task: str
    kind: Generates
    template: str
    """task.params.template, as JSON."""
    params: str
    """The config's params, as JSON."""


@dataclass
class SampleScores:
    """Scores of one sample; a metric in neither mapping could not be computed."""

    scored: dict[str, Scored] = field(default_factory=dict)
    judge_requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Bodies of model calls whose answers `parse_judgement` reads, by metric."""
    errors: list[str] = field(default_factory=list)


def check(prompt: PromptSpec | None, metrics: Mapping[str, MetricSpec]) -> None:
    """Compile everything. Raises EvaluationError."""
    with limited():
        if prompt is not None:
            _prompt(prompt)
        for name, spec in metrics.items():
            try:
                _metric(spec)
            except EvaluationError as error:
                # Two metrics may be of one type, so that its name alone does not say which one is at fault.
                raise EvaluationError(f"metric {name!r} (type {spec.type!r}): {error}") from error


def render_prompt(spec: PromptSpec, item: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the model call for a row. Raises SampleFailed."""
    with limited():
        return _prompt(spec).request(context_for(item))


def score_samples(
    metrics: Mapping[str, MetricSpec], samples: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[SampleScores]:
    """Each pair is a row and the answer to it."""
    return [_scores(metrics, context_for(item, sample)) for item, sample in samples]


def parse_judgement(spec: MetricSpec, text: str) -> Scored:
    """The scores in a judge's answer. Raises SampleFailed."""
    with limited():
        judge = _metric(spec)
        if not isinstance(judge, Judge):
            raise TypeError(f"metric type {spec.type!r} uses no judge")
        return judge.parse(text)


def _scores(metrics: Mapping[str, MetricSpec], context: Context) -> SampleScores:
    scores = SampleScores()
    for name, spec in metrics.items():
        try:
            scored = _scored(spec, context)
            if isinstance(scored, Scored):
                scores.scored[name] = scored
                scores.errors += [f"metric {name!r}: {problem}" for problem in scored.problems]
            else:
                scores.judge_requests[name] = scored
        except SampleFailed as error:
            scores.errors.append(f"metric {name!r}: {error}")
    return scores


def _scored(spec: MetricSpec, context: Context) -> Scored | dict[str, Any]:
    """The scores, or a judge's request. Raises SampleFailed."""
    with limited():
        metric = _metric(spec)
        if isinstance(metric, Judge):
            return metric.request(context)
        if not isinstance(metric, ReferenceMetric):
            return metric.score(context)
        evidence = metric.render(context)
    with limited(time=False):
        return metric.compare(evidence)


@lru_cache(maxsize=64)
def _metric(spec: MetricSpec) -> Metric | Judge:
    return build_metric(spec.type, json.loads(spec.params), _ENVIRONMENT)


@lru_cache(maxsize=64)
def _prompt(spec: PromptSpec) -> Prompt:
    return Prompt(
        owner=f"task {spec.task!r}",
        kind=spec.kind,
        template=json.loads(spec.template),
        params=Params.model_validate(json.loads(spec.params)),
        environment=_ENVIRONMENT,
    )

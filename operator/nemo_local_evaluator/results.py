"""From samples to a task's result: scores with their statistics, and the samples themselves to read.

Statistics are the population's, as NeMo Evaluator documents its own; not-a-number values are counted and
otherwise left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nemo_local_evaluator.errors import EvaluationError
from nemo_local_evaluator.metrics import CorpusMetric, Metric, Scored

MAX_SAMPLES_KEPT = 1000
"""A result is one document, read whole; more samples than these would make it unwieldy."""


@dataclass
class SampleOutcome:
    item: Mapping[str, Any]
    output_text: str | None = None
    scored: dict[str, Scored] = field(default_factory=dict)
    """By metric; those missing could not be computed and count as not-a-number."""
    errors: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "item": self.item,
            "output_text": self.output_text,
            "scores": {name: scored.scores for name, scored in self.scored.items()},
        }
        if self.errors:
            document["error"] = "; ".join(self.errors)
        return document


def task_result(metrics: Mapping[str, Metric], outcomes: Sequence[SampleOutcome]) -> dict[str, Any]:
    return {
        "metrics": {name: {"scores": _scores(name, metric, outcomes)} for name, metric in metrics.items()},
        "data": {
            "samples": [outcome.document() for outcome in outcomes[:MAX_SAMPLES_KEPT]],
            "samples_total": len(outcomes),
        },
    }


def _scores(name: str, metric: Metric, outcomes: Sequence[SampleOutcome]) -> dict[str, Any]:
    scored = [outcome.scored[name] for outcome in outcomes if name in outcome.scored]
    if not scored:
        causes = [error for outcome in outcomes for error in outcome.errors]
        msg = f"metric {name!r} could be computed for no sample: {causes[0]}"
        raise EvaluationError(msg)
    missing = len(outcomes) - len(scored)
    by_score = {key: [one.scores[key] for one in scored] for key in scored[0].scores}
    scores = {key: _score(values, missing) for key, values in by_score.items()}
    if isinstance(metric, CorpusMetric):
        evidence = [one.evidence for one in scored if one.evidence is not None]
        scores |= {key: {"value": value} for key, value in metric.corpus(evidence).items()}
    return scores


def _score(values: Sequence[float], nan_count: int) -> dict[str, Any]:
    count = len(values)
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / count
    stddev = math.sqrt(variance)
    return {
        "value": mean,
        "stats": {
            "count": count,
            "sum": math.fsum(values),
            "sum_squared": math.fsum(value * value for value in values),
            "mean": mean,
            "min": min(values),
            "max": max(values),
            "variance": variance,
            "stddev": stddev,
            "stderr": stddev / math.sqrt(count),
            "nan_count": nan_count,
        },
    }

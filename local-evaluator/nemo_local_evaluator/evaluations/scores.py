"""A task's result from its samples: scores with their statistics, and the first samples to read."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nemo_local_evaluator.datasets import Row, item_id
from nemo_local_evaluator.metrics import Scored, corpus_scores
from nemo_local_evaluator.scoring import MetricSpec
from nemo_local_evaluator.wire.errors import EvaluationError

from .statistics import RunningStatistics, counts

__all__ = ["Sample", "TaskScores"]

MAX_SAMPLES_KEPT: Final = 1000
MAX_BYTES_KEPT: Final = 16 * 1024 * 1024
"""A result is one document, read whole; more samples than these would make it unwieldy."""


@dataclass
class Sample:
    number: int
    """Counted from 1, in the dataset's order."""
    item: Row
    answer: Mapping[str, Any] | None = None
    """None where there is none to score."""
    scored: dict[str, Scored] = field(default_factory=dict)
    """Scores by metric; missing ones could not be computed and count as not-a-number."""
    errors: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "index": self.number - 1,
            "item_id": item_id(self.item),
            "item": self.item,
            "output_text": (self.answer or {}).get("output_text"),
            "scores": {
                name: {key: value if math.isfinite(value) else None for key, value in scored.scores.items()}
                for name, scored in self.scored.items()
            },
        }
        if self.errors:
            document["error"] = "; ".join(self.errors)
        return document


class TaskScores:
    """Gathers what a task's samples come to."""

    def __init__(self, task: str, metrics: Mapping[str, MetricSpec]) -> None:
        self._task = task
        self._metrics = metrics
        self._statistics: defaultdict[str, dict[str, RunningStatistics]] = defaultdict(dict)
        self._tallies: dict[str, list[float]] = {}
        self._kept: list[tuple[int, dict[str, Any]]] = []
        self._bytes = 0
        self._total = 0
        self.answered = 0
        self.first_error: str | None = None
        self._first_row = 0
        """Number of the row that has the first error."""
        self._first_errors: dict[str, str] = {}
        """First error of each metric."""

    @property
    def failed(self) -> int:
        """Samples that had no answer to score."""
        return self._total - self.answered

    def add(self, sample: Sample) -> None:
        self._total += 1
        self.answered += sample.answer is not None
        if self.first_error is None and sample.errors:
            self.first_error = sample.errors[0]
            self._first_row = sample.number
        for error in sample.errors if len(self._first_errors) < len(self._metrics) else ():
            for metric in self._metrics:
                if error.startswith(f"metric {metric!r}: "):
                    self._first_errors.setdefault(metric, f"row {sample.number}: {error}")
        if sample.number <= MAX_SAMPLES_KEPT:
            self._keep(sample)
        for metric, scored in sample.scored.items():
            for name, value in scored.scores.items():
                statistics = self._statistics[metric].setdefault(name, RunningStatistics())
                if counts(value):
                    statistics.add(value)
                elif math.isfinite(value):
                    problem = f"metric {metric!r}: {name} of {value:g} is too large for statistics"
                    if self.first_error is None:
                        self.first_error, self._first_row = problem, sample.number
                    self._first_errors.setdefault(metric, f"row {sample.number}: {problem}")
            if scored.tally is not None:
                before = self._tallies.get(metric) or [0.0] * len(scored.tally)
                self._tallies[metric] = [one + more for one, more in zip(before, scored.tally, strict=True)]

    def _keep(self, sample: Sample) -> None:
        document = sample.document()
        self._bytes += len(json.dumps(document))
        # One that does not fit is the last: those kept are the first, without gaps of ours.
        if self._bytes <= MAX_BYTES_KEPT:
            self._kept.append((sample.number, document))

    def result(self) -> dict[str, Any]:
        """Return the task's part of a result; a metric without a number has no scores.

        Raises EvaluationError where no sample had an answer to score.
        """
        if self._total and not self.answered:
            raise EvaluationError(
                f"task {self._task!r}: all {self._total} samples tried have failed: {self.first_error}"
            )
        return {
            "metrics": {name: {"scores": self._scores(name)} for name in self._metrics},
            "data": {
                "samples": [document for _, document in sorted(self._kept, key=lambda kept: kept[0])],
                "samples_total": self._total,
            },
        }

    def without_numbers(self) -> list[str]:
        """Return a sentence for each metric, or score of a metric, that could be computed for no sample."""
        missing = []
        for metric in self._metrics:
            scores = self._statistics[metric]
            if not any(score.count for score in scores.values()):
                missing.append((metric, f"metric {metric!r}"))
            else:
                missing += [
                    (metric, f"{name!r} of metric {metric!r}")
                    for name, score in scores.items()
                    if not score.count
                ]
        return [
            f"task {self._task!r}: {shown} could be computed for no sample:"
            f" {self._first_errors.get(metric, f'row {self._first_row}: {self.first_error}')}"
            for metric, shown in missing
        ]

    def _scores(self, metric: str) -> dict[str, Any]:
        computed = {name: one for name, one in self._statistics[metric].items() if one.count}
        scores = {name: one.score(nan_count=self._total - one.count) for name, one in computed.items()}
        if computed and metric in self._tallies:
            corpus = corpus_scores(self._metrics[metric].type, self._tallies[metric])
            scores |= {name: {"value": value} for name, value in corpus.items()}
        return scores

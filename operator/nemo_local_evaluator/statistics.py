"""Statistics of one score over all samples, gathered one value at a time: nothing grows with their number.

They are the population's, as NeMo Evaluator documents its own; not-a-number values are counted and
otherwise left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_VALUE: Final = 1e100
"""A score of more is taken for none: no mean, and not even its square, could be computed with it."""


def counts(value: float) -> bool:
    """Whether `value` is one to gather: finite, and of a size that sums of squares can hold."""
    return abs(value) <= MAX_VALUE


class RunningStatistics:
    def __init__(self) -> None:
        self.count = 0
        self._sum = _Sum()
        self._sum_squared = _Sum()
        self._min = math.inf
        self._max = -math.inf
        self._mean = 0.0
        self._squared_deviations = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self._sum.add(value)
        self._sum_squared.add(value * value)
        self._min = min(self._min, value)
        self._max = max(self._max, value)
        # Welford: sum_squared/count - mean**2 would lose every digit where values are large and close.
        deviation = value - self._mean
        self._mean += deviation / self.count
        self._squared_deviations += deviation * (value - self._mean)

    def score(self, *, nan_count: int) -> dict[str, Any]:
        """The score as a result holds it; at least one value must have been added."""
        return _score(
            count=self.count,
            total=self._sum.value,
            sum_squared=self._sum_squared.value,
            low=self._min,
            high=self._max,
            squared_deviations=self._squared_deviations,
            nan_count=nan_count,
        )


def pooled(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One score, over all samples of several: each as `RunningStatistics.score` gives it."""
    parts = [score["stats"] for score in scores]
    count = sum(part["count"] for part in parts)
    total = math.fsum(part["sum"] for part in parts)
    mean = total / count
    # What varies within the parts, and what between them.
    squared_deviations = math.fsum(
        part["count"] * (part["variance"] + (part["mean"] - mean) ** 2) for part in parts
    )
    return _score(
        count=count,
        total=total,
        sum_squared=math.fsum(part["sum_squared"] for part in parts),
        low=min(part["min"] for part in parts),
        high=max(part["max"] for part in parts),
        squared_deviations=squared_deviations,
        nan_count=sum(part["nan_count"] for part in parts),
    )


def _score(
    *,
    count: int,
    total: float,
    sum_squared: float,
    low: float,
    high: float,
    squared_deviations: float,
    nan_count: int,
) -> dict[str, Any]:
    mean = total / count
    variance = squared_deviations / count
    stddev = math.sqrt(variance)
    return {
        "value": mean,
        "stats": {
            "count": count,
            "sum": total,
            "sum_squared": sum_squared,
            "mean": mean,
            "min": low,
            "max": high,
            "variance": variance,
            "stddev": stddev,
            "stderr": stddev / math.sqrt(count),
            "nan_count": nan_count,
        },
    }


class _Sum:
    """Neumaier's sum: as exact over ten million values as over ten."""

    def __init__(self) -> None:
        self._total = 0.0
        self._lost = 0.0

    def add(self, value: float) -> None:
        total = self._total + value
        if abs(self._total) >= abs(value):
            self._lost += (self._total - total) + value
        else:
            self._lost += (value - total) + self._total
        self._total = total

    @property
    def value(self) -> float:
        return self._total + self._lost

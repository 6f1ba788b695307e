"""Statistics of one score over all samples, gathered one value at a time: nothing grows with their number.

They are the population's, as NeMo Evaluator documents its own; not-a-number values are counted and
otherwise left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

__all__ = ["MAX_VALUE", "RunningStatistics", "counts", "pooled"]

MAX_VALUE: Final = 1e100
"""A score of more is taken for none: no mean, and not even its square, could be computed with it."""


def counts(value: float) -> bool:
    """Return whether `value` is included: finite, and of a size that sums of squares can hold."""
    return abs(value) <= MAX_VALUE


_UNIT_BITS: Final = 1074
"""Every float is a whole multiple of 2 ** -1074."""


class RunningStatistics:
    """Sums without rounding, so that no statistic depends on the order in which samples are completed."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0
        """Sum in units of 2 ** -1074."""
        self._sum_squared = 0
        """Sum of squares in units of 2 ** -2148."""
        self._min = math.inf
        self._max = -math.inf

    def add(self, value: float) -> None:
        numerator, denominator = float(value).as_integer_ratio()
        units = numerator << (_UNIT_BITS + 1 - denominator.bit_length())
        self.count += 1
        self._sum += units
        self._sum_squared += units * units
        self._min = min(self._min, value)
        self._max = max(self._max, value)

    def score(self, *, nan_count: int) -> dict[str, Any]:
        """The score as a result holds it; at least one value must have been added."""
        return _score(
            count=self.count,
            total=_fraction(self._sum, _UNIT_BITS),
            sum_squared=_fraction(self._sum_squared, 2 * _UNIT_BITS),
            low=self._min,
            high=self._max,
            squared_deviations=_fraction(
                self.count * self._sum_squared - self._sum * self._sum, 2 * _UNIT_BITS, self.count
            ),
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


def _fraction(units: int, bits: int, divisor: int = 1) -> float:
    """Return units / 2 ** bits / divisor, rounded once."""
    return float(Fraction(units, divisor << bits))

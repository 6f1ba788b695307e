"""Confidence intervals for scores and for differences of scores, without dependencies.

Sources: Wilson, JASA 1927; Newcombe, Statistics in Medicine 17 (1998), 873-890 (method 10); Tango, the same
volume, 891-908; Welch, Biometrika 34 (1947). The regularised incomplete beta function is evaluated by
Lentz's continued fraction (Numerical Recipes, 6.4). Tests compare all of it with SciPy and statsmodels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, NamedTuple

__all__ = [
    "Interval",
    "Moments",
    "mean_items_needed",
    "newcombe",
    "normal_quantile",
    "paired_items_needed",
    "proportion_items_needed",
    "t_interval",
    "tango",
    "unchanged_items_needed",
    "unpaired_items_needed",
    "welch",
    "wilson",
]

BISECTIONS: Final = 100
"""Halvings of an interval of length 2: beyond the resolution of a double."""

FRACTION_TERMS: Final = 300
SMALLEST: Final = 1e-300
RELATIVE_ERROR: Final = 1e-15

MAX_NEEDED: Final = 10**12
"""A number of items beyond it is no advice, and beyond 2^63 no number for Kubernetes."""

POWER: Final = 0.8
"""Probability with which the number of items that is recommended shows an effect of the margin's size."""


class Interval(NamedTuple):
    """A two-sided confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Moments:
    """Number, mean and sample variance (n - 1) of values."""

    count: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Moments:
        """Return the moments of `values`, of which there is at least one."""
        count, mean = len(values), math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
        return cls(count, mean, squares / (count - 1) if count > 1 else math.nan)

    @classmethod
    def from_sums(cls, count: int, total: float, squared: float) -> Moments:
        """Return the moments by count, sum and sum of squares; rounding never makes a variance negative."""
        variance = (squared - total * total / count) / (count - 1) if count > 1 else math.nan
        return cls(count, total / count, max(0.0, variance) if count > 1 else math.nan)


def normal_quantile(confidence: float) -> float:
    """Return z of a two-sided interval: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: float, count: int, confidence: float) -> Interval:
    """Return Wilson's score interval of a proportion."""
    z = normal_quantile(confidence)
    share, spread = successes / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    # Rounding must not move the bounds that are exact.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if successes == count else min(1.0, centre + half))


def newcombe(baseline: tuple[float, int], candidate: tuple[float, int], confidence: float) -> Interval:
    """Return Newcombe's interval of candidate minus baseline, two independent (successes, count)."""
    before, after = baseline[0] / baseline[1], candidate[0] / candidate[1]
    before_ci, after_ci = wilson(*baseline, confidence), wilson(*candidate, confidence)
    difference = after - before
    return Interval(
        difference - math.hypot(after - after_ci.low, before_ci.high - before),
        difference + math.hypot(after_ci.high - after, before - before_ci.low),
    )


def tango(only_baseline: int, only_candidate: int, count: int, confidence: float) -> Interval:
    """Return Tango's score interval of candidate minus baseline, for `count` pairs of items right or wrong.

    `only_baseline` and `only_candidate` are the numbers of items that only that run got right.
    """
    z, difference = normal_quantile(confidence), (only_candidate - only_baseline) / count

    def score(delta: float) -> float:
        linear = -(only_baseline + only_candidate) + (2 * count - only_candidate + only_baseline) * delta
        constant = -only_baseline * delta * (1 - delta)
        root = math.sqrt(max(0.0, linear * linear - 8 * count * constant))
        flips = (root - linear) / (4 * count)
        variance = count * (2 * flips + delta * (1 - delta))
        distance = only_candidate - only_baseline - count * delta
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)

    low = _bisect(lambda delta: score(delta) > z, -1.0, difference)
    high = _bisect(lambda delta: score(delta) > -z, difference, 1.0)
    return Interval(low, high)


def t_interval(moments: Moments, confidence: float) -> Interval:
    """Return Student's interval of a mean: unbounded for one value, without width for equal ones."""
    if moments.count < 2:  # noqa: PLR2004 - a variance needs two values
        return Interval(-math.inf, math.inf)
    half = _t_quantile(confidence, moments.count - 1) * math.sqrt(moments.variance / moments.count)
    return Interval(moments.mean - half, moments.mean + half)


def welch(baseline: Moments, candidate: Moments, confidence: float, *, factor: float = 1.0) -> Interval:
    """Return Welch's interval of candidate minus `factor` times baseline, two independent samples."""
    difference = candidate.mean - factor * baseline.mean
    if min(baseline.count, candidate.count) < 2:  # noqa: PLR2004 - a variance needs two values
        return Interval(-math.inf, math.inf)
    parts = [
        (factor * factor * baseline.variance / baseline.count, baseline.count - 1),
        (candidate.variance / candidate.count, candidate.count - 1),
    ]
    error = math.fsum(part for part, _ in parts)
    if error == 0:
        return Interval(difference, difference)
    # Shares, since the squares of very small parts would be 0.
    degrees = 1 / math.fsum((part / error) ** 2 / freedom for part, freedom in parts)
    half = _t_quantile(confidence, degrees) * math.sqrt(error)
    return Interval(difference - half, difference + half)


def paired_items_needed(variance: float, margin: float, confidence: float) -> int | None:
    """Return how many pairs would decide at `margin`, by the variance of their differences."""
    return _items_needed(variance, margin, confidence)


def unchanged_items_needed(margin: float, confidence: float) -> int | None:
    """Return how many items, right or wrong in both runs alike, exclude a drop of `margin`.

    Without flips Tango's interval reaches z^2 / (n + z^2) to either side.
    """
    if not 0 < margin < 1:
        return None
    z = normal_quantile(confidence)
    return _rounded_up(z * z * (1 - margin) / margin)


def unpaired_items_needed(baseline: float, candidate: float, margin: float, confidence: float) -> int | None:
    """Return how many items a side would decide at `margin`, by the variances of the two runs."""
    return _items_needed(baseline + candidate, margin, confidence)


def proportion_items_needed(share: float, bound: float, confidence: float) -> int | None:
    """Return how many items would exclude `bound`, where this share of all items is right.

    Wilson's interval inverts the score test, which takes the variance at the bound.
    """
    if not 0 < bound < 1 or share == bound:
        return None
    at_bound, at_share = (math.sqrt(one * (1 - one)) for one in (bound, share))
    spread = normal_quantile(confidence) * at_bound + NormalDist().inv_cdf(POWER) * at_share
    root = spread / abs(share - bound)
    return _rounded_up(root * root)


def mean_items_needed(variance: float, distance: float, confidence: float) -> int | None:
    """Return how many items would exclude a bound at `distance` from the mean of all items."""
    return _items_needed(variance, abs(distance), confidence)


def _items_needed(variance: float, margin: float, confidence: float) -> int | None:
    if not margin > 0 or not math.isfinite(variance):
        return None
    factor = normal_quantile(confidence) + NormalDist().inv_cdf(POWER)
    root = factor * math.sqrt(variance) / margin
    return _rounded_up(root * root)


def _rounded_up(items: float) -> int | None:
    return math.ceil(items) if items <= MAX_NEEDED else None


def _bisect(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_below` changes from true to false."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if is_below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_quantile(confidence: float, degrees: float) -> float:
    """Return Student's t of a two-sided interval."""
    tail = 1 - confidence
    # P(|T| > t) is the incomplete beta function at x = degrees / (degrees + t^2).
    x = _bisect(lambda at: _incomplete_beta(degrees / 2, 0.5, at) < tail, 0.0, 1.0)
    return math.sqrt(degrees * (1 - x) / x) if x > 0 else math.inf


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(scale) * _beta_fraction(a, b, x) / a
    return 1 - math.exp(scale) * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d = 1 / d
    for m in range(1, FRACTION_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= d * c
        if abs(d * c - 1) < RELATIVE_ERROR:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > SMALLEST else SMALLEST

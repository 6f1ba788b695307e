"""Compares one score of two runs: paired by item where both have items, else by count and sums."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .evidence import ScoreEvidence
from .statistics import (
    Interval,
    Moments,
    newcombe,
    normal_quantile,
    t_interval,
    tango,
    welch,
    wilson,
)

__all__ = ["Comparison", "Pairing", "compare", "interval_of"]

MIN_SHARED: Final = 0.9
"""Share of either run's items that need a partner in the other, for the runs to have measured the same."""


class Pairing(StrEnum):
    """What a comparison stands on."""

    PAIRED = "Paired"
    UNPAIRED = "Unpaired"
    POINT_ESTIMATE = "PointEstimate"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A score of two runs; deltas are candidate minus baseline."""

    before: ScoreEvidence
    after: ScoreEvidence
    confidence: float
    pairing: Pairing
    baseline: float
    candidate: float
    interval: Interval | None
    items: int
    is_exact: bool
    """Whether the interval holds for few items too, as those of proportions do."""
    pairs: tuple[tuple[float, float], ...] = ()
    items_differ: str | None = None

    @property
    def delta(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline

    def scaled(self, factor: float) -> tuple[float, Interval | None]:
        """Return candidate minus `factor` times baseline, with its interval; for a relative drop."""
        delta = self.candidate - factor * self.baseline
        if self.is_exact and self.interval is not None:
            # The baseline's own uncertainty is small beside that of the difference: its share is at most 1.
            shift = (1 - factor) * self.baseline
            return delta, Interval(self.interval.low + shift, self.interval.high + shift)
        if self.pairs:
            moments = Moments.of([after - factor * before for before, after in self.pairs])
            return delta, t_interval(moments, self.confidence)
        if self.before.moments and self.after.moments:
            return delta, welch(self.before.moments, self.after.moments, self.confidence, factor=factor)
        if self.before.stderr is not None and self.after.stderr is not None:
            return delta, _normal(delta, factor * self.before.stderr, self.after.stderr, self.confidence)
        return delta, None


def compare(before: ScoreEvidence, after: ScoreEvidence, confidence: float) -> Comparison:
    """Compare two scores that both have a value."""
    if before.has_all_items and after.has_all_items:
        return _paired(before, after, confidence)
    baseline, candidate = before.value or 0.0, after.value or 0.0
    if before.moments and after.moments:
        items = min(before.moments.count, after.moments.count)
        is_binary = before.is_binary and after.is_binary
        interval = (
            newcombe(_successes(before.moments), _successes(after.moments), confidence)
            if is_binary
            else welch(before.moments, after.moments, confidence)
        )
        return Comparison(
            before, after, confidence, Pairing.UNPAIRED, baseline, candidate, interval, items, is_binary
        )
    if before.stderr is not None and after.stderr is not None:
        interval = _normal(candidate - baseline, before.stderr, after.stderr, confidence)
        return Comparison(
            before, after, confidence, Pairing.UNPAIRED, baseline, candidate, interval, 0, is_exact=True
        )
    return Comparison(
        before, after, confidence, Pairing.POINT_ESTIMATE, baseline, candidate, None, 0, is_exact=False
    )


def interval_of(score: ScoreEvidence, confidence: float, *, minimum_items: int) -> Interval | None:
    """Return the interval of a run's own value, by the evidence that there is.

    `minimum_items`: below it the mean of values other than 0 and 1 has none.
    """
    moments = score.moments
    if moments is not None and score.is_binary:
        return wilson(_successes(moments)[0], moments.count, confidence)
    if moments is not None and moments.count >= minimum_items:
        return t_interval(moments, confidence)
    if score.stderr is not None and score.value is not None:
        return _normal(score.value, score.stderr, 0.0, confidence)
    return None


def _paired(before: ScoreEvidence, after: ScoreEvidence, confidence: float) -> Comparison:
    shared = sorted(before.items.keys() & after.items.keys())
    pairs = tuple((before.items[key], after.items[key]) for key in shared)
    differ = None
    if len(shared) < MIN_SHARED * max(len(before.items), len(after.items)):
        differ = (
            f"{len(shared)} items are in both runs, of {len(before.items)} in the baseline"
            f" and {len(after.items)} in this run"
        )
    if differ is not None:
        return Comparison(
            before,
            after,
            confidence,
            Pairing.PAIRED,
            before.value or 0.0,
            after.value or 0.0,
            None,
            0,
            is_exact=False,
            items_differ=differ,
        )
    means = Moments.of([one for one, _ in pairs]).mean, Moments.of([one for _, one in pairs]).mean
    is_binary = {value for pair in pairs for value in pair} <= {0.0, 1.0}
    if is_binary:
        worse, better = (sum(pair == flip for pair in pairs) for flip in ((1.0, 0.0), (0.0, 1.0)))
        interval = tango(worse, better, len(pairs), confidence)
    else:
        interval = t_interval(Moments.of([later - earlier for earlier, later in pairs]), confidence)
    return Comparison(
        before, after, confidence, Pairing.PAIRED, *means, interval, len(pairs), is_binary, pairs, differ
    )


def _successes(moments: Moments) -> tuple[int, int]:
    return round(moments.mean * moments.count), moments.count


def _normal(delta: float, before: float, after: float, confidence: float) -> Interval:
    half = normal_quantile(confidence) * (before * before + after * after) ** 0.5
    return Interval(delta - half, delta + half)

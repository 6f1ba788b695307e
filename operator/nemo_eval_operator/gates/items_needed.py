"""About how many items would decide a criterion that is inconclusive, in a number and in words.

Both estimates have a power of 80 %. That of a drop is for a run as good as its baseline. A bound has no such
reference: its estimate is for a score whose true value is the measured one, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from .comparing import Comparison
from .evidence import ScoreEvidence
from .statistics import (
    Moments,
    mean_items_needed,
    paired_items_needed,
    proportion_items_needed,
    unchanged_items_needed,
    unpaired_items_needed,
)

__all__ = ["ItemsNeeded", "for_bound", "for_drop"]


@dataclass(frozen=True, slots=True)
class ItemsNeeded:
    """An estimate; `number` None: there is none, and `text` says why."""

    number: int | None
    text: str


def for_drop(compared: Comparison, margin: float, confidence: float) -> ItemsNeeded:
    """Estimate how many items would show that the drop is below `margin`."""
    needed = _by_differences(compared, margin, confidence)
    if not margin > 0:
        return _none("that takes a maxDrop above 0")
    if not compared.pairs and not (compared.before.moments and compared.after.moments):
        return _none("the runs have neither items nor sums")
    if needed is None:
        return _none("the margin is too small, or the items are too few")
    if needed <= compared.items:
        return _none(f"the {compared.items:,} compared would be enough for a run as good as its baseline")
    return ItemsNeeded(needed, f"about {needed:,} items would decide")


def _by_differences(compared: Comparison, margin: float, confidence: float) -> int | None:
    if compared.pairs:
        differences = [after - before for before, after in compared.pairs]
        if compared.is_exact and not any(differences):
            return unchanged_items_needed(margin, confidence)
        return paired_items_needed(Moments.of(differences).variance, margin, confidence)
    if compared.before.moments and compared.after.moments:
        before, after = compared.before.moments.variance, compared.after.moments.variance
        return unpaired_items_needed(before, after, margin, confidence)
    return None


def for_bound(score: ScoreEvidence, bound: float, confidence: float) -> ItemsNeeded:
    """Estimate how many items would show on which side of `bound` the score is, if it stays as measured.

    The distance to the bound is itself uncertain; the smaller it is, the more items are needed.
    """
    moments = score.moments
    if moments is None:
        return _none("the run has neither items nor sums")
    if score.is_binary:
        needed = proportion_items_needed(moments.mean, bound, confidence)
    else:
        needed = mean_items_needed(moments.variance, moments.mean - bound, confidence)
    if needed is None:
        return _none("the score is too near its bound, or the items are too few")
    if needed <= moments.count:
        return _none("the items are too few")
    return ItemsNeeded(
        needed, f"about {needed:,} items would decide if the score stays at {moments.mean:.4g}"
    )


def _none(why: str) -> ItemsNeeded:
    return ItemsNeeded(None, f"no estimate of the items needed: {why}")

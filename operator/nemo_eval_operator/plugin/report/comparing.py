"""Compares two runs score by score, by the statistics of `gates`."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.gates import Interval, ScoreEvidence, compare
from nemo_eval_operator.resources import Direction

from .items import MAX_FLIPS, Samples, flips_of, samples_by_key, split_of
from .model import Change, Comparison, Flip
from .reading import KeptResults
from .scores import Rules
from .texts import name_text

__all__ = ["compare_runs"]

MAX_CHANGES: Final = 100


def compare_runs(
    before: KeptResults, after: KeptResults, rules: Rules, *, difference: str = ""
) -> Comparison:
    """Return how `after` compares with `before`; `difference`: why they cannot be compared."""
    changes: list[Change] = []
    flips: list[tuple[float, Flip]] = []
    left_out = 0
    samples = samples_by_key(before.document), samples_by_key(after.document)
    for earlier, later in [] if difference else _pairs(before, after)[:MAX_CHANGES]:
        change, worse, more = _compared(earlier, later, rules, samples)
        changes.append(change)
        flips += [(abs(flip.candidate - flip.baseline) / _range(later), flip) for flip in worse]
        left_out += more
    # One after another of the order of the scores, where changes are equal.
    flips.sort(key=lambda ranked: -ranked[0])
    return Comparison(
        baseline=before.run,
        candidate=after.run,
        confidence=rules.confidence,
        changes=tuple(changes),
        flips=tuple(flip for _, flip in flips[:MAX_FLIPS]),
        flips_left_out=left_out + len(flips[MAX_FLIPS:]),
        note=name_text(difference or ("" if changes else _nothing_compared(before, after))),
    )


def _range(score: ScoreEvidence) -> float:
    """Return the largest score of an item, at least 1: BLEU of 0 to 100 would hide scores of 0 to 1."""
    return max(1.0, *map(abs, score.items.values()))


def _nothing_compared(before: KeptResults, after: KeptResults) -> str:
    return "; ".join((*before.notes, *after.notes)) or "no score of both runs can be compared"


def _pairs(before: KeptResults, after: KeptResults) -> list[tuple[ScoreEvidence, ScoreEvidence]]:
    known = {one.name: one for one in before.evidence.scores} if before.evidence else {}
    found = after.evidence.scores if after.evidence else ()
    pairs = [(known[one.name], one) for one in found if one.name in known]
    return [pair for pair in pairs if pair[0].value is not None and pair[1].value is not None]


def _compared(
    before: ScoreEvidence, after: ScoreEvidence, rules: Rules, samples: tuple[Samples, Samples]
) -> tuple[Change, tuple[Flip, ...], int]:
    found = compare(before, after, rules.confidence)
    direction = rules.direction_of(after.name)
    flips, left_out = flips_of(found, direction, before=samples[0], after=samples[1])
    better, worse, equal = split_of(found, direction) or (None, None, None)
    is_enough = found.is_exact or found.items >= rules.minimum_items
    interval = found.interval if is_enough else None
    note = found.items_differ or (
        "" if is_enough or found.interval is None else f"{found.items} items are too few for an interval"
    )
    change = Change(
        score=name_text(after.name),
        baseline=found.baseline,
        candidate=found.candidate,
        delta=found.delta,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        evidence=found.pairing.value,
        better=better,
        worse=worse,
        equal=equal,
        verdict=_verdict(interval, direction),
        note=note,
    )
    return change, flips, left_out


def _verdict(interval: Interval | None, direction: Direction) -> str:
    """Return what the interval of the change says, as a gate that allows no drop would read it."""
    if interval is None:
        return "not decided"
    sign = 1 if direction is Direction.HIGHER else -1
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"

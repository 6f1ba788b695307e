"""Compares two runs score by score, by the statistics of `gates`."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.gates import Comparison as Compared
from nemo_eval_operator.gates import Interval, Pairing, ScoreEvidence, compare
from nemo_eval_operator.resources import Direction

from .differing import Differing
from .flips import Precedence, flips_of
from .items import samples_by_key, split_of
from .model import Change, Comparison
from .reading import KeptResults
from .scores import Rules
from .texts import name_text

__all__ = ["compare_runs"]

MAX_CHANGES: Final = 100

LACKING: Final = {
    Pairing.PAIRED: "",
    Pairing.UNPAIRED: "not paired by item",
    Pairing.POINT_ESTIMATE: (
        "no interval, so no verdict: that needs scores of single items or standard errors in the results of "
        "both runs"
    ),
}
"""What a comparison lacks, by what it stands on."""


def compare_runs(before: KeptResults, after: KeptResults, rules: Rules, differing: Differing) -> Comparison:
    """Return how `after` compares with `before`."""
    pairs = [] if differing.why else _pairs(before, after)[:MAX_CHANGES]
    scores = [(compare(*pair, rules.confidence), rules.direction_of(pair[1].name)) for pair in pairs]
    changes = [_change(found, direction, rules) for found, direction in scores]
    worse, better = flips_of(
        [
            (found, direction, _precedence(found, change, rules))
            for (found, direction), change in zip(scores, changes, strict=True)
        ],
        before=samples_by_key(before.document),
        after=samples_by_key(after.document),
    )
    return Comparison(
        baseline=before.run,
        candidate=after.run,
        confidence=rules.confidence,
        changes=tuple(changes),
        became_worse=worse,
        became_better=better,
        differences=differing.fields,
        differences_left_out=differing.left_out,
        note=name_text(differing.why or ("" if changes else _nothing_compared(before, after))),
    )


def _nothing_compared(before: KeptResults, after: KeptResults) -> str:
    return "; ".join((*before.notes, *after.notes)) or "no score of both runs can be compared"


def _pairs(before: KeptResults, after: KeptResults) -> list[tuple[ScoreEvidence, ScoreEvidence]]:
    known = {one.name: one for one in before.evidence.scores} if before.evidence else {}
    found = after.evidence.scores if after.evidence else ()
    pairs = [(known[one.name], one) for one in found if one.name in known]
    return [pair for pair in pairs if pair[0].value is not None and pair[1].value is not None]


def _change(found: Compared, direction: Direction, rules: Rules) -> Change:
    better, worse, equal = split_of(found, direction) or (None, None, None)
    is_enough = found.is_exact or found.items >= rules.minimum_items
    interval = found.interval if is_enough else None
    too_few = (
        f"{found.items} items are too few for an interval: {rules.minimum_items} are enough "
        "(spec.gate.minimumItems)"
    )
    has_too_few = found.interval is not None and not is_enough
    note = found.items_differ or (too_few if has_too_few else LACKING[found.pairing])
    return Change(
        score=name_text(found.after.name),
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


def _precedence(found: Compared, change: Change, rules: Rules) -> Precedence:
    if rules.is_of_gate(found.after.name):
        return Precedence.OF_GATE
    return Precedence.WITH_VERDICT if change.verdict in {"better", "worse"} else Precedence.NOT_DECIDED


def _verdict(interval: Interval | None, direction: Direction) -> str:
    """Return what the interval of the change says, as a gate that allows no drop would read it."""
    if interval is None:
        return "not decided"
    sign = 1 if direction is Direction.HIGHER else -1
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"

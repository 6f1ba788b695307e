"""Items that changed between two runs, each once: where its scores disagree, one of them decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from nemo_eval_operator.gates import Comparison
from nemo_eval_operator.resources import Direction

from .items import Samples, of_task, sample_text
from .model import Flip, Flips
from .texts import name_text

__all__ = ["MAX_FLIPS", "Precedence", "flips_of"]

MAX_FLIPS: Final = 20
"""Items of one comparison that are kept for each direction."""

ItemId = tuple[str, str]
"""Task and key of an item."""


class Precedence(IntEnum):
    """Which of an item's scores decides, where several changed: the highest, then the largest change."""

    NOT_DECIDED = 0
    WITH_VERDICT = 1
    """The score as a whole became better or worse."""
    OF_GATE = 2
    """A criterion of the gate names the score."""


@dataclass(frozen=True, slots=True)
class _Deciding:
    """The score that an item is shown by, and what it gained there as a share of that score's range."""

    precedence: Precedence
    gain: float
    position: int
    compared: Comparison

    @property
    def weight(self) -> tuple[Precedence, float]:
        return self.precedence, abs(self.gain)


def flips_of(
    scores: Iterable[tuple[Comparison, Direction, Precedence]], *, before: Samples, after: Samples
) -> tuple[Flips, Flips]:
    """Return the items that became worse, and those that became better; none of them is in both."""
    deciding: dict[ItemId, _Deciding] = {}
    for position, (compared, direction, precedence) in enumerate(scores):
        if not compared.pairs:
            continue
        sign = 1 if direction is Direction.HIGHER else -1
        task, _ = of_task(compared.after.name, {**before, **after})
        old, new, whole = compared.before.items, compared.after.items, _range(compared)
        for key in old.keys() & new.keys():
            found = _Deciding(precedence, sign * (new[key] - old[key]) / whole, position, compared)
            known = deciding.get((task, key))
            if found.gain and (known is None or known.weight < found.weight):
                deciding[task, key] = found
    worse = {item: one for item, one in deciding.items() if one.gain < 0}
    better = {item: one for item, one in deciding.items() if one.gain > 0}
    return _ordered(worse, before, after), _ordered(better, before, after)


def _range(compared: Comparison) -> float:
    """Return the largest score of an item, at least 1: BLEU of 0 to 100 would hide scores of 0 to 1."""
    return max([1.0, *map(abs, compared.before.items.values()), *map(abs, compared.after.items.values())])


def _ordered(found: Mapping[ItemId, _Deciding], before: Samples, after: Samples) -> Flips:
    """Return the items with the largest changes; of equal ones, those of the first score."""
    ranked = sorted(found, key=lambda item: (-abs(found[item].gain), found[item].position, item))
    flips = [_flip(item, found[item].compared, before, after) for item in ranked[:MAX_FLIPS]]
    return Flips(flips=tuple(flips), left_out=len(ranked) - len(flips))


def _flip(item: ItemId, compared: Comparison, before: Samples, after: Samples) -> Flip:
    task, key = item
    old, new = before.get(task, {}).get(key), after.get(task, {}).get(key)
    return Flip(
        score=name_text(compared.after.name),
        key=key,
        baseline=compared.before.items[key],
        candidate=compared.after.items[key],
        input=sample_text(new or old, "input"),
        reference=sample_text(new or old, "reference"),
        baseline_output=sample_text(old, "output"),
        candidate_output=sample_text(new, "output"),
    )

"""Items that changed between two runs, each once for each direction: by the score that changed most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nemo_eval_operator.gates import Comparison, ScoreEvidence
from nemo_eval_operator.resources import Direction

from .items import Samples, of_task, sample_text
from .model import Flip, Flips
from .texts import name_text

__all__ = ["MAX_FLIPS", "flips_of"]

MAX_FLIPS: Final = 20
"""Items of one comparison that are kept for each direction."""

ItemId = tuple[str, str]
"""Task and key of an item."""


@dataclass(frozen=True, slots=True)
class _Largest:
    """The score by which an item changed most, and its change as a share of that score's range."""

    share: float
    position: int
    compared: Comparison


def flips_of(
    scores: Iterable[tuple[Comparison, Direction]], *, before: Samples, after: Samples
) -> tuple[Flips, Flips]:
    """Return the items that became worse, and those that became better."""
    worse: dict[ItemId, _Largest] = {}
    better: dict[ItemId, _Largest] = {}
    for position, (compared, direction) in enumerate(scores):
        if not compared.pairs:
            continue
        sign = 1 if direction is Direction.HIGHER else -1
        task, _ = of_task(compared.after.name, {**before, **after})
        old, new, whole = compared.before.items, compared.after.items, _range(compared.after)
        for key in old.keys() & new.keys():
            gain = sign * (new[key] - old[key]) / whole
            found, item = better if gain > 0 else worse, (task, key)
            if gain and (item not in found or found[item].share < abs(gain)):
                found[item] = _Largest(abs(gain), position, compared)
    return _ordered(worse, before, after), _ordered(better, before, after)


def _range(score: ScoreEvidence) -> float:
    """Return the largest score of an item, at least 1: BLEU of 0 to 100 would hide scores of 0 to 1."""
    return max([1.0, *map(abs, score.items.values())])


def _ordered(found: Mapping[ItemId, _Largest], before: Samples, after: Samples) -> Flips:
    """Return the items with the largest changes; of equal ones, those of the first score."""
    ranked = sorted(found, key=lambda item: (-found[item].share, found[item].position, item))
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

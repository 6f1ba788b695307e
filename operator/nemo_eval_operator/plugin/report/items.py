"""Items of runs by the keys that evidence has, joined with what results documents say about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from nemo_eval_operator.gates import Comparison, ItemKeys, ScoreEvidence
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import Direction
from nemo_eval_operator.samples_view import ViewedSample, samples_of

from .model import Distribution, Item
from .texts import item_text, name_text

__all__ = [
    "Samples",
    "Worst",
    "distribution_of",
    "of_task",
    "sample_text",
    "samples_by_key",
    "split_of",
    "worst_of",
]

BINS: Final = 20
"""Parts that the range of scores is divided into."""

MAX_WORST: Final = 10

PERFECT: Final = {Direction.HIGHER: 1.0, Direction.LOWER: 0.0}
"""Score of an item without a fault, on the scale that most metrics have."""

Samples = Mapping[str, Mapping[str, ViewedSample]]
"""Samples by task and key."""


def samples_by_key(document: JsonObject | None) -> Samples:
    """Return the samples of a results document."""
    found: dict[str, dict[str, ViewedSample]] = {}
    for task, viewed in (samples_of(document) if document else {}).items():
        keys, by_key = ItemKeys(), found.setdefault(task, {})
        for raw, sample in zip(_raw_samples(document, task), viewed, strict=True):
            if isinstance(raw, dict):
                by_key.setdefault(keys.of(raw), sample)
    return found


def _raw_samples(document: JsonObject | None, task: str) -> list[JsonValue]:
    tasks = document.get("tasks") if document else None
    match tasks.get(task) if isinstance(tasks, dict) else None:
        case {"data": {"samples": [*samples]}}:
            return samples
        case _:
            return []


@dataclass(frozen=True, slots=True)
class Worst:
    """The items with the worst scores, as many as were asked for."""

    items: tuple[Item, ...] = ()
    more_equal: int = 0
    """Items that are left out although they are not better than the last one of `items`."""

    @property
    def note(self) -> str:
        """Return how many there are besides these; empty where there are none."""
        if not self.more_equal:
            return ""
        score = self.items[-1].score
        subject = "1 more item has" if self.more_equal == 1 else f"{self.more_equal} more items have"
        return f"{subject} {'no score' if score is None else f'the score {score:.4g}'}"


def worst_of(
    score: ScoreEvidence, direction: Direction, samples: Samples, *, limit: int = MAX_WORST
) -> Worst:
    """Return the items with an error, and then those with the worst scores."""
    task, found = of_task(score.name, samples)
    failed: list[tuple[str, float | None]] = [
        (key, None) for key, sample in found.items() if sample.error is not None and key not in score.items
    ]
    sign = 1 if direction is Direction.HIGHER else -1
    ordered = sorted(score.items.items(), key=lambda item: (sign * item[1], item[0]))
    values = [sign * value for value in score.items.values()]
    best = max(values, default=0.0)
    if min(values, default=best) == best != sign * PERFECT[direction]:
        # All failed in the same way: none of them is good.
        best = math.inf
    ranked = [*failed, *((key, value) for key, value in ordered if sign * value < best)]
    shown = ranked[:limit]
    return Worst(
        tuple(_item(task, key, value, found.get(key)) for key, value in shown),
        sum(value == shown[-1][1] for _, value in ranked[limit:]) if shown else 0,
    )


def split_of(compared: Comparison, direction: Direction) -> tuple[int, int, int] | None:
    """Return how many items are better, worse and equal; None where items were not paired."""
    if not compared.pairs:
        return None
    sign = 1 if direction is Direction.HIGHER else -1
    differences = [sign * (after - before) for before, after in compared.pairs]
    better, worse = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    return better, worse, len(differences) - better - worse


def distribution_of(score: ScoreEvidence) -> Distribution | None:
    """Return how the items' scores are distributed; None where there are no items."""
    values = list(score.items.values())
    if not values:
        return None
    low, high = min(values), max(values)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    bins = 2 if {*values} <= {0.0, 1.0} else 1 if low == high else BINS
    counts = [0] * bins
    width = (high - low) / bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1) if width else 0] += 1
    return Distribution(low=low, high=high, counts=tuple(counts))


def of_task(score: str, samples: Samples) -> tuple[str, Mapping[str, ViewedSample]]:
    """Return the task of a score TASK/METRIC/SCORE, and its samples."""
    found = max((task for task in samples if score.startswith(f"{task}/")), key=len, default=None)
    return (score.partition("/")[0], {}) if found is None else (found, samples[found])


def _item(task: str, key: str, score: float | None, sample: ViewedSample | None) -> Item:
    return Item(
        task=name_text(task),
        index=name_text(sample.index) if sample else "",
        key=key,
        score=score,
        input=sample_text(sample, "input"),
        reference=sample_text(sample, "reference"),
        output=sample_text(sample, "output"),
        error=name_text(sample.error) if sample and sample.error is not None else None,
    )


def sample_text(sample: ViewedSample | None, part: Literal["input", "reference", "output"]) -> str | None:
    """Return a text of a sample, cleaned and cut."""
    return None if sample is None else item_text(getattr(sample, part))

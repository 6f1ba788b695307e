"""Scores of single items, gathered from samples as results documents and sample files hold them.

An item is identified by a digest of its content, with a number for those that occur more than once: an index
would pair other items where a dataset was reordered.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

__all__ = ["KEY_CHARACTERS", "LARGEST", "MAX_ITEMS", "ItemKeys", "SampleScores", "number_in"]

LARGEST: Final = 1e100
"""A score beyond this counts as not computed: its square would not be finite."""

KEY_CHARACTERS: Final = 12
"""Of an item's key, in hexadecimal: of 10,000 items two have the same key with a probability of 2e-7."""

MAX_ITEMS: Final = 100_000
"""Samples of one task that are read. With more of them the task's items count as unknown."""

CLOSE: Final = 1e-6
"""How near the mean of the items has to be to a score whose items no sums confirm."""


class ItemKeys:
    """Keys of one task's items, by which those of two runs are paired; samples come in their order."""

    def __init__(self) -> None:
        self._seen = Counter[tuple[str, str]]()

    def of(self, sample: JsonObject) -> str:
        """Return the key of the next sample."""
        content = _content(sample)
        variant = _variant(sample)
        self._seen[content, variant] += 1
        return _digest(f"{content}#{self._seen[content, variant]}")


class SampleScores:
    """The scores of one task's items."""

    def __init__(self, samples: Iterable[JsonValue] = ()) -> None:
        self._found: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
        self._keys = ItemKeys()
        self._count = 0
        for sample in samples:
            self.add(sample)

    def add(self, sample: JsonValue) -> int:
        """Take the scores of one sample, and return how many values are kept of it, itself included.

        One without the expected form has none.
        """
        self._count += 1
        if not isinstance(sample, dict) or self._count > MAX_ITEMS:
            return 1
        key, variant = self._keys.of(sample), _variant(sample)
        kept = 1
        for (metric, name), value in _scores(sample.get("scores")):
            self._found[metric, name, variant][key] = value
            kept += 1
        return kept

    @property
    def scores(self) -> int:
        """Number of scores that samples have, by metric, name and filter."""
        return len(self._found)

    def of(self, metric: str, score: str, *, value: float | None, confirm: bool) -> Mapping[str, float]:
        """Return the items of a score; none where several variants may be meant that differ in an item.

        `confirm`: only items whose mean is `value` count. lm-eval scores an answer by several filters.
        """
        if self._count > MAX_ITEMS:
            return {}
        named = [items for (m, n, _), items in self._found.items() if m == metric and n in {score, ""}]
        if confirm:
            named = [items for items in named if value is not None and _has_mean(items, value)]
        return named[0] if named and all(items == named[0] for items in named[1:]) else {}


def _has_mean(items: Mapping[str, float], value: float) -> bool:
    return math.isclose(math.fsum(items.values()) / len(items), value, rel_tol=CLOSE, abs_tol=CLOSE)


def _scores(metrics: JsonValue) -> Iterator[tuple[tuple[str, str], float]]:
    """Scores by metric and name; the name is empty where a metric has one number."""
    for metric, scores in metrics.items() if isinstance(metrics, dict) else ():
        for name, value in scores.items() if isinstance(scores, dict) else [("", scores)]:
            if (number := number_in(value)) is not None:
                yield (metric, name), number


def _variant(sample: JsonObject) -> str:
    """Return the filter by which lm-eval took the answer; empty for other evaluations."""
    variant = sample.get("filter")
    return variant if isinstance(variant, str) else ""


def _content(sample: JsonObject) -> str:
    """The hash of the item: the evaluator's own, or that of its canonical JSON."""
    if isinstance(known := sample.get("item_id"), str) and known:
        return known
    text = json.dumps(sample.get("item"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:KEY_CHARACTERS]


def number_in(value: JsonValue) -> float | None:
    """Return a number that can be squared and summed, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= LARGEST else None

"""What a results document says about each score: the value, its sums, and the score of each item.

The aggregates come from the document's `stats`; a standard error is computed from the sums, never taken from
the server, whose definition of it is not documented. Scores of items come from `tasks.<task>.data.samples`.
Items are identified by their content, with a number for those that occur more than once: an index would pair
other items where a dataset was reordered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.nemo import JsonObject

from .statistics import Moments

__all__ = ["Evidence", "ScoreEvidence", "evidence_of"]

RANKED: Final = re.compile(r"(?P<task>.+-metric_ranking-)(?P<rank>\d+)")
"""How NeMo numbers the scores of lm-eval; the standard error of one has the next number."""

LARGEST: Final = 1e100
"""A score beyond this counts as not computed: its square would not be finite."""

MIN_KNOWN: Final = 0.9
"""Share of the scored items that have to be known by themselves for a run to be paired with another."""

STDERR: Final = "_stderr"
"""Ends the name of an lm-eval metric that holds standard errors."""


@dataclass(frozen=True, slots=True)
class ScoreEvidence:
    """One score of a run."""

    name: str
    """TASK/METRIC/SCORE; of groups GROUP/METRIC/SCORE."""
    value: float | None
    """None: it could not be computed, or is not finite."""
    moments: Moments | None = None
    has_sums: bool = False
    """Whether the moments are those of the document's sums, and not of its samples."""
    nan_count: int = 0
    is_binary: bool = False
    """Whether every item's score is 0 or 1."""
    stderr: float | None = None
    """lm-eval's own, where there are no sums."""
    items: Mapping[str, float] = field(default_factory=dict)
    """Finite scores by item; empty where the document has no samples."""

    @property
    def has_all_items(self) -> bool:
        """Whether nearly all scored items are known: a document may hold only the first of them."""
        counted = self.moments.count if self.moments else 0
        return bool(self.items) and len(self.items) >= MIN_KNOWN * counted

    @property
    def nan_fraction(self) -> float:
        """The share of items without a score."""
        counted = self.moments.count if self.moments else 0
        return self.nan_count / (counted + self.nan_count) if self.nan_count else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The scores of one run."""

    scores: tuple[ScoreEvidence, ...]

    def named(self, name: str) -> list[ScoreEvidence]:
        """Return the scores that `name` may mean: TASK/METRIC/SCORE, or a part of it where that is unique.

        `answered`, `qa/answered`, `answered/string-check` and `qa/answered/string-check` may mean the same.
        So may TASK/SCORE, where no score has the other names.
        """
        exact = [score for score in self.scores if score.name == name]
        parts = exact or [score for score in self.scores if f"/{name}/" in f"/{score.name}/"]
        task, _, last = name.rpartition("/")
        return parts or [
            score for score in self.scores if task and _has_ends(score.name, first=task, last=last)
        ]


def _has_ends(name: str, *, first: str, last: str) -> bool:
    return name.startswith(f"{first}/") and name.endswith(f"/{last}")


def evidence_of(document: JsonObject) -> Evidence:
    """Return what a results document says, as a ConfigMap or the evaluator's results route has it.

    What does not have the expected form is left out: a criterion that needs it is then inconclusive.
    """
    scores = [
        score
        for level in ("tasks", "groups")
        for score in _in_level(document.get(level), path=(), is_task=level == "tasks")
    ]
    if "truncated" in document:
        # Samples that are left of a document are no evidence about the others.
        scores = [
            replace(score, items={}, moments=score.moments if score.has_sums else None) for score in scores
        ]
    return Evidence(tuple(scores))


def _in_level(level: JsonValue, *, path: tuple[str, ...], is_task: bool) -> Iterator[ScoreEvidence]:
    for name, entry in level.items() if isinstance(level, dict) else ():
        if isinstance(entry, dict):
            here = (*path, name)
            items = _items(entry.get("data")) if is_task else {}
            yield from _in_metrics(entry.get("metrics"), owner="/".join(here), items=items)
            yield from _in_level(entry.get("groups"), path=here, is_task=False)


def _in_metrics(
    metrics: JsonValue, *, owner: str, items: Mapping[tuple[str, str], Mapping[str, float]]
) -> Iterator[ScoreEvidence]:
    known = {metric: _scores(entry) for metric, entry in metrics.items()} if isinstance(metrics, dict) else {}
    for metric, scores in known.items():
        for name, entry in scores.items():
            stats = entry.get("stats")
            yield _score(
                f"{owner}/{metric}/{name}",
                _number(entry.get("value")),
                stats if isinstance(stats, dict) else {},
                stderr=_ranked_stderr(known.get(metric + STDERR, {}), name),
                items=items.get((metric, name), items.get((metric, ""), {})),
            )


def _score(
    name: str, value: float | None, stats: JsonObject, *, stderr: float | None, items: Mapping[str, float]
) -> ScoreEvidence:
    count, total, squared = (_number(stats.get(key)) for key in ("count", "sum", "sum_squared"))
    moments, is_binary, has_sums = None, False, False
    if count is not None and count >= 1 and total is not None and squared is not None:
        moments, has_sums = Moments.from_sums(int(count), total, squared), True
        extremes = {_number(stats.get("min")), _number(stats.get("max"))}
        is_binary = total == squared and extremes <= {0.0, 1.0}
    elif items:
        moments = Moments.of([*items.values()])
        is_binary = {*items.values()} <= {0.0, 1.0}
    nan_count = _number(stats.get("nan_count")) or 0
    return ScoreEvidence(
        name,
        value,
        moments=moments,
        has_sums=has_sums,
        nan_count=max(0, int(nan_count)),
        is_binary=is_binary,
        stderr=stderr,
        items=items,
    )


def _ranked_stderr(errors: Mapping[str, JsonObject], name: str) -> float | None:
    if not (ranked := RANKED.fullmatch(name)):
        return None
    entry = errors.get(f"{ranked['task']}{int(ranked['rank']) + 1}")
    return _number(entry.get("value")) if entry else None


def _scores(entry: JsonValue) -> dict[str, JsonObject]:
    scores = entry.get("scores") if isinstance(entry, dict) else None
    found = scores.items() if isinstance(scores, dict) else ()
    return {name: one for name, one in found if isinstance(one, dict)}


def _items(data: JsonValue) -> dict[tuple[str, str], dict[str, float]]:
    """Scores by (metric, score) and then by item; the score is empty where a metric has one number."""
    samples = data.get("samples") if isinstance(data, dict) else None
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    seen = Counter[str]()
    for sample in samples if isinstance(samples, list) else ():
        if not isinstance(sample, dict):
            continue
        content = _content(sample)
        seen[content] += 1
        key = f"{content}#{seen[content]}"
        for name, value in _item_scores(sample.get("scores")):
            found[name][key] = value
    return dict(found)


def _item_scores(metrics: JsonValue) -> Iterator[tuple[tuple[str, str], float]]:
    for metric, scores in metrics.items() if isinstance(metrics, dict) else ():
        for name, value in scores.items() if isinstance(scores, dict) else [("", scores)]:
            if (number := _number(value)) is not None:
                yield (metric, name), number


def _content(sample: JsonObject) -> str:
    """The hash of the item: the evaluator's own, or that of its canonical JSON."""
    if isinstance(known := sample.get("item_id"), str) and known:
        return known
    text = json.dumps(sample.get("item"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _number(value: JsonValue) -> float | None:
    """Return a number that can be squared and summed, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= LARGEST else None

"""What a results document says about each score: the value, its sums, and the score of each item.

The aggregates come from the document's `stats`; a standard error is computed from the sums, never taken from
the server, whose definition of it is not documented. Scores of items come from `tasks.<task>.data.samples`.
Where a document holds only the first of them, the samples of the whole run may be given beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

from .samples import SampleScores, number_in
from .statistics import Moments

__all__ = ["Evidence", "ScoreEvidence", "evidence_of"]

RANK: Final = "-metric_ranking-"

RANKED: Final = re.compile(rf"(?P<task>.+){RANK}(?P<rank>\d{{1,9}})")
"""How NeMo names and numbers the scores of an lm-eval task; the standard error of one has the next number."""

MIN_KNOWN: Final = 0.9
"""Share of the scored items that have to be known by themselves for a run to be paired with another."""

MAX_COUNT: Final = 10**12
"""Items of one score; beyond it a count is none, as Kubernetes would refuse it."""

Scores = dict[str, JsonObject]
"""Entries of the scores of one metric, by name."""

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


def evidence_of(document: JsonObject, samples: Mapping[str, SampleScores] | None = None) -> Evidence:
    """Return what a results document says, as a ConfigMap or the evaluator's results route has it.

    `samples`: those of the whole run, by task; None: those in the document. What does not have the expected
    form is left out: a criterion that needs it is then inconclusive.
    """
    tasks = document.get("tasks")
    if samples is None:
        samples = _samples_in(tasks) if isinstance(tasks, dict) else {}
    scores = [
        *_in_level(tasks, path=(), samples=samples),
        *_in_level(document.get("groups"), path=(), samples={}),
    ]
    if "truncated" in document:
        # Samples that are left of a document are no evidence about the others.
        scores = [
            replace(score, items={}, moments=score.moments if score.has_sums else None) for score in scores
        ]
    return Evidence(tuple(scores))


def _samples_in(tasks: JsonObject) -> dict[str, SampleScores]:
    found = {}
    for name, task in tasks.items():
        match task:
            case {"data": {"samples": [*samples]}}:
                found[name] = SampleScores(samples)
            case _:
                pass
    return found


def _in_level(
    level: JsonValue, *, path: tuple[str, ...], samples: Mapping[str, SampleScores]
) -> Iterator[ScoreEvidence]:
    entries = level if isinstance(level, dict) else {}
    for name, entry in entries.items():
        if isinstance(entry, dict):
            here = (*path, name)
            metrics = _metrics(entry)
            # NeMo gives each metric of lm-eval, and its standard errors, as a task of its own.
            errors = _metrics(entries.get(name + STDERR)) | metrics
            yield from _in_metrics(metrics, errors=errors, path=here, samples=samples)
            yield from _in_level(entry.get("groups"), path=here, samples={})


def _in_metrics(
    metrics: Mapping[str, Scores],
    *,
    errors: Mapping[str, Scores],
    path: tuple[str, ...],
    samples: Mapping[str, SampleScores],
) -> Iterator[ScoreEvidence]:
    for metric, scores in metrics.items():
        for name, entry in scores.items():
            stats, value = entry.get("stats"), number_in(entry.get("value"))
            ranked = RANKED.fullmatch(name)
            sampled = samples.get(ranked["task"] if ranked else path[-1])
            yield _score(
                "/".join((*path, metric, name)),
                value,
                stats if isinstance(stats, dict) else {},
                stderr=_ranked_stderr(errors.get(metric + STDERR, {}), ranked) if ranked else None,
                items=sampled.of(metric, name, value=value, confirm=ranked is not None) if sampled else {},
            )


def _score(
    name: str, value: float | None, stats: JsonObject, *, stderr: float | None, items: Mapping[str, float]
) -> ScoreEvidence:
    count, total, squared = (number_in(stats.get(key)) for key in ("count", "sum", "sum_squared"))
    moments, is_binary, has_sums = None, False, False
    if count is not None and 1 <= count <= MAX_COUNT and total is not None and squared is not None:
        moments, has_sums = Moments.from_sums(int(count), total, squared), True
        extremes = {number_in(stats.get("min")), number_in(stats.get("max"))}
        is_binary = total == squared and 0 <= total <= count and extremes <= {0.0, 1.0}
    elif items:
        moments = Moments.of([*items.values()])
        is_binary = {*items.values()} <= {0.0, 1.0}
    nan_count = number_in(stats.get("nan_count")) or 0
    return ScoreEvidence(
        name,
        value,
        moments=moments,
        has_sums=has_sums,
        nan_count=int(min(max(0, nan_count), MAX_COUNT)),
        is_binary=is_binary,
        stderr=stderr,
        items=items,
    )


def _ranked_stderr(errors: Scores, ranked: re.Match[str]) -> float | None:
    entry = errors.get(f"{ranked['task']}{RANK}{int(ranked['rank']) + 1}")
    return number_in(entry.get("value")) if entry else None


def _metrics(entry: JsonValue) -> dict[str, Scores]:
    metrics = entry.get("metrics") if isinstance(entry, dict) else None
    return {name: _scores(one) for name, one in metrics.items()} if isinstance(metrics, dict) else {}


def _scores(entry: JsonValue) -> Scores:
    scores = entry.get("scores") if isinstance(entry, dict) else None
    found = scores.items() if isinstance(scores, dict) else ()
    return {name: one for name, one in found if isinstance(one, dict)}

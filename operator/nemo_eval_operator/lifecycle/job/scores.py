"""The evaluator's results as a short, flat list of scores.

Two shapes are on record and may be nested: `tasks.<task>.metrics.<metric>.scores.<score>`
and `groups.<group>…`, whose groups may hold further groups. Whatever else a result
holds stays in the full document.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import Results, readable
from nemo_eval_operator.resources import Score

from .score_line import summary_of

__all__ = ["RunScores", "scores_of"]

MAX_SCORES: Final = 50
"""Scores kept in status; etcd is no result store, the full document is in the ConfigMap."""

MAX_NAME_CHARACTERS: Final = 256
"""Kept of a name, so that MAX_SCORES of them stay far below what etcd takes."""

MAX_METRICS_NAMED: Final = 3
"""Metrics without a score that the status names."""

MAX_COUNT: Final = 2**53
"""Bound of counts: larger numbers are not exact integers in JSON."""


@dataclass(frozen=True, slots=True)
class RunScores:
    """What the status says about the scores of a run; results themselves may take much memory."""

    first: tuple[Score, ...]
    """At most MAX_SCORES of them."""
    count: int
    line: str | None
    """The scores in one line, as in the table of runs."""
    metrics_without: tuple[str, ...]
    """Names of the first metrics whose scores are an empty object: no number could be computed."""
    metrics_without_count: int

    @classmethod
    def of(cls, results: Results) -> Self:
        """Return the scores of these results."""
        scores, without = scores_of(results), _metrics_without_scores(results)
        return cls(
            first=tuple(scores[:MAX_SCORES]),
            count=len(scores),
            line=summary_of(scores),
            metrics_without=tuple(without[:MAX_METRICS_NAMED]),
            metrics_without_count=len(without),
        )


def scores_of(results: Results) -> list[Score]:
    """Every score of the results, tasks before groups, in the evaluator's order."""
    return [
        *_in_level(results.tasks, kind="task", path=()),
        *_in_level(results.groups, kind="group", path=()),
    ]


def _metrics_without_scores(results: Results) -> list[str]:
    return [
        _name(metric)
        for task in results.tasks.values()
        if isinstance(task, dict) and isinstance(metrics := task.get("metrics"), dict)
        for metric, entry in metrics.items()
        if isinstance(entry, dict) and entry.get("scores") == {}
    ]


def _in_level(level: JsonValue, *, kind: str, path: tuple[str, ...]) -> Iterator[Score]:
    for name, entry in level.items() if isinstance(level, dict) else ():
        if not isinstance(entry, dict):
            continue
        here = (*path, name)
        yield from _in_metrics(entry.get("metrics"), kind=kind, owner="/".join(here))
        yield from _in_level(entry.get("groups"), kind="group", path=here)


def _in_metrics(metrics: JsonValue, *, kind: str, owner: str) -> Iterator[Score]:
    for metric, entry in metrics.items() if isinstance(metrics, dict) else ():
        scores = entry.get("scores") if isinstance(entry, dict) else None
        for name, score in scores.items() if isinstance(scores, dict) else ():
            if isinstance(score, dict) and (value := _number(score.get("value"))) is not None:
                yield _score(
                    score.get("stats"), kind=kind, owner=owner, metric=metric, name=name, value=value
                )


def _score(stats: JsonValue, *, kind: str, owner: str, metric: str, name: str, value: float) -> Score:
    known = stats if isinstance(stats, dict) else {}
    return Score(
        task=_name(owner) if kind == "task" else None,
        group=_name(owner) if kind == "group" else None,
        metric=_name(metric),
        score=_name(name),
        value=value,
        count=_count(known.get("count")),
        stddev=_number(known.get("stddev")),
        stderr=_number(known.get("stderr")),
        nan_count=_count(known.get("nan_count")),
    )


def _number(value: JsonValue) -> float | None:
    """A finite number; JSON has no NaN, and a status with one would be refused."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _count(value: JsonValue) -> int | None:
    number = _number(value)
    return None if number is None or not 0 <= number < MAX_COUNT else int(number)


def _name(text: str) -> str:
    """Return a server's name of a score, printable and of bounded length."""
    return readable(text, MAX_NAME_CHARACTERS)

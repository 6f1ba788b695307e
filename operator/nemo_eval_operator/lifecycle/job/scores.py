"""The evaluator's results as a short, flat list of scores.

Two shapes are on record and may be nested: `tasks.<task>.metrics.<metric>.scores.<score>`
and `groups.<group>…`, whose groups may hold further groups. Whatever else a result
holds stays in the full document.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import Results, readable
from nemo_eval_operator.resources import Score

__all__ = ["MAX_SCORES", "metrics_without_scores", "scores_of"]

MAX_SCORES: Final = 50
"""Scores kept in status; etcd is no result store, the full document is in the ConfigMap."""

MAX_NAME_CHARACTERS: Final = 256
"""Kept of a name, so that MAX_SCORES of them stay far below what etcd takes."""

MAX_COUNT: Final = 2**53
"""Bound of counts: larger numbers are not exact integers in JSON."""


def scores_of(results: Results) -> list[Score]:
    """Every score of the results, tasks before groups, in the evaluator's order."""
    return [
        *_in_level(results.tasks, kind="task", path=()),
        *_in_level(results.groups, kind="group", path=()),
    ]


def metrics_without_scores(results: Results) -> list[str]:
    """Names of metrics whose scores are an empty object: no number could be computed."""
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

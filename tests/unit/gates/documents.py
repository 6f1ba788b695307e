"""Results documents as evaluators give them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nemo_eval_operator.json_types import JsonObject

NAME = "qa/answered/string-check"


def results(
    scores: Sequence[float], *, items: Sequence[str] | None = None, rows: bool = True, nan: int = 0
) -> JsonObject:
    """One task with one metric; an item for each score, named by `items` or by its number."""
    names = items or [f"question {number}" for number in range(len(scores))]
    samples = [
        {"item": {"question": name}, "scores": {"answered": {"string-check": score}}}
        for name, score in zip(names, scores, strict=True)
    ]
    return document(stats(scores, nan=nan), samples if rows else None)


def stats(scores: Sequence[float], *, nan: int = 0) -> JsonObject:
    return {
        "count": len(scores),
        "sum": math.fsum(scores),
        "sum_squared": math.fsum(score * score for score in scores),
        "min": min(scores),
        "max": max(scores),
        "mean": math.fsum(scores) / len(scores),
        "nan_count": nan,
        "stderr": 0.0,
    }


def document(stats: Mapping[str, object] | None, samples: Sequence[object] | None = None) -> JsonObject:
    value = stats["mean"] if stats else 0.5
    score = {"value": value, **({"stats": stats} if stats else {})}
    data = {} if samples is None else {"data": {"samples": samples}}
    found: dict[str, object] = {
        "tasks": {"qa": {"metrics": {"answered": {"scores": {"string-check": score}}}, **data}}
    }
    return found  # type: ignore[return-value]  # plain JSON, built of parts

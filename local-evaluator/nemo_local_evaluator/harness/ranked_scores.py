"""Conversion of lm-eval's scores to NeMo's form: by metric, numbered in lm-eval's order."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ranked_scores"]


def ranked_scores(
    scores: Mapping[str, Mapping[str, Any]], filters: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """`scores` by task, each keyed `<metric>,<filter>`; `filters` in each task's own order.

    gsm8k's come as exact_match (1) and exact_match_stderr (2) of the first filter, then (3, 4) of the next.
    Values that are not numbers, such as an error that was not estimated, keep their place and are omitted.
    """
    ranked: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for task, metrics in scores.items():
        order = list(filters.get(task, ()))
        keys = [tuple(key.rsplit(",", 1)) for key in metrics if "," in key]
        # Stable: within a filter, as lm-eval has them.
        keys.sort(key=lambda key: order.index(key[1]) if key[1] in order else len(order))
        for rank, (metric, filter_name) in enumerate(keys, start=1):
            value = metrics[f"{metric},{filter_name}"]
            if isinstance(value, int | float) and math.isfinite(value):
                ranked[metric][f"{task}-metric_ranking-{rank}"] = {"value": value}
    return {name: {"metrics": {name: {"scores": values}}} for name, values in ranked.items()}

"""Table of scores: a line for each, tasks before groups."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from nemo_local_evaluator.evaluations import Outcome

__all__ = ["results_json", "scores_table"]


def results_json(outcome: Outcome) -> str:
    """Return all scores and samples as a JSON document, which `nemo-eval-operator gate` reads."""
    return json.dumps({"tasks": outcome.tasks, "groups": outcome.groups}, indent=2) + "\n"


def scores_table(outcome: Outcome) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("TASK", "METRIC", "SCORE"):
        table.add_column(heading, overflow="fold")
    for heading in ("VALUE", "COUNT", "STDERR", "NAN"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cells in (*_in_level(outcome.tasks), *_in_level(outcome.groups, kind="group ")):
        table.add_row(*map(Text, cells))
    return table


def _in_level(level: Mapping[str, Any], *, kind: str = "", above: str = "") -> Iterator[tuple[str, ...]]:
    for name, entry in level.items():
        owner = f"{above}{name}"
        for metric, of_metric in entry.get("metrics", {}).items():
            if not of_metric["scores"]:
                yield (f"{kind}{owner}", metric, "", "none", "0", "", _samples_total(entry))
            for score, result in of_metric["scores"].items():
                yield (f"{kind}{owner}", metric, score, *_numbers(result))
        yield from _in_level(entry.get("groups", {}), kind=kind, above=f"{owner}/")


def _samples_total(entry: Mapping[str, Any]) -> str:
    return str(entry.get("data", {}).get("samples_total", ""))


def _numbers(result: Mapping[str, Any]) -> tuple[str, str, str, str]:
    stats = result.get("stats") or {}
    count, stderr, nan_count = (stats.get(name) for name in ("count", "stderr", "nan_count"))
    return (
        f"{result['value']:.4g}",
        "" if count is None else str(count),
        "" if stderr is None else f"{stderr:.2g}",
        str(nan_count) if nan_count else "",
    )

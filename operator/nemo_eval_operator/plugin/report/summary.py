"""The overall verdict of a report, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from .model import Comparison, Run

__all__ = ["summary_of"]

MAX_RUNS: Final = 5
"""Runs, and comparisons, that the summary names."""

UNDECIDED: Final = {"Failed": "failed", "Inconclusive": "not decided"}
"""Words for the criteria whose result is the gate's, where it did not pass."""


VERDICTS: Final = {
    "worse": "worse",
    "better": "better",
    "no difference shown": "with no difference shown",
    "not decided": "not decided",
}
"""Words for the verdicts of scores, in the order in which they are named."""


def summary_of(runs: Sequence[Run], comparisons: Sequence[Comparison]) -> str:
    """Return `new: gate failed (1 of 2 criteria failed). Scores compared with old: 1 worse, 2 better.`"""
    several = len(comparisons) > 1
    sentences = [f"{run.name}: {run.outcome}{_remarks(run)}" for run in runs[:MAX_RUNS]]
    if len(runs) > MAX_RUNS:
        sentences.append(f"{len(runs) - MAX_RUNS} more runs are below")
    sentences += [_compared(one, several=several) for one in comparisons[:MAX_RUNS]]
    return " ".join(f"{one}." for one in sentences)


def _remarks(run: Run) -> str:
    word = UNDECIDED.get(run.verdict or "")
    count = sum(one.result == run.verdict for one in run.criteria)
    criteria = "criterion" if len(run.criteria) == 1 else "criteria"
    decided = f"{count} of {len(run.criteria)} {criteria} {word}" if word and count else ""
    remarks = "; ".join(part for part in (decided, run.limited) if part)
    return f" ({remarks})" if remarks else ""


def _compared(one: Comparison, *, several: bool) -> str:
    who = f" of {one.candidate}" if several else ""
    if not one.changes:
        return f"Scores{who} not compared with {one.baseline}"
    counts = Counter(change.verdict for change in one.changes)
    found = ", ".join(f"{counts[verdict]} {word}" for verdict, word in VERDICTS.items() if counts[verdict])
    return f"Scores{who} compared with {one.baseline}: {found}"

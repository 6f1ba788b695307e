"""The report, as all formats show it; its JSON has the same names in camelCase."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = [
    "Change",
    "Comparison",
    "Criterion",
    "Difference",
    "Distribution",
    "Fact",
    "Flip",
    "Flips",
    "History",
    "Item",
    "Point",
    "Report",
    "Role",
    "Run",
    "Score",
]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A number that JSON can hold: an interval of one item has no bounds."""


Role = Literal["baseline", "candidate"]
"""Of a run in the comparisons of a report."""

FIGURES: Final = 4
"""Significant figures of a value."""


class Part(BaseModel):
    """Base of all parts. Texts have been cleaned and cut."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Fact(Part):
    """A name and its value, for tables of details."""

    name: str
    value: str


class Distribution(Part):
    """How many items have scores within each of several equal parts of a range."""

    low: float
    high: float
    counts: tuple[int, ...]


class Score(Part):
    """One score of a run."""

    name: str
    value: Number = None
    low: Number = None
    high: Number = None
    items: int | None = None
    items_without_score: int = 0
    distribution: Distribution | None = None


class Item(Part):
    """One item among those with the worst score."""

    task: str
    index: str = ""
    key: str = ""
    score: Number = None
    input: str | None = None
    reference: str | None = None
    output: str | None = None
    error: str | None = None


class Criterion(Part):
    """Result of one criterion of the run's gate."""

    score: str
    tier: str
    result: str
    message: str


class Run(Part):
    """One run, as far as it has got."""

    name: str
    namespace: str
    outcome: str
    passed: bool | None
    """None: it has not ended, or its gate is inconclusive."""
    message: str
    model: str
    benchmark: str
    dry_run: bool = False
    limit_samples: int | None = None
    """Limit that the run set itself: it measured a part of the benchmark."""
    confidence: float
    verdict: str | None = None
    """Of the run's gate: Passed, Failed or Inconclusive."""
    criteria: tuple[Criterion, ...] = ()
    scores: tuple[Score, ...] = ()
    scores_left_out: int = 0
    worst_by: str | None = None
    """The score that the worst items were chosen by."""
    worst: tuple[Item, ...] = ()
    config: str | None = None
    target: str | None = None
    environment: tuple[Fact, ...] = ()
    provenance: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def limited(self) -> str:
        """How many samples the run was limited to; empty where it set no limit."""
        limit = self.limit_samples
        return f"limited to {limit} sample{'' if limit == 1 else 's'} of each task" if limit else ""

    @property
    def cause(self) -> str:
        """The message, unless the criteria of the gate say the same."""
        return "" if self.criteria and self.message.startswith("the gate ") else self.message


class Change(Part):
    """One score of two runs; the delta is candidate minus baseline."""

    score: str
    baseline: float
    candidate: float
    delta: float
    low: Number = None
    high: Number = None
    evidence: str
    better: int | None = None
    """Items with a better score than in the baseline; None where items were not paired."""
    worse: int | None = None
    equal: int | None = None
    verdict: str = ""
    """In words: better, worse, no difference shown, or not decided."""
    note: str = ""
    """What stands in the way of a verdict, or of a better comparison; empty where nothing does."""

    @property
    def form(self) -> str:
        """Format of the change: with as many decimals as the values have."""
        largest = max(abs(self.baseline), abs(self.candidate))
        digits = math.floor(math.log10(largest)) + 1 if 1 < largest < math.inf else 0
        return f"+.{max(FIGURES - digits, 0)}f"


class Flip(Part):
    """An item whose score changed between two runs."""

    score: str
    key: str
    baseline: float
    candidate: float
    input: str | None = None
    reference: str | None = None
    baseline_output: str | None = None
    candidate_output: str | None = None


class Flips(Part):
    """Items that changed in the same direction, the largest change first."""

    flips: tuple[Flip, ...] = ()
    left_out: int = 0


class Difference(Part):
    """A field in which two runs differ."""

    document: Literal["config", "target"]
    path: str
    baseline: str
    candidate: str


class Comparison(Part):
    """Two runs, score by score."""

    baseline: str
    candidate: str
    confidence: float
    changes: tuple[Change, ...] = ()
    became_worse: Flips = Flips()
    became_better: Flips = Flips()
    differences: tuple[Difference, ...] = ()
    """Fields of config and target."""
    differences_left_out: int = 0
    note: str = ""
    """Why nothing was compared."""

    @property
    def remarks(self) -> dict[str, list[str]]:
        """Scores by their notes."""
        found: dict[str, list[str]] = {}
        for change in self.changes:
            if change.note:
                found.setdefault(change.note, []).append(change.score)
        return found


class Point(Part):
    """One run in the history of a benchmark."""

    run: str
    model: str
    time: str
    value: float
    reported: bool
    same_config: bool
    """Whether it measured the config of the reported run."""
    role: Role | None = None
    series: int
    """Runs of the same number measured the same config of the same target."""


class History(Part):
    """One score of a benchmark over its finished runs, in the order of their completion."""

    benchmark: str
    score: str
    points: tuple[Point, ...]


class Report(Part):
    """A report of one or several runs."""

    title: str
    generated: str
    version: str
    summary: str
    """The overall verdict."""
    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...] = ()
    histories: tuple[History, ...] = ()
    notes: tuple[str, ...] = ()

"""Charts as geometry: positions in percent of a chart's width and height, which templates draw as SVG.

Percentages let a chart have any width while its text keeps its size, on a phone as on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .axes import Axis, axis_of
from .history_charts import COLOURS, HistoryChart, history_chart
from .model import Change, Comparison, Distribution, Report, Run

__all__ = ["Bar", "Charts", "Mark", "Panel", "Row", "SplitRow", "charts_of"]

MAX_ROWS: Final = 24
"""Scores in the chart of scores; the table has the others."""

MAX_PANELS: Final = 24
"""Distributions that are drawn: as many scores as fit, each for all runs, and one score at least."""

MAX_LABELLED_BARS: Final = 5
"""Bars of a distribution that each have room for their count."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval; positions in percent."""

    at: float
    low: float | None
    high: float | None
    colour: int
    run: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A score of all runs, on an axis of its own scale."""

    label: str
    axis: Axis
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class SplitRow:
    """Items that are worse, equal and better; widths in percent."""

    label: str
    worse: int
    equal: int
    better: int

    @property
    def widths(self) -> tuple[float, float, float]:
        """Widths of the three parts."""
        total = max(self.worse + self.equal + self.better, 1)
        worse, better = (round(100 * one / total, 3) for one in (self.worse, self.better))
        return worse, round(100 - worse - better, 3), better


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a distribution; positions in percent."""

    left: float
    width: float
    height: float
    text: str
    label: str
    """The count, where there is room for it."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The distribution of one score's items in one run."""

    label: str
    run: str
    colour: int
    low: str
    high: str
    highest: str
    """Items of the highest bar, where bars have no labels."""
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts of a report."""

    scores: tuple[Row, ...]
    scores_left_out: int
    splits: tuple[tuple[Comparison, tuple[SplitRow, ...]], ...]
    panels: tuple[Panel, ...]
    without_panels: tuple[str, ...]
    """Scores whose distribution is not drawn."""
    histories: tuple[HistoryChart, ...]


def charts_of(report: Report) -> Charts:
    """Return the charts of the report."""
    names = list(dict.fromkeys(score.name for run in report.runs for score in run.scores))
    panels = _panels(report.runs)
    drawn = max(1, MAX_PANELS // max(len(report.runs), 1))
    return Charts(
        scores=tuple(_rows(report.runs, names[:MAX_ROWS])),
        scores_left_out=len(names[MAX_ROWS:]),
        splits=tuple((one, rows) for one in report.comparisons if (rows := tuple(_splits(one.changes)))),
        panels=tuple(panel for of_score in [*panels.values()][:drawn] for panel in of_score),
        without_panels=tuple(panels)[drawn:],
        histories=tuple(map(history_chart, report.histories)),
    )


def _rows(runs: Sequence[Run], names: Sequence[str]) -> Iterator[Row]:
    for name in names:
        found = [
            (number, run, score)
            for number, run in enumerate(runs)
            for score in run.scores
            if score.name == name and score.value is not None
        ]
        if not found:
            continue
        axis = axis_of(
            value
            for *_, score in found
            for value in (score.value, score.low, score.high)
            if value is not None
        )
        marks = tuple(
            Mark(
                at=axis.at(score.value or 0.0),
                low=None if score.low is None else axis.at(score.low),
                high=None if score.high is None else axis.at(score.high),
                colour=number % COLOURS,
                run=run.name,
                text=f"{score.value:.4g}",
            )
            for number, run, score in found
        )
        yield Row(name, axis, marks)


def _splits(changes: Iterable[Change]) -> Iterator[SplitRow]:
    for one in changes:
        if one.better is not None and one.worse is not None and one.equal is not None:
            yield SplitRow(one.score, one.worse, one.equal, one.better)


def _panels(runs: Sequence[Run]) -> dict[str, list[Panel]]:
    """Return the distributions by score: those of all runs next to each other."""
    found: dict[str, list[Panel]] = {}
    for number, run in enumerate(runs):
        for score in run.scores:
            if score.distribution is not None:
                panel = _panel(score.name, run.name, number % COLOURS, score.distribution)
                found.setdefault(score.name, []).append(panel)
    return found


def _panel(score: str, run: str, colour: int, found: Distribution) -> Panel:
    total, highest = sum(found.counts), max(*found.counts, 1)
    width = 100 / len(found.counts)
    has_labels = len(found.counts) <= MAX_LABELLED_BARS
    bars = tuple(
        Bar(
            left=round(index * width + width * 0.06, 3),
            width=round(width * 0.88, 3),
            height=round(80 * count / highest, 3),
            text=f"{count:,} of {total:,} items",
            label=f"{count:,}" if has_labels else "",
        )
        for index, count in enumerate(found.counts)
    )
    most = "" if has_labels else f"highest bar: {highest:,}"
    return Panel(score, run, colour, f"{found.low:.4g}", f"{found.high:.4g}", most, bars)

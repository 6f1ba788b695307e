"""Charts as geometry: positions in percent of a chart's width and height, which templates draw as SVG.

Percentages let a chart have any width while its text keeps its size, on a phone as on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .axes import Axis, Tick, axis_of
from .model import Change, Comparison, History, Report, Run

__all__ = ["Bar", "Charts", "HistoryChart", "Mark", "Panel", "Row", "SplitRow", "charts_of"]

MAX_ROWS: Final = 24
"""Scores in the chart of scores; the table has the others."""

MAX_PANELS: Final = 12
"""Distributions that are drawn."""

COLOURS: Final = 6
"""Colours of runs or models; they repeat after that."""

INSET: Final = 4.0
"""Percent of the height that stay free above and below a history's points."""

MAX_LABELLED_BARS: Final = 5
"""Bars of a distribution that each have room for their count."""

LEFT: Final = 12.0
"""Percent of the width that stay free for the labels of a history."""


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
class Dot:
    """A run of a history; positions in percent."""

    x: float
    y: float
    colour: int
    text: str
    reported: bool
    same_config: bool


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """A history; lines connect the runs of one model."""

    label: str
    ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    lines: tuple[tuple[Dot, Dot], ...]
    models: tuple[str, ...]
    first: str
    last: str
    has_other_configs: bool


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts of a report."""

    scores: tuple[Row, ...]
    splits: tuple[tuple[Comparison, tuple[SplitRow, ...]], ...]
    panels: tuple[Panel, ...]
    histories: tuple[HistoryChart, ...]


def charts_of(report: Report) -> Charts:
    """Return the charts of the report."""
    return Charts(
        scores=tuple(_rows(report.runs)),
        splits=tuple((one, rows) for one in report.comparisons if (rows := tuple(_splits(one.changes)))),
        panels=tuple(_panels(report.runs))[:MAX_PANELS],
        histories=tuple(map(_history, report.histories)),
    )


def _rows(runs: Sequence[Run]) -> Iterator[Row]:
    names = list(dict.fromkeys(score.name for run in runs for score in run.scores))
    for name in names[:MAX_ROWS]:
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


def _panels(runs: Sequence[Run]) -> Iterator[Panel]:
    for number, run in enumerate(runs):
        for score in run.scores:
            if (found := score.distribution) is None:
                continue
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
            low, high = f"{found.low:.4g}", f"{found.high:.4g}"
            most = "" if has_labels else f"highest bar: {highest:,}"
            yield Panel(score.name, run.name, number % COLOURS, low, high, most, bars)


def _history(history: History) -> HistoryChart:
    points = history.points
    axis = axis_of(point.value for point in points)
    models = list(dict.fromkeys(point.model for point in points))

    def height(value: float) -> float:
        return round(100 - INSET - axis.at(value) * (100 - 2 * INSET) / 100, 3)

    step = (100 - LEFT - INSET) / max(len(points) - 1, 1)
    dots = [
        Dot(
            x=round(LEFT + number * step, 3),
            y=height(point.value),
            colour=models.index(point.model) % COLOURS,
            text=f"{point.run}: {point.value:.4g} ({point.model}, {point.time})",
            reported=point.reported,
            same_config=point.same_config,
        )
        for number, point in enumerate(points)
    ]
    lines: list[tuple[Dot, Dot]] = []
    for model in models:
        of_model = [dot for dot, point in zip(dots, points, strict=True) if point.model == model]
        lines += pairwise(of_model)
    first, last = _ends(points[0].time, points[-1].time)
    return HistoryChart(
        label=f"{history.benchmark}: {history.score}",
        ticks=tuple(Tick(height(float(tick.label)), tick.label) for tick in axis.ticks),
        dots=tuple(dots),
        lines=tuple(lines),
        models=tuple(models),
        first=first,
        last=last,
        has_other_configs=not all(point.same_config for point in points),
    )


def _ends(first: str, last: str) -> tuple[str, str]:
    """Return the dates of two timestamps; with times where the dates are equal."""
    if first[:10] != last[:10]:
        return first[:10], last[:10]
    return first.replace("T", " "), last.replace("T", " ")

"""Charts of histories: a named point for each run, and lines between those that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .axes import Tick, axis_of
from .labels import HEIGHT, Label, Place, labels_of
from .model import History, Point, Role

__all__ = ["COLOURS", "Dot", "HistoryChart", "history_chart"]

COLOURS: Final = 6
"""Colours of runs or models; they repeat after that."""

INSET: Final = 4.0
"""Percent of the height that stay free above and below a history's points."""

LEFT: Final = 12.0
"""Percent of the width that stay free for the labels of a history's axis."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A run of a history; positions in percent."""

    x: float
    y: float
    colour: int
    text: str
    run: str
    reported: bool
    same_config: bool
    role: Role | None
    label: Label | None
    """Its name, where there is room for it."""


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """A history; lines connect runs of the same config and target."""

    label: str
    ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    lines: tuple[tuple[Dot, Dot], ...]
    models: tuple[str, ...]
    first: str
    last: str
    has_other_configs: bool
    height: int = HEIGHT

    @property
    def compared(self) -> list[Dot]:
        """The baseline and the candidates."""
        return sorted((dot for dot in self.dots if dot.role), key=lambda dot: dot.role != "baseline")


def history_chart(history: History) -> HistoryChart:
    """Return the chart of a history."""
    points = history.points
    axis = axis_of(point.value for point in points)
    models = list(dict.fromkeys(point.model for point in points))

    def height(value: float) -> float:
        return round(100 - INSET - axis.at(value) * (100 - 2 * INSET) / 100, 3)

    step = (100 - LEFT - INSET) / max(len(points) - 1, 1)
    places = [
        Place(round(LEFT + number * step, 3), height(point.value), _name(point), point.role is not None)
        for number, point in enumerate(points)
    ]
    dots = [
        _dot(point, place, label, models.index(point.model) % COLOURS)
        for point, place, label in zip(points, places, labels_of(places, left=LEFT), strict=True)
    ]
    first, last = _ends(points[0].time, points[-1].time)
    return HistoryChart(
        label=f"{history.benchmark}: {history.score}",
        ticks=tuple(Tick(height(float(tick.label)), tick.label) for tick in axis.ticks),
        dots=tuple(dots),
        lines=tuple(_lines(points, dots)),
        models=tuple(models),
        first=first,
        last=last,
        has_other_configs=not all(point.same_config for point in points),
    )


def _name(point: Point) -> str:
    return f"{point.role} {point.run}" if point.role else point.run


def _dot(point: Point, place: Place, label: Label | None, colour: int) -> Dot:
    return Dot(
        x=place.x,
        y=place.y,
        colour=colour,
        text=f"{_name(point)}: {point.value:.4g} ({point.model}, {point.time})",
        run=point.run,
        reported=point.reported,
        same_config=point.same_config,
        role=point.role,
        label=label,
    )


def _lines(points: Sequence[Point], dots: Sequence[Dot]) -> Iterator[tuple[Dot, Dot]]:
    for series in dict.fromkeys(point.series for point in points):
        yield from pairwise(dot for dot, point in zip(dots, points, strict=True) if point.series == series)


def _ends(first: str, last: str) -> tuple[str, str]:
    """Return the dates of two timestamps; with times where the dates are equal."""
    if first[:10] != last[:10]:
        return first[:10], last[:10]
    return first.replace("T", " "), last.replace("T", " ")

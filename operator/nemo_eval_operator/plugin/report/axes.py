"""Axes of charts: ranges that fit the values, with ticks at round ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["Axis", "Tick", "axis_of"]

TICKS: Final = 5
"""Intervals between ticks of an axis, about."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled position of an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return the position of a value in percent, within the axis."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    @property
    def ticks(self) -> list[Tick]:
        """Ticks at round values."""
        step = _round_step((self.high - self.low) / TICKS)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [Tick(self.at(n * step), f"{n * step:.6g}") for n in range(first, last + 1)]


def axis_of(values: Iterable[float]) -> Axis:
    """Return 0 to 1 or 0 to 100 where the values fit, else a range of round values around them."""
    found = list(values)
    low, high = min(found), max(found)
    if low >= 0 and high <= 1:
        return Axis(0.0, 1.0)
    if low >= 0 and high <= 100:  # noqa: PLR2004 - percent
        return Axis(0.0, 100.0) if high > 20 else Axis(0.0, _rounded_up(high))  # noqa: PLR2004 - a fifth of it
    spread = (high - low) or abs(high) or 1.0
    step = _round_step(spread / TICKS)
    return Axis(math.floor(low / step) * step, (math.floor(high / step) + 1) * step)


def _rounded_up(value: float) -> float:
    step = _round_step(value / TICKS)
    return math.ceil(value / step) * step


def _round_step(least: float) -> float:
    """Return 1, 2 or 5 times a power of ten, which is no less than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))

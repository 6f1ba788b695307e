"""Places names at the points of a chart, where no other name, no point and no edge is in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from nemo_eval_operator.evaluator.model import shortened

__all__ = ["HEIGHT", "Label", "Place", "labels_of"]

HEIGHT: Final = 170
"""Pixels of a chart with names."""

WIDTH: Final = 670
"""Pixels of the narrowest chart that shows names; style.css hides them in narrower ones."""

CHARACTER: Final = 8
"""Pixels of one character, at least as many as the fonts of a report need on average."""

MAX_CHARACTERS: Final = 32
"""Shown of a name."""

REACH: Final = 10
"""Pixels from the centre of a point to where its ring ends."""

BASELINES: Final = (-13, 23)
"""Pixels from the centre of a point down to the baseline of its name: above the point, else below."""

LINE: Final = 14
"""Pixels of the height of a name."""

Anchor = Literal["middle", "start", "end"]

SHIFTS: Final[dict[Anchor, float]] = {"middle": 0.5, "start": 0.0, "end": 1.0}
"""Share of a name that lies to the left of its point, in the order of preference."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point, with its position in percent, and the name that it should have."""

    x: float
    y: float
    name: str
    is_important: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A name at its point, for an SVG text."""

    text: str
    anchor: Anchor
    dy: int


class _Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        is_apart = self.right <= other.left or other.right <= self.left
        return not (is_apart or self.bottom <= other.top or other.bottom <= self.top)


def labels_of(places: Sequence[Place], *, left: float) -> list[Label | None]:
    """Return the label of each point, None where there is no room; the important ones are placed first.

    `left`: percent of the width that stay free.
    """
    taken = [_around(place) for place in places]
    found: list[Label | None] = [None] * len(places)
    for number in sorted(range(len(places)), key=lambda number: not places[number].is_important):
        for label, box in _choices(places[number]):
            is_inside = box.left >= left * WIDTH / 100 and box.right <= WIDTH and box.top >= 0
            if is_inside and box.bottom <= HEIGHT and not any(map(box.meets, taken)):
                taken.append(box)
                found[number] = label
                break
    return found


def _around(place: Place) -> _Box:
    x, y = place.x * WIDTH / 100, place.y * HEIGHT / 100
    return _Box(x - REACH, y - REACH, x + REACH, y + REACH)


def _choices(place: Place) -> Iterator[tuple[Label, _Box]]:
    text = shortened(place.name, MAX_CHARACTERS)
    x, y, width = place.x * WIDTH / 100, place.y * HEIGHT / 100, CHARACTER * len(text)
    for anchor, share in SHIFTS.items():
        for dy in BASELINES:
            start, bottom = x - share * width, y + dy + 2
            yield Label(text, anchor, dy), _Box(start, bottom - LINE, start + width, bottom)

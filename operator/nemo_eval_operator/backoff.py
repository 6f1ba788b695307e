"""Pauses between tries, and the jitter that keeps those who wait from coming all at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from typing import Final

__all__ = ["pause_after", "pauses", "spread"]

MAX_DOUBLINGS: Final = 10
"""Beyond this only the limit of a pause has a say, however long the trouble lasts."""


def pause_after(failures: int, *, first: float, longest: float) -> float:
    """Seconds to wait after so many failures in a row: doubled by each, of which jitter takes up to half."""
    ceiling = min(longest, first * (1 << min(failures - 1, MAX_DOUBLINGS)))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def pauses(*, first: float, longest: float) -> Iterator[float]:
    """The pauses of one who tries for ever."""
    for failures in count(1):
        yield pause_after(failures, first=first, longest=longest)


def spread(seconds: float) -> float:
    """`seconds`, up to a tenth more or less: what began together need not stay together."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing

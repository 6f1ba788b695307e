"""Poll intervals of remote jobs: short after the submission and near the end, longer in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

__all__ = ["poll_seconds", "rest_seconds"]

AGE_PER_SECOND: Final = 30.0
"""A job that has run for five minutes can wait ten seconds more: a thirtieth of its age."""

SLOWEST: Final = 5.0
"""Factor by which the fast interval grows at most."""

NEARLY_DONE_PERCENT: Final = 95

LISTED_JOB_SECONDS: Final = 40e-6
"""CPU seconds for one job on a list that has changed. One that has not takes half of it."""

LISTING_SHARE: Final = 0.04
"""Share of a core for reading lists."""


def poll_seconds(age: timedelta, percent: int | None, *, fast: float, override: float | None = None) -> float:
    """Return the seconds until the next poll of a job of this age; `fast` is the shortest interval.

    `override` is what the object itself asks for. Progress may stand still near its end for long, so
    it hastens young jobs only: those whose whole life is short.
    """
    if override is not None:
        return override
    seconds = age.total_seconds() / AGE_PER_SECOND
    if percent is not None and percent >= NEARLY_DONE_PERCENT:
        seconds /= 2
    return max(fast, min(seconds, fast * SLOWEST))


def rest_seconds(listed: int) -> float:
    """Return the pause in seconds after a list of so many jobs: with 10,000 it is ten."""
    return listed * LISTED_JOB_SECONDS / LISTING_SHARE

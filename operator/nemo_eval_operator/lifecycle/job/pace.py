"""How often a remote job is asked for: soon after it was submitted and near its end, rarely in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

__all__ = ["poll_seconds", "rest_seconds"]

AGE_PER_SECOND: Final = 30.0
"""A job that has run for five minutes can wait ten seconds more: a thirtieth of its age."""

SLOWEST: Final = 5.0
"""At most so many times the fast interval."""

NEARLY_DONE_PERCENT: Final = 95

LISTED_JOB_SECONDS: Final = 40e-6
"""Of CPU, to read one job on a list and to see that there is nothing new about it."""

LISTING_SHARE: Final = 0.06
"""Of a core, at most, for reading lists: the rest is for those who have something to do."""


def poll_seconds(age: timedelta, percent: int | None, *, fast: float, override: float | None = None) -> float:
    """Seconds until the next look at a job that is so old; `fast` is the shortest interval.

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
    """Seconds without another look, after a list of so many jobs: with 10,000 nearly seven."""
    return listed * LISTED_JOB_SECONDS / LISTING_SHARE

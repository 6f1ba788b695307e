"""Pauses between retries, with jitter so that waiting objects do not retry all at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

__all__ = ["RestartPauses", "pause_after", "pauses", "spread"]

MAX_DOUBLINGS: Final = 10
"""Doublings of a pause after which only its limit matters."""


def pause_after(failures: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait after `failures` in a row: doubled by each, less up to half by jitter."""
    ceiling = min(longest, first * (1 << min(failures - 1, MAX_DOUBLINGS)))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def pauses(*, first: float, longest: float) -> Iterator[float]:
    """Return pauses that grow from `first` to `longest` seconds, without an end."""
    for failures in count(1):
        yield pause_after(failures, first=first, longest=longest)


@dataclass(slots=True, kw_only=True)
class RestartPauses:
    """Pauses before restarts of something that should run without an end.

    They grow with each failure in a row; after a run of `proven` seconds a failure counts as the first again.
    """

    first: float
    longest: float
    proven: float
    _failures: int = field(default=0, init=False)

    def after(self, ran: float) -> float:
        """Return the seconds to wait after it has failed, having run for `ran` seconds."""
        self._failures = 1 if ran >= self.proven else self._failures + 1
        return pause_after(self._failures, first=self.first, longest=self.longest)


def spread(seconds: float) -> float:
    """Return `seconds`, up to a tenth more or less, so that periodic work does not stay in step."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing

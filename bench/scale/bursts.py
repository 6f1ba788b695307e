"""Bursts alone, by the subjects in turn.

A machine that is shared changes its speed from minute to minute, so one burst of each subject says little.
"""

import asyncio
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from bench.scale.measure import Bench, Figures, Subject, drain
from bench.scale.objects import Objects
from testbed.processes import Child

TIMES: Final = 3
"""Bursts of each subject; their median counts."""

MAX_JOBS: Final = 1000
"""Jobs of the largest burst that is repeated: larger ones take minutes, and are far from the baseline's."""


@dataclass
class Bursts:
    """Bursts of one subject and size, in their order; a burst that was not submitted in time is left out."""

    subject: str
    jobs: int
    per_second: list[float] = field(default_factory=list)
    cpu_per_1000: list[float] = field(default_factory=list)
    """CPU seconds for 1,000 submissions."""

    @property
    def median_per_second(self) -> float | None:
        return statistics.median(self.per_second) if self.per_second else None

    @property
    def lowest_per_second(self) -> float | None:
        return min(self.per_second, default=None)

    @property
    def highest_per_second(self) -> float | None:
        return max(self.per_second, default=None)

    @property
    def median_cpu_per_1000(self) -> float | None:
        return statistics.median(self.cpu_per_1000) if self.cpu_per_1000 else None


async def measure_burst(
    subject: Subject, bursts: Bursts, bench: Bench, *, stop: Callable[[Child], None]
) -> None:
    """Apply all jobs at once to a fresh operator, and note how fast they were submitted."""
    figures, objects = Figures(subject=subject.name, jobs=bursts.jobs), Objects(bench.kube, bench.namespace)
    operator, _ = subject.start()
    async with objects.watched():
        is_complete = await drain(replace(subject, singles=0), objects, operator, figures, bench)
    await asyncio.to_thread(stop, operator)
    if is_complete and figures.drained_per_second and figures.cpu_per_1000_submitted:
        bursts.per_second.append(figures.drained_per_second)
        bursts.cpu_per_1000.append(figures.cpu_per_1000_submitted)


__all__ = ["MAX_JOBS", "TIMES", "Bursts", "measure_burst"]

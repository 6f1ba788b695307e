"""What one replica has to reach on two shared cores, and whether a run did."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.scale.bursts import Bursts
from bench.scale.measure import FINISHED_AT_ONCE, Figures, shown
from bench.scale.short_jobs import JOB_SECONDS, ShortJobs

MIB: Final = 1024 * 1024 / 1e6
"""In MB."""

SLOWEST_POLL_SECONDS: Final = 10.0
"""Between two looks at a job that has run for five minutes, by default."""

FASTEST_POLL_SECONDS: Final = 2.0

WRITES_OF_A_SUBMISSION: Final = 4
"""The creation, finalizer and mark, intent, submitted."""

MAX_GROWTH: Final = 1.3
"""Of a cost for each job, from N jobs to 10 N."""


@dataclass(frozen=True)
class Target:
    what: str
    limit: float
    value: float | None
    at_least: bool = False

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self) -> str:
        wanted = f"{'≥' if self.at_least else '≤'} {self.limit:.3g}"
        return f"| {self.what} | {wanted} | {shown(self.value)} | {'yes' if self.met else '**no**'} |"


def targets(
    figures: Sequence[Figures],
    short: Sequence[ShortJobs],
    bursts: Sequence[Bursts],
    limit: dict[str, float],
) -> list[Target]:
    """Of each size beside the baseline, of the operator's largest run, and how costs grow with size."""
    ours = [one for one in figures if one.subject == "operator"]
    if not ours:
        return []
    short_ours = [one for one in short if one.subject == "operator"]
    return [
        *_beside_baseline(figures, bursts),
        *_of_one(ours[-1], limit),
        *(target for one in short_ours for target in _of_short(one)),
        *_growth(ours),
    ]


def _beside_baseline(figures: Sequence[Figures], bursts: Sequence[Bursts]) -> Iterator[Target]:
    """Compare medians of bursts in turn where there are some: one burst depends on the machine's speed."""
    by_run = {(one.subject, one.jobs): one.drained_per_second for one in figures}
    by_run |= {(one.subject, one.jobs): one.median_per_second for one in bursts}
    for (subject, jobs), ours in by_run.items():
        if subject == "operator" and ("baseline", jobs) in by_run:
            theirs = by_run["baseline", jobs]
            what = f"{jobs:,} at once: jobs submitted a second, against the baseline's"
            yield Target(what, 1.0, ours / theirs if ours and theirs else None, at_least=True)


def _of_one(one: Figures, limit: dict[str, float]) -> Iterator[Target]:
    at_once = min(FINISHED_AT_ONCE, one.jobs)
    possible = limit["status_patches_per_second"] / WRITES_OF_A_SUBMISSION
    yield Target("one job, idle: apply to submitted, p50 (s)", 0.3, one.single_submitted_p50)
    yield Target(
        "one job, idle: finished to status, p50 (s)", FASTEST_POLL_SECONDS + 0.5, one.single_finished_p50
    )
    yield Target(
        f"{one.jobs:,} at once: jobs submitted a second, against the API server's own limit",
        0.75,
        None if one.drained_per_second is None else one.drained_per_second / possible,
        at_least=True,
    )
    yield Target("CPU for 1,000 submissions (s)", 4.5, one.cpu_per_1000_submitted)
    yield Target("CPU for 1,000 that finish (s)", 4.5, one.cpu_per_1000_finished)
    yield Target(
        "API writes a job", 5.0, None if one.writes_per_job is None else round(one.writes_per_job, 1)
    )
    yield Target(f"{one.jobs:,} running, nothing changes: CPU (% of a core)", 6, one.standstill_cpu_percent)
    yield Target(
        f"{one.jobs:,} running, nothing changes: RSS (MB)",
        120,
        None if one.standstill_rss_mib is None else one.standstill_rss_mib * MIB,
    )
    yield Target("evaluator requests a sweep", 25, one.requests_per_sweep)
    yield Target(
        f"{at_once:,} of {one.jobs:,} finish at once: all in status (s)",
        SLOWEST_POLL_SECONDS + 15,
        one.all_finished_seconds,
    )
    yield Target("restart to steady (s)", 6, one.restart_seconds)
    yield Target("restart: POSTs to the evaluator", 0, one.restart_posts)
    yield Target("restart: GETs to the evaluator", 200, one.restart_gets)
    yield Target("health check answered, p99 (s)", 0.1, one.loop_lag_p99)
    yield Target("duplicates and losses", 0, one.duplicates + one.lost)


def _of_short(one: ShortJobs) -> Iterator[Target]:
    what = f"{one.jobs:,} at once, each for {JOB_SECONDS:.0f} s"
    yield Target(f"{what}: finished to status, p99 (s)", 15, one.lag_p99)
    yield Target(f"{what}: duplicates and losses", 0, one.duplicates + one.lost)


def as_table(found: Sequence[Target]) -> str:
    return "\n".join(
        ["| | target | measured | met |", "|---|---:|---:|---|", *(target.row() for target in found)]
    )


COSTS: Final[dict[str, Callable[[Figures], float | None]]] = {
    "CPU a submission": lambda one: one.cpu_per_1000_submitted,
    "CPU a finished job": lambda one: one.cpu_per_1000_finished,
    "API writes a job": lambda one: one.writes_per_job,
    "time a submission, all at once": lambda one: _inverse(one.drained_per_second),
    "evaluator requests a running job and minute": lambda one: one.standstill_requests_per_job_minute,
    "CPU a running job": lambda one: _each(one.standstill_cpu_percent, one.jobs),
    "restart, a job": lambda one: _each(one.restart_seconds, one.jobs),
    "memory a job": lambda one: one.peak_rss_mib / one.jobs,
}


def _growth(ours: Sequence[Figures]) -> Iterator[Target]:
    for small, large in pairwise(ours):
        for what, cost in COSTS.items():
            before, after = cost(small), cost(large)
            grown = after / before if before and after else None
            yield Target(f"{small.jobs:,} to {large.jobs:,} jobs: {what} grows by", MAX_GROWTH, grown)


def _inverse(value: float | None) -> float | None:
    return 1 / value if value else None


def _each(value: float | None, jobs: int) -> float | None:
    return None if value is None else value / jobs


__all__ = ["as_table", "targets"]

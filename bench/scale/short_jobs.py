"""Many jobs at once that all run for the same short time, so that submissions and results compete."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.scale.measure import Bench, Subject, quantile, showing_progress, shown
from bench.scale.objects import Objects
from bench.scale.process import Lag, cpu_seconds, peak_rss_mib
from testbed.processes import Child

JOB_SECONDS: Final = 60.0
"""How long each job runs: shorter than it takes to submit all of them."""


@dataclass
class ShortJobs:
    """Seconds unless the name says otherwise; None where it was not reached within the limit."""

    subject: str
    jobs: int
    submitted_per_second: float | None = None
    submitted_p99: float | None = None
    lag_p50: float | None = None
    lag_p99: float | None = None
    """From the moment in which the evaluator completed a job to the object's final status."""
    cpu_per_1000: float | None = None
    """CPU seconds for 1,000 jobs, from the submission to the final status."""
    peak_rss_mib: float = 0.0
    loop_lag_p99: float | None = None
    duplicates: int = 0
    lost: int = 0


async def measure_short_jobs(
    subject: Subject, count: int, bench: Bench, *, stop: Callable[[Child], None]
) -> ShortJobs:
    """Apply all jobs at once and wait until all have their results; the evaluator completes them."""
    figures = ShortJobs(subject=subject.name, jobs=count)
    objects, lag = Objects(bench.kube, bench.namespace), Lag()
    operator, health = subject.start()
    names = [f"job-{number:05d}" for number in range(count)]
    async with objects.watched(), lag.probing(health), showing_progress(objects, bench):
        used = cpu_seconds(operator.pid)
        await objects.apply(names)
        await objects.until(lambda seen: len(seen.finished) == count, seconds=subject.limit_seconds)
        used = cpu_seconds(operator.pid) - used
    figures.peak_rss_mib = peak_rss_mib(operator.pid)
    await asyncio.to_thread(stop, operator)
    ended: dict[str, float] = (await bench.evaluator.get("/bench/finished")).json()
    _note_times(figures, objects, ended)
    figures.cpu_per_1000 = used / len(objects.seen.finished) * 1000 if objects.seen.finished else None
    figures.loop_lag_p99 = quantile(lag.seconds, 0.99)
    figures.duplicates = (await bench.evaluator.get("/bench/ledger")).json()["duplicates"]
    figures.lost = count - len(objects.seen.finished)
    bench.say(
        f"{count - figures.lost} of {count} finished, {shown(figures.submitted_per_second)} submitted/s: "
        f"status late by p50 {shown(figures.lag_p50)} s, p99 {shown(figures.lag_p99)} s"
    )
    return figures


def _note_times(figures: ShortJobs, objects: Objects, ended: dict[str, float]) -> None:
    seen = objects.seen
    lags = [at - ended[seen.job_ids[name]] for name, at in seen.finished.items() if name in seen.job_ids]
    waits = [at - seen.applied[name] for name, at in seen.submitted.items()]
    figures.submitted_p99 = quantile(waits, 0.99)
    figures.lag_p50, figures.lag_p99 = quantile(lags, 0.5), quantile(lags, 0.99)
    if seen.submitted:
        span = max(seen.submitted.values()) - min(seen.applied.values())
        figures.submitted_per_second = len(seen.submitted) / span


__all__ = ["JOB_SECONDS", "ShortJobs", "measure_short_jobs"]

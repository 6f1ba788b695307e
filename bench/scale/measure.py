"""One subject, one number of jobs: apply, drain, stand still, restart, finish; and what each took."""

import asyncio
import contextlib
import re
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from bench.scale.objects import Objects, Seen, api_writes
from bench.scale.process import Lag, cpu_seconds, peak_rss_mib, rss_mib, until_idle
from testbed.processes import Child

STANDSTILL_SECONDS: Final = 60.0
FINISHED_AT_ONCE: Final = 1000
PROGRESS_SECONDS: Final = 15.0
"""Seconds between two lines of progress."""

_SWEEPS = re.compile(r"^nemo_eval_operator_poll_(sweeps|requests)_total (\S+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An operator to measure: how to start it, and where its health endpoint is."""

    name: str
    start: Callable[[], tuple[Child, str]]
    singles: int
    """Jobs that are applied and finished one by one before all the others."""
    limit_seconds: float
    """Seconds for each phase; what is not done by then is reported as not reached."""


@dataclass
class Figures:
    """Seconds unless said otherwise; None where it was not reached within the limit."""

    subject: str
    jobs: int
    single_submitted_p50: float | None = None
    single_submitted_p99: float | None = None
    single_finished_p50: float | None = None
    single_finished_p99: float | None = None
    submitted_p50: float | None = None
    submitted_p99: float | None = None
    drained_per_second: float | None = None
    cpu_per_1000_submitted: float | None = None
    cpu_per_1000_finished: float | None = None
    standstill_cpu_percent: float | None = None
    standstill_requests_per_job_minute: float | None = None
    standstill_requests_per_minute: float | None = None
    requests_per_sweep: float | None = None
    restart_seconds: float | None = None
    restart_posts: int | None = None
    restart_gets: int | None = None
    finished_p50: float | None = None
    finished_p99: float | None = None
    all_finished_seconds: float | None = None
    writes_per_job: float | None = None
    writes: dict[str, float] = field(default_factory=dict)
    """API writes for each job over its life, by resource."""
    peak_rss_mib: float = 0.0
    standstill_rss_mib: float | None = None
    loop_lag_p99: float | None = None
    loop_lag_max: float | None = None
    duplicates: int = 0
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class Bench:
    kube: httpx.AsyncClient
    evaluator: httpx.AsyncClient
    namespace: str
    say: Callable[[str], None]


async def measure(subject: Subject, count: int, bench: Bench, *, stop: Callable[[Child], None]) -> Figures:
    """All phases in order; each operator that `subject` starts is `stop`ped."""
    figures = Figures(subject=subject.name, jobs=count)
    objects, lag = Objects(bench.kube, bench.namespace), Lag()
    operator, health = subject.start()
    before = await api_writes(bench.kube)
    async with objects.watched():
        async with lag.probing(health):
            await _singles(subject, objects, figures, bench)
            drained = await drain(subject, objects, operator, figures, bench)
            await _stand_still(operator, health, figures, bench)
        figures.peak_rss_mib = peak_rss_mib(operator.pid)
        stop(operator)
        operator, health = await _restart(subject, figures, bench)
        async with lag.probing(health):
            await _finish(subject, objects, operator, figures, bench, everything=drained)
    figures.peak_rss_mib = max(figures.peak_rss_mib, peak_rss_mib(operator.pid))
    await _settle_writes(bench)
    _count_writes(figures, await api_writes(bench.kube) - before, len(objects.seen.applied))
    stop(operator)
    figures.loop_lag_p99, figures.loop_lag_max = quantile(lag.seconds, 0.99), max(lag.seconds, default=None)
    ledger = (await bench.evaluator.get("/bench/ledger")).json()
    figures.duplicates = ledger["duplicates"]
    figures.lost = len(objects.seen.applied) - len(objects.seen.finished)
    return figures


async def _singles(subject: Subject, objects: Objects, figures: Figures, bench: Bench) -> None:
    """One job at a time on an idle system."""
    waits, ends = [], []
    for number in range(subject.singles):
        name = f"single-{number}"
        await objects.apply([name])
        if await objects.until(lambda seen, name=name: name in seen.submitted, seconds=60):  # type: ignore[misc]
            waits.append(objects.seen.submitted[name] - objects.seen.applied[name])
        finished_at = (await bench.evaluator.post("/bench/finish?count=1")).json()
        if await objects.until(lambda seen, name=name: name in seen.finished, seconds=60):  # type: ignore[misc]
            ends.append(objects.seen.finished[name] - next(iter(finished_at.values())))
    figures.single_submitted_p50, figures.single_submitted_p99 = quantile(waits, 0.5), quantile(waits, 0.99)
    figures.single_finished_p50, figures.single_finished_p99 = quantile(ends, 0.5), quantile(ends, 0.99)
    bench.say(
        f"one by one: submitted {shown(figures.single_submitted_p50)} s, "
        f"finished {shown(figures.single_finished_p50)} s"
    )


async def drain(subject: Subject, objects: Objects, operator: Child, figures: Figures, bench: Bench) -> bool:
    """All at once; False where they were not all submitted within the limit."""
    names = [f"job-{number:05d}" for number in range(figures.jobs)]
    used, started = cpu_seconds(operator.pid), time.time()
    async with showing_progress(objects, bench):
        await objects.apply(names)
        complete = await objects.until(
            lambda seen: len(seen.submitted) >= len(names) + subject.singles, seconds=subject.limit_seconds
        )
    seen = objects.seen
    submitted = [seen.submitted[name] for name in names if name in seen.submitted]
    waits = [seen.submitted[name] - seen.applied[name] for name in names if name in seen.submitted]
    if complete:
        figures.submitted_p50, figures.submitted_p99 = quantile(waits, 0.5), quantile(waits, 0.99)
    if submitted:
        figures.drained_per_second = len(submitted) / (max(submitted) - started)
        figures.cpu_per_1000_submitted = (cpu_seconds(operator.pid) - used) / len(submitted) * 1000
    bench.say(
        f"drained {len(submitted)} of {len(names)}{'' if complete else ' (limit reached)'}: "
        f"{shown(figures.drained_per_second)} jobs/s, p99 {shown(figures.submitted_p99)} s, "
        f"{shown(figures.cpu_per_1000_submitted)} s of CPU for 1,000"
    )
    return complete


@contextlib.asynccontextmanager
async def showing_progress(objects: Objects, bench: Bench) -> AsyncIterator[None]:
    """Say every 15 s how far the jobs are."""

    async def show() -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            seen = objects.seen
            bench.say(
                f"  applied {len(seen.applied)}, submitted {len(seen.submitted)}, "
                f"finished {len(seen.finished)}"
            )

    task = asyncio.create_task(show())
    try:
        yield
    finally:
        task.cancel()


async def _stand_still(operator: Child, health: str, figures: Figures, bench: Bench) -> None:
    """Everything runs, nothing changes."""
    await until_idle(operator.pid, share=0.3, seconds=5, limit=60)
    await bench.evaluator.post("/bench/reset")
    used, started, swept = cpu_seconds(operator.pid), time.monotonic(), await sweeps_of(health)
    await asyncio.sleep(STANDSTILL_SECONDS)
    minutes = (time.monotonic() - started) / 60
    figures.standstill_cpu_percent = (cpu_seconds(operator.pid) - used) / minutes / 60 * 100
    figures.standstill_rss_mib = rss_mib(operator.pid)
    requests: Mapping[str, int] = (await bench.evaluator.get("/bench/ledger")).json()["requests"]
    figures.standstill_requests_per_minute = sum(requests.values()) / minutes
    figures.standstill_requests_per_job_minute = sum(requests.values()) / minutes / figures.jobs
    if sweeps := await sweeps_of(health) - swept:
        figures.requests_per_sweep = sweeps["requests"] / max(1, sweeps["sweeps"])
    bench.say(
        f"standing still: {shown(figures.standstill_cpu_percent)} % CPU, "
        f"{shown(figures.standstill_requests_per_minute)} requests a minute, "
        f"{shown(figures.requests_per_sweep)} a sweep"
    )


async def sweeps_of(health: str) -> Counter[str]:
    """Return sweeps and their requests, as the operator counts them; nothing where it does not answer."""
    async with httpx.AsyncClient(timeout=60) as http:
        try:
            answer = await http.get(health.removesuffix("/healthz") + "/metrics")
        except httpx.HTTPError:
            # The baseline's event loop may be blocked for longer.
            return Counter()
    return Counter({name: int(float(count)) for name, count in _SWEEPS.findall(answer.text)})


async def _restart(subject: Subject, figures: Figures, bench: Bench) -> tuple[Child, str]:
    await bench.evaluator.post("/bench/reset")
    started = time.monotonic()
    operator, health = subject.start()
    took = time.monotonic() - started
    idle = await until_idle(operator.pid, share=0.5, seconds=3, limit=120)
    figures.restart_seconds = None if idle is None else took + idle
    requests: Mapping[str, int] = (await bench.evaluator.get("/bench/ledger")).json()["requests"]
    figures.restart_posts = sum(count for route, count in requests.items() if route.startswith("POST"))
    figures.restart_gets = sum(count for route, count in requests.items() if route.startswith("GET"))
    bench.say(
        f"restarted: steady after {shown(figures.restart_seconds)} s, "
        f"{figures.restart_posts} POSTs, {figures.restart_gets} GETs"
    )
    return operator, health


async def _finish(
    subject: Subject,
    objects: Objects,
    operator: Child,
    figures: Figures,
    bench: Bench,
    *,
    everything: bool,
) -> None:
    """Up to 1,000 at once; then, where `everything` is to be seen to its end, all the others."""
    at_once = min(FINISHED_AT_ONCE, figures.jobs)
    used = cpu_seconds(operator.pid)
    async with showing_progress(objects, bench):
        ends = await _finish_and_wait(subject, objects, at_once, bench)
        figures.finished_p50, figures.finished_p99 = quantile(ends, 0.5), quantile(ends, 0.99)
        figures.all_finished_seconds = max(ends, default=None) if len(ends) == at_once else None
        bench.say(
            f"{len(ends)} of {at_once} finished at once: p50 {shown(figures.finished_p50)} s, "
            f"all after {shown(figures.all_finished_seconds)} s"
        )
        if everything and figures.jobs > at_once:
            rest = await _finish_and_wait(subject, objects, figures.jobs - at_once, bench)
            bench.say(f"the other {len(rest)} finished after {shown(max(rest, default=None))} s")
            ends += rest
    if ends:
        figures.cpu_per_1000_finished = (cpu_seconds(operator.pid) - used) / len(ends) * 1000


async def _finish_and_wait(subject: Subject, objects: Objects, count: int, bench: Bench) -> list[float]:
    finished_at: dict[str, float] = (await bench.evaluator.post(f"/bench/finish?count={count}")).json()
    names = {name: finished_at[id_] for name, id_ in objects.seen.job_ids.items() if id_ in finished_at}
    already = len(objects.seen.finished)

    def all_in_status(seen: Seen) -> bool:
        return len(seen.finished) - already >= len(names) and names.keys() <= seen.finished.keys()

    await objects.until(all_in_status, seconds=subject.limit_seconds)
    finished = objects.seen.finished
    return [finished[name] - at for name, at in names.items() if name in finished]


async def _settle_writes(bench: Bench) -> None:
    """Until the last event is posted: two counts in a row that are equal."""
    last: Counter[str] = Counter()
    for _ in range(30):
        now = await api_writes(bench.kube)
        if now == last:
            return
        last = now
        await asyncio.sleep(1)


def _count_writes(figures: Figures, writes: Counter[str], jobs: int) -> None:
    writes["nemoevaljobs"] -= jobs  # our own creates
    figures.writes = {resource: round(count / jobs, 2) for resource, count in writes.items() if count}
    figures.writes_per_job = sum(writes.values()) / jobs


def quantile(values: Sequence[float], share: float) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def shown(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.3g}"

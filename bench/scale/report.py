"""The report of a run: a table to read, JSON to compare with, and plots to look at."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from bench.scale.bursts import TIMES, Bursts
from bench.scale.measure import Figures, shown
from bench.scale.short_jobs import JOB_SECONDS, ShortJobs
from bench.scale.targets import as_table, targets

Run = TypeVar("Run", Figures, ShortJobs, Bursts)

ROWS: Final = {
    "single_submitted_p50": "one job, idle: apply to submitted, p50 (s)",
    "single_submitted_p99": "one job, idle: apply to submitted, p99 (s)",
    "single_finished_p50": "one job, idle: finished to status, p50 (s)",
    "single_finished_p99": "one job, idle: finished to status, p99 (s)",
    "submitted_p50": "all at once: apply to submitted, p50 (s)",
    "submitted_p99": "all at once: apply to submitted, p99 (s)",
    "drained_per_second": "all at once: submitted (jobs/s)",
    "cpu_per_1000_submitted": "CPU for 1,000 submissions (s)",
    "cpu_per_1000_finished": "CPU for 1,000 that finish (s)",
    "standstill_cpu_percent": "all running, nothing changes: CPU (% of a core)",
    "standstill_requests_per_minute": "all running: evaluator requests a minute",
    "standstill_requests_per_job_minute": "all running: evaluator requests a job and minute",
    "requests_per_sweep": "all running: evaluator requests a sweep",
    "restart_seconds": "restart to steady (s)",
    "restart_posts": "restart: POSTs to the evaluator",
    "restart_gets": "restart: GETs to the evaluator",
    "finished_p50": "up to 1,000 finish at once: in status, p50 (s)",
    "finished_p99": "up to 1,000 finish at once: in status, p99 (s)",
    "all_finished_seconds": "up to 1,000 finish at once: all in status (s)",
    "writes_per_job": "API writes a job over its life",
    "standstill_rss_mib": "all running, nothing changes: RSS (MiB)",
    "peak_rss_mib": "peak RSS (MiB)",
    "loop_lag_p99": "health check answered, p99 (s)",
    "loop_lag_max": "health check answered, worst (s)",
    "duplicates": "duplicates",
    "lost": "lost",
}
SHORT_ROWS: Final = {
    "submitted_per_second": "submitted (jobs/s)",
    "submitted_p99": "apply to submitted, p99 (s)",
    "lag_p50": "finished to status, p50 (s)",
    "lag_p99": "finished to status, p99 (s)",
    "cpu_per_1000": "CPU for 1,000 jobs, from submission to final status (s)",
    "peak_rss_mib": "peak RSS (MiB)",
    "loop_lag_p99": "health check answered, p99 (s)",
    "duplicates": "duplicates",
    "lost": "lost",
}
BURST_ROWS: Final = {
    "median_per_second": "submitted (jobs/s), median",
    "lowest_per_second": "lowest",
    "highest_per_second": "highest",
    "median_cpu_per_1000": "CPU for 1,000 submissions (s), median",
}
PLOTS: Final = {
    "submitted_p99": "apply to submitted, p99 (s)",
    "drained_per_second": "submitted (jobs/s)",
    "cpu_per_1000_submitted": "CPU for 1,000 submissions (s)",
    "finished_p99": "finished to status, p99 (s)",
    "standstill_cpu_percent": "CPU, nothing changing (%)",
    "standstill_requests_per_minute": "evaluator requests a minute",
    "restart_seconds": "restart to steady (s)",
    "peak_rss_mib": "peak RSS (MiB)",
    "loop_lag_max": "worst health check (s)",
}


@dataclass
class Runs:
    """What was measured, and what the API server does by itself (writes a second)."""

    limit: dict[str, float]
    figures: list[Figures] = field(default_factory=list)
    short: list[ShortJobs] = field(default_factory=list)
    bursts: list[Bursts] = field(default_factory=list)


def write_report(
    directory: Path, runs: Runs, *, machine: str, remark: str, earlier: Runs | None = None
) -> None:
    """Write the report; `earlier` stands in for the runs that were not made this time."""
    directory.mkdir(parents=True, exist_ok=True)
    figures, kept = _merged(runs.figures, earlier.figures if earlier else [])
    short, kept_short = _merged(runs.short, earlier.short if earlier else [])
    bursts, kept_bursts = _merged(runs.bursts, earlier.bursts if earlier else [])
    names = [f"{one.subject} {one.jobs:,}" for one in kept]
    names += [f"{one.subject} {one.jobs:,} short" for one in kept_short]
    names += [f"{one.subject} {one.jobs:,} in turn" for one in kept_bursts]
    if names:
        remark += f" Of an earlier run on this machine: {', '.join(names)}."
    limits = (
        "The API server by itself, from a plain client with 16 connections: "
        f"{runs.limit['creates_per_second']:.0f} creates and "
        f"{runs.limit['status_patches_per_second']:.0f} status patches a second."
    )
    parts = ["# What one replica carries", f"Written by `make bench`. Machine: {machine}.", limits, remark]
    parts += ["## Targets", as_table(targets(figures, short, bursts, runs.limit))]
    parts += ["## Side by side", _table(figures, ROWS)]
    if short:
        parts += [f"## All at once, each for {JOB_SECONDS:.0f} s", _table(short, SHORT_ROWS)]
    if bursts:
        parts += [f"## The burst alone, {TIMES} times in turn", _table(bursts, BURST_ROWS)]
    parts += ["![the same as plots](scale.png)"]
    text = "\n\n".join(parts)
    print(f"\n{text}")
    (directory / "scale.md").write_text(text + "\n")
    document = {
        "machine": machine,
        "limit": runs.limit,
        "figures": [asdict(one) for one in figures],
        "short": [asdict(one) for one in short],
        "bursts": [asdict(one) for one in bursts],
    }
    (directory / "scale.json").write_text(json.dumps(document, indent=1) + "\n")
    _plot(directory / "scale.png", figures)


def earlier_runs(directory: Path, machine: str) -> Runs | None:
    """What the last report on the same machine says, if there is one."""
    path = directory / "scale.json"
    if not path.exists():
        return None
    document = json.loads(path.read_text())
    if document["machine"] != machine:
        return None
    return Runs(
        limit=document["limit"],
        figures=[Figures(**one) for one in document["figures"]],
        short=[ShortJobs(**one) for one in document.get("short", ())],
        bursts=[Bursts(**one) for one in document.get("bursts", ())],
    )


def _merged(measured: Sequence[Run], earlier: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Return all runs in the order of the report, and those of `earlier` among them."""
    again = {(one.subject, one.jobs) for one in measured}
    kept: list[Run] = [one for one in earlier if (one.subject, one.jobs) not in again]
    every: list[Run] = kept + list(measured)
    return sorted(every, key=lambda one: (one.jobs, one.subject != "operator")), kept


def _table(runs: Sequence[Figures] | Sequence[ShortJobs] | Sequence[Bursts], rows: Mapping[str, str]) -> str:
    heads = [f"{one.subject} {one.jobs:,}" for one in runs]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for key, label in rows.items():
        lines.append(f"| {label} | {' | '.join(_cell(one, key) for one in runs)} |")
    return "\n".join(lines)


def _cell(one: Figures | ShortJobs | Bursts, key: str) -> str:
    if key == "requests_per_sweep" and one.subject != "operator":
        return "no sweeps"
    return shown(getattr(one, key))


def _plot(path: Path, figures: Sequence[Figures]) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - of the group bench

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(3, 3, figsize=(14, 12), layout="constrained")
    for axis, (key, label) in zip(axes.flat, PLOTS.items(), strict=True):
        for subject in dict.fromkeys(one.subject for one in figures):
            points = [
                (one.jobs, getattr(one, key))
                for one in figures
                if one.subject == subject and getattr(one, key)
            ]
            if points:
                axis.loglog(*zip(*points, strict=True), marker="o", label=subject)
                axis.legend()
        axis.set(title=label, xlabel="jobs")
        axis.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(path, dpi=110)

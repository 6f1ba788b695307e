"""The report of a run: a table to read, JSON to compare with, and plots to look at."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.scale.measure import Figures, shown
from bench.scale.targets import as_table, targets

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
    "peak_rss_mib": "peak RSS (MiB)",
    "loop_lag_p99": "health check answered, p99 (s)",
    "loop_lag_max": "health check answered, worst (s)",
    "duplicates": "duplicates",
    "lost": "lost",
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


def write_report(
    directory: Path,
    figures: Sequence[Figures],
    limit: dict[str, float],
    *,
    machine: str,
    remark: str,
    earlier: Sequence[Figures] = (),
) -> None:
    """`earlier` stands in for what was not measured this time."""
    directory.mkdir(parents=True, exist_ok=True)
    measured = {(one.subject, one.jobs) for one in figures}
    kept = [one for one in earlier if (one.subject, one.jobs) not in measured]
    if kept:
        names = ", ".join(f"{one.subject} {one.jobs:,}" for one in kept)
        remark += f" Of an earlier run on this machine: {names}."
    figures = sorted([*kept, *figures], key=lambda one: (one.jobs, one.subject != "operator"))
    limits = (
        "The API server by itself, from a plain client with 16 connections: "
        f"{limit['creates_per_second']:.0f} creates and {limit['status_patches_per_second']:.0f} status "
        "patches a second."
    )
    parts = ["# What one replica carries", f"Written by `make bench`. Machine: {machine}.", limits, remark]
    parts += ["## Targets", as_table(targets(figures, limit)), "## Side by side", _table(figures)]
    parts += ["![the same as plots](scale.png)"]
    text = "\n\n".join(parts)
    print(f"\n{text}")
    (directory / "scale.md").write_text(text + "\n")
    document = {"machine": machine, "limit": limit, "figures": [one.as_json() for one in figures]}
    (directory / "scale.json").write_text(json.dumps(document, indent=1) + "\n")
    _plot(directory / "scale.png", figures)


def earlier_figures(directory: Path, machine: str) -> list[Figures]:
    """What the last report on the same machine says, if there is one."""
    path = directory / "scale.json"
    if not path.exists():
        return []
    document = json.loads(path.read_text())
    return [Figures(**one) for one in document["figures"]] if document["machine"] == machine else []


def _table(figures: Sequence[Figures]) -> str:
    heads = [f"{one.subject} {one.jobs:,}" for one in figures]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for key, label in ROWS.items():
        cells = [_cell(one, key) for one in figures]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(one: Figures, key: str) -> str:
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

"""Reads finished runs, and stores them one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from nemo_eval_operator.plugin.access import Cluster
from nemo_eval_operator.plugin.exit_codes import CommandFailed
from nemo_eval_operator.plugin.outcome import not_ended
from nemo_eval_operator.plugin.report import ReportNeedsExtra, as_html, build_report, read_documents
from nemo_eval_operator.plugin.screen import clean
from nemo_eval_operator.plugin.suggestions import command

from .mapping import Tracked, tracked_run
from .mlflow import MlflowServer

__all__ = ["export_runs", "read_runs"]


async def read_runs(cluster: Cluster, names: Sequence[str]) -> list[Tracked]:
    """Return what is exported of each run. Raises CommandFailed where one has not ended, KubeError."""
    found = []
    for name in dict.fromkeys(names):
        documents = await read_documents(cluster, [name])
        report = build_report(documents, now=datetime.now(UTC))
        try:
            html = as_html(report)
        except ReportNeedsExtra:
            html = None
        run = tracked_run(documents.runs[0], report, html=html)
        if run is None:
            job = documents.runs[0].job
            advice = f"Wait for it with `{command('wait', job)}`, then export it"
            raise CommandFailed(f"{name} {clean(not_ended(job))}. {advice}")
        found.append(run)
    return found


async def export_runs(server: MlflowServer, runs: Sequence[Tracked], *, experiment: str | None) -> list[str]:
    """Store the runs; returns a line about each. Raises MlflowError."""
    lines = []
    try:
        for run in runs:
            place = experiment or run.experiment
            problem = await server.store(run, experiment=place)
            lines.append(f"{run.name}: stored in experiment {place}" + (f"; {problem}" if problem else ""))
    finally:
        await server.close()
    return lines

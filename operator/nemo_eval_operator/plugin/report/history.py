"""Scores of a benchmark over its runs, from the status of the jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.lifecycle.requests import mask_plain_secrets
from nemo_eval_operator.resources import NemoEvalJob, Phase

from .details import model_of, target_document
from .model import History, Point, Role
from .texts import name_text

__all__ = ["histories_of"]

MAX_POINTS: Final = 50
"""Runs that a history shows: the newest, and besides them the baseline and the candidates."""

MAX_SCORES: Final = 3
"""Scores of one benchmark with a history: the first of its latest run."""

STANDARD_ERRORS: Final = ("stderr", "std_err")


def histories_of(
    jobs: Sequence[NemoEvalJob], siblings: Sequence[NemoEvalJob], *, roles: Mapping[str, Role]
) -> tuple[History, ...]:
    """Return the histories of the benchmarks of `jobs` that have two finished runs at least.

    `roles`: by the uids of the runs that are compared.
    """
    return tuple(_of_benchmarks(jobs, siblings, roles))


def _of_benchmarks(
    jobs: Sequence[NemoEvalJob], siblings: Sequence[NemoEvalJob], roles: Mapping[str, Role]
) -> Iterator[History]:
    by_benchmark: dict[str, list[NemoEvalJob]] = {}
    for job in jobs:
        if job.spec.benchmark_ref is not None:
            by_benchmark.setdefault(job.spec.benchmark_ref.name, []).append(job)
    for name, reported in by_benchmark.items():
        runs = [
            one
            for one in {job.metadata.uid: job for job in [*siblings, *reported]}.values()
            if one.spec.benchmark_ref and one.spec.benchmark_ref.name == name and _is_result(one)
        ]
        runs.sort(key=lambda one: (parse_timestamp(one.status.completion_time or ""), one.metadata.name))
        older = [one for one in runs[:-MAX_POINTS] if one.metadata.uid in roles]
        for score in _names(runs[-1])[:MAX_SCORES] if runs else ():
            points = list(_points(score, [*older, *runs[-MAX_POINTS:]], reported, roles))
            if len(points) > 1:
                yield History(benchmark=name, score=name_text(score), points=tuple(points))


def _is_result(job: NemoEvalJob) -> bool:
    is_finished = job.status.phase is Phase.SUCCEEDED and job.status.completion_time is not None
    return is_finished and not job.spec.dry_run


def _names(job: NemoEvalJob) -> list[str]:
    return [name for name in _values(job) if not name.lower().endswith(STANDARD_ERRORS)]


def _values(job: NemoEvalJob) -> dict[str, float]:
    return {
        "/".join((one.task or one.group or "", one.metric, one.score)): one.value
        for one in job.status.scores or ()
    }


def _points(
    score: str, runs: Sequence[NemoEvalJob], reported: Sequence[NemoEvalJob], roles: Mapping[str, Role]
) -> Iterator[Point]:
    uids = {one.metadata.uid for one in reported}
    configs = {one.status.benchmark.hash for one in reported if one.status.benchmark}
    series: dict[tuple[str, str], int] = {}
    for run in runs:
        if (value := _values(run).get(score)) is not None:
            measured = run.status.benchmark
            yield Point(
                run=run.metadata.name,
                model=model_of(run),
                time=run.status.completion_time or "",
                value=value,
                reported=run.metadata.uid in uids,
                same_config=measured is not None and measured.hash in configs,
                role=roles.get(run.metadata.uid),
                series=series.setdefault(_measured(run), len(series)),
            )


def _measured(run: NemoEvalJob) -> tuple[str, str]:
    """Return what the values of two runs have to agree in for a line to connect them: config and target."""
    target = target_document(run) or {}
    # As where runs are compared: credentials that were renewed are not another target.
    mask_plain_secrets(target)
    # A config that was not recorded may be any: such a run is connected with none.
    config = run.status.benchmark.hash if run.status.benchmark else run.metadata.uid
    return config, json.dumps(target, sort_keys=True)

"""Whether the scores that a gate names exist: judged before a run by the scores of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from nemo_eval_operator.gates import Evidence, ScoreEvidence
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeForbidden, Outdated
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.lifecycle.job import MAX_SCORES
from nemo_eval_operator.likely_names import most_like
from nemo_eval_operator.nemo import EvaluationConfig
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoBenchmark, NemoEvalJob

from .access import Cluster
from .exit_codes import CommandFailed, ExitCode
from .run_checks import as_written

__all__ = ["Earlier", "check_scores", "earlier_runs"]

MAX_READ: Final = 1000
"""Runs of the namespace that are read: two pages of the list."""

LATEST: Final = 5
"""Runs of the benchmark, the newest ones, whose scores are known."""

MAX_NAMED: Final = 10
"""Scores named in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Finished runs of what is to be run, the newest first."""

    runs: tuple[NemoEvalJob, ...]
    benchmark: NemoBenchmark | None = None
    """The benchmark of the run as it is now; None: not known."""


async def earlier_runs(cluster: Cluster, spec: JsonObject, benchmark: NemoBenchmark | None) -> Earlier:
    """Return the latest runs of the same benchmark or config that have scores. Raises KubeError.

    There are none for a user who may not list runs.
    """
    found: list[NemoEvalJob] = []
    read = 0
    try:
        async for document in cluster.kube.list_all(EVALJOB_PLURAL, cluster.namespace):
            job = read_job(document)[0]
            if job.status.scores and _what(as_written(job.spec)) == _what(spec):
                found.append(job)
            read += 1
            if read == MAX_READ:
                break
    except (KubeForbidden, Outdated):
        # Those that were read suffice.
        pass
    found.sort(key=lambda job: job.status.completion_time or "", reverse=True)
    return Earlier(runs=tuple(found[:LATEST]), benchmark=benchmark)


def _what(spec: JsonObject) -> object:
    return spec.get("benchmarkRef") or spec.get("config")


def check_scores(spec: JsonObject, earlier: Earlier) -> list[str]:
    """Return warnings about criteria whose score no earlier run has.

    Raises CommandFailed where a run of the same benchmark shows that the new one will not have it either.
    """
    match spec:
        case {"gate": {"criteria": [*criteria]}} if earlier.runs:
            pass
        case _:
            return []
    names = [str(one["score"]) for one in criteria if isinstance(one, dict) and "score" in one]
    warnings: list[str] = []
    for index, name in enumerate(names):
        if (problem := _problem(name, earlier.runs)) is None:
            continue
        message = f"gate criteria[{index}].score: {problem}"
        if _is_certain(earlier):
            raise CommandFailed(message, ExitCode.USAGE)
        warnings.append(message)
    return warnings


def _problem(name: str, runs: Sequence[NemoEvalJob]) -> str | None:
    """Return what is wrong with the name of a score; None where one of the runs has it."""
    evidences = [_evidence(job) for job in runs]
    if any(len(one.named(name)) == 1 for one in evidences):
        return None
    if several := evidences[0].named(name):
        return f"{name} may be {_listed(one.name for one in several)}: name one of them"
    known = list(dict.fromkeys(score.name for one in evidences for score in one.scores))
    near = most_like(name, _forms(name, known))
    advice = f"did you mean {near}?" if near else f"they have {_listed(known)}"
    return f"earlier runs ({_listed(job.metadata.name for job in runs)}) have no score {name}; {advice}"


def _evidence(job: NemoEvalJob) -> Evidence:
    return Evidence(
        tuple(
            ScoreEvidence(name=f"{one.task or one.group}/{one.metric}/{one.score}", value=one.value)
            for one in job.status.scores or ()
        )
    )


def _forms(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names, written as `name` is: with as many of their parts."""
    count = name.count("/") + 1
    forms: list[str] = []
    for one in known:
        parts = one.split("/")
        forms += ["/".join(parts[start : start + count]) for start in range(max(len(parts) - count, 0) + 1)]
    return list(dict.fromkeys(forms))


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = f" and {len(all_names) - MAX_NAMED} more" if len(all_names) > MAX_NAMED else ""
    return ", ".join(all_names[:MAX_NAMED]) + more


def _is_certain(earlier: Earlier) -> bool:
    """Return whether one of the runs measured the benchmark as it is now, and has scores of all its metrics.

    Sampling parameters and the number of samples do not change what scores are called. A metric may be
    without a score in one run and have one in the next. What the scores of a config without tasks are called
    is up to the evaluator's release.
    """
    benchmark = earlier.benchmark
    if benchmark is None or not (metrics := _metrics(benchmark.spec.config)):
        return False
    return any(
        job.status.benchmark is not None
        and job.status.benchmark.generation == benchmark.metadata.generation
        and _has_all(job, metrics)
        for job in earlier.runs
    )


def _has_all(job: NemoEvalJob, metrics: Iterable[str]) -> bool:
    names = [score.name for score in _evidence(job).scores]
    is_whole = len(names) < MAX_SCORES
    return is_whole and all(any(name.startswith(f"{one}/") for name in names) for one in metrics)


def _metrics(config: EvaluationConfig) -> list[str]:
    """Return TASK/METRIC of all tasks; none where a task or group may have scores of another name."""
    tasks = config.tasks or {}
    if config.groups or any(not task.metrics for task in tasks.values()):
        return []
    return [f"{name}/{metric}" for name, task in tasks.items() for metric in task.metrics or {}]

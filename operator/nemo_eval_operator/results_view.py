"""What `nemo-eval-operator results` prints: the scores of a finished job, and what the model said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nemo_eval_operator.evaluator.model import readable
from nemo_eval_operator.json_types import JSON_OBJECT
from nemo_eval_operator.kube import Credentials, KubeClient, KubeError, ObjectKey, http_client
from nemo_eval_operator.kube.kubeconfig import context_namespace
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.lifecycle.job import partly
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoEvalJob, Score
from nemo_eval_operator.samples_view import ViewedSample, as_csv, samples_of

__all__ = ["NoResults", "fetch", "read_results", "results_csv", "results_lines"]

MAX_CELL_CHARACTERS: Final = 60

HEADINGS: Final = ("TASK", "METRIC", "SCORE", "VALUE", "COUNT", "STDERR", "NAN")

TIMEOUT_SECONDS: Final = 30.0
"""For both calls to the API server."""


class NoResults(Exception):
    """There is nothing to show, and why."""


def fetch(kubeconfig: Path | None, namespace: str | None, name: str) -> tuple[NemoEvalJob, str]:
    """Return the job and its results document. Raises NoResults, KubeConfigMissing.

    `namespace` None: that of the kubeconfig's context.
    """
    credentials = Credentials.of_kubeconfig(kubeconfig)
    key = ObjectKey(EVALJOB_PLURAL, namespace or context_namespace(kubeconfig), name)
    try:
        return asyncio.run(_fetch(credentials, key))
    except KubeError as error:
        raise NoResults(f"NemoEvalJob {name} in {key.namespace}: {error}") from error
    except TimeoutError as error:
        raise NoResults(f"the Kubernetes API did not answer within {TIMEOUT_SECONDS:.0f}s") from error


async def _fetch(credentials: Credentials, key: ObjectKey) -> tuple[NemoEvalJob, str]:
    async with asyncio.timeout(TIMEOUT_SECONDS), http_client(credentials) as http:
        return await read_results(KubeClient(http), key)


async def read_results(kube: KubeClient, key: ObjectKey) -> tuple[NemoEvalJob, str]:
    """Return the job and its results document. Raises NoResults, KubeError."""
    found, _ = await kube.read(key)
    if found is None:
        raise NoResults(f"NemoEvalJob {key.name} was not found in namespace {key.namespace}")
    job, _ = read_job(found)
    reference = job.status.results_ref
    if reference is None or reference.config_map is None or reference.key is None:
        raise NoResults(
            f"{key.name} has no results: {job.status.message or 'it has not been reconciled yet'}"
        )
    config_map = await kube.read_config_map(key.namespace, reference.config_map)
    if config_map is None:
        raise NoResults(f"ConfigMap {reference.config_map} was not found in namespace {key.namespace}")
    document = config_map.texts.get(reference.key)
    if document is None:
        raise NoResults(f"ConfigMap {reference.config_map} has no key {reference.key}")
    return job, document


def results_lines(job: NemoEvalJob, document: str, *, samples: int, wrong: bool = False) -> Iterator[str]:
    """Scores as a table, then the first `samples` of each task; only those that are wrong if `wrong`."""
    rows = [HEADINGS, *map(_row, job.status.scores or [])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if job.spec.dry_run:
        yield "Dry run of one sample of each task: not a result of the benchmark"
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for task, entries in samples_of(JSON_OBJECT.validate_json(document)).items():
        shown = [entry for entry in entries if entry.is_wrong or not wrong]
        if samples and entries:
            which = f"{'wrong ' if wrong else ''}sample{'' if len(shown) == 1 else 's'}"
            yield f"\n{_cell(task)}: {min(samples, len(shown))} of {len(shown)} {which}"
            yield from (f"  {_line(entry)}" for entry in shown[:samples])


def results_csv(document: str, *, wrong: bool) -> str:
    """All samples of the document, or those that are wrong, as CSV."""
    tasks = samples_of(JSON_OBJECT.validate_json(document))
    return as_csv([one for entries in tasks.values() for one in entries if one.is_wrong or not wrong])


def _row(score: Score) -> tuple[str, ...]:
    count = "" if score.count is None else partly(score) or str(score.count)
    stderr = "" if score.stderr is None else f"{score.stderr:.2g}"
    names = (score.task or score.group or "", score.metric, score.score)
    return (*map(_cell, names), f"{score.value:.4g}", count, stderr, str(score.nan_count or ""))


def _line(sample: ViewedSample) -> str:
    output = "(no output)" if sample.output is None else _cell(sample.output)
    reference = [] if sample.reference is None else [f"reference {_cell(sample.reference)}"]
    scores = [f"{_cell(name)}={_score(value)}" for name, value in sample.scores.items()]
    error = [] if sample.error is None else [_cell(sample.error)]
    return " | ".join([f"{_cell(sample.input)} -> {output}", *reference, *scores, *error])


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    line = " ".join(readable(text, len(text)).split())
    return line if len(line) <= MAX_CELL_CHARACTERS else line[: MAX_CELL_CHARACTERS - 1] + "…"

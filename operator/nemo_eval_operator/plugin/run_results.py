"""What `results`, `rows` and `compare` show: parts of a report, read with the user's rights."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import cause_of
from nemo_eval_operator.resources import NemoEvalJob, Phase

from .access import Cluster
from .exit_codes import CommandFailed, ExitCode
from .outcome import ending_of, gate_condition, not_ended
from .report import (
    Change,
    Comparison,
    Flips,
    Run,
    RunDocuments,
    Worst,
    build_report,
    read_documents,
    rules_of,
    samples_by_key,
    worst_first,
    worst_of,
)
from .screen import clean
from .suggestions import command

__all__ = [
    "as_document",
    "change_rows",
    "compared_runs",
    "run_with_scores",
    "score_rows",
    "values_alone",
    "worst_rows",
]

REPORTED_ALONE: Final = {"config", "target", "environment", "provenance", "worst", "worst_by", "notes"}
"""Parts of a run that only reports show; notes go to standard error."""

ENDED: Final = {"cancelled": "was cancelled", "stalled": "is stalled"}
"""How a run ended, by the word for it where that is not the verb itself."""


async def run_with_scores(cluster: Cluster, name: str) -> Run:
    """Return the run. Raises CommandFailed where it has no scores, KubeError."""
    (run,), _ = await _read(cluster, name)
    return run


def score_rows(run: Run) -> list[JsonObject]:
    """Return a row for each score."""
    return [one.model_dump(by_alias=True, exclude={"distribution"}) for one in run.scores]


def as_document(run: Run) -> JsonObject:
    """Return the run's verdict and scores for programs: what a report has besides is left out."""
    document: JsonObject = run.model_dump(by_alias=True, mode="json", exclude=REPORTED_ALONE)
    return document | {"scores": [*score_rows(run)]}


async def compared_runs(
    cluster: Cluster, baseline: str, candidate: str, *, flips: int
) -> tuple[Run, Run, Comparison]:
    """Return two runs and how the second compares with the first, with so many flips of each direction.

    Raises CommandFailed where one has no scores, KubeError.
    """
    if baseline == candidate:
        raise CommandFailed(f"{baseline} cannot be compared with itself: name two runs", ExitCode.USAGE)
    (first, second), (comparison,) = await _read(cluster, baseline, candidate)
    shown = {
        "became_worse": _first(comparison.became_worse, flips),
        "became_better": _first(comparison.became_better, flips),
    }
    return first, second, comparison.model_copy(update=shown)


def values_alone(baseline: Run, candidate: Run) -> list[tuple[str, float | None, float | None]]:
    """Return each score's name and its values in both runs; None where a run has no such score."""
    before, after = ({one.name: one.value for one in run.scores} for run in (baseline, candidate))
    return [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]


def change_rows(baseline: Run, candidate: Run, found: Comparison) -> list[JsonObject]:
    """Return a row for each score: its change, or its values and why they were not compared."""
    if found.changes:
        return [one.model_dump(by_alias=True) for one in found.changes]
    empty: JsonObject = {field.alias or name: None for name, field in Change.model_fields.items()}
    return [
        empty | {"score": name, "baseline": before, "candidate": after, "note": found.note}
        for name, before, after in values_alone(baseline, candidate)
    ]


def _first(found: Flips, limit: int) -> Flips:
    left_out = found.left_out + max(0, len(found.flips) - limit)
    return Flips(flips=found.flips[:limit], left_out=left_out)


async def _read(cluster: Cluster, *names: str) -> tuple[tuple[Run, ...], tuple[Comparison, ...]]:
    documents = await read_documents(cluster, names, history=False)
    report = build_report(documents, now=datetime.now(UTC))
    for found, run in zip(documents.runs, report.runs, strict=True):
        if not run.scores:
            raise _without_results(found)
    return report.runs, report.comparisons


async def worst_rows(cluster: Cluster, name: str, *, limit: int) -> tuple[str, Worst, str]:
    """Return the score that items are ordered by, the worst items, and why texts of some are missing.

    Raises CommandFailed where there are none, KubeError.
    """
    documents = await read_documents(cluster, [name], history=False)
    (found,) = documents.runs
    rules, evidence = rules_of(found.job), found.kept.evidence
    by = worst_first(evidence, rules)
    if by is None:
        raise _no_items(found)
    samples = samples_by_key(found.kept.document)
    task = next((one for one in samples if by.name.startswith(f"{one}/")), "")
    shown = worst_of(by, rules.direction_of(by.name), samples, limit=limit)
    return by.name, shown, _left_out(found, known=len(samples.get(task, {})), items=len(by.items))


def _left_out(found: RunDocuments, *, known: int, items: int) -> str:
    """Return why some items have no texts; empty where all have."""
    if known >= items:
        return ""
    notes = "; ".join(found.kept.notes)
    if notes:
        return notes
    reference = found.job.status.results_ref
    where = f": all of it is at {reference.url}" if reference and reference.url else ""
    return f"the results ConfigMap has the texts of {known} of {items} items{where}"


def _no_items(found: RunDocuments) -> CommandFailed:
    if found.job.status.results_ref is None:
        return _without_results(found)
    why = "; ".join(found.kept.notes) or "the evaluator gave no scores of single items"
    return CommandFailed(f"{found.job.metadata.name} has no items to show: {why}", ExitCode.NOT_FOUND)


def _without_results(found: RunDocuments) -> CommandFailed:
    job, notes = found.job, found.kept.notes
    name, ending = job.metadata.name, ending_of(job)
    why = f"Find out more with `{command('why', job)}`"
    if ending is None:
        return CommandFailed(f"{name} {clean(not_ended(job))}. {_how_to_go_on(job)}")
    if ending.code is ExitCode.FAILED and gate_condition(job) is None:
        message = clean(ending.message).rstrip(".")
        verb = ENDED.get(ending.word, ending.word)
        return CommandFailed(f"{name} {verb} and has no results{': ' if message else ''}{message}. {why}")
    causes = "; ".join(notes) or clean(cause_of(job.status.message or "")) or ending.word
    return CommandFailed(f"{name} has no results: {causes}. {why}", ExitCode.NOT_FOUND)


def _how_to_go_on(job: NemoEvalJob) -> str:
    if job.status.phase is Phase.SUSPENDED:
        return f"Resume it with `{command('resume', job)}`"
    return f"Wait for it with `{command('wait', job)}`"

"""Builds a report from documents: pure. Statistics are those of `gates`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from nemo_eval_operator import __version__
from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.gates import CriterionReason
from nemo_eval_operator.lifecycle import cause_of
from nemo_eval_operator.plugin.exit_codes import ExitCode
from nemo_eval_operator.plugin.outcome import ending_of, stage_of
from nemo_eval_operator.resources import NemoEvalJob

from .comparing import compare_runs
from .details import benchmark_of, config_of, environment_of, model_of, provenance_of, target_of
from .differing import Measured, differing
from .history import histories_of
from .items import samples_by_key, worst_of
from .model import Comparison, Criterion, Report, Role, Run
from .reading import Documents, RunDocuments
from .scores import measured_scores, rules_of, scores_in_status, worst_first
from .summary import summary_of
from .texts import name_text

__all__ = ["build_report"]

PASSED: Final = {ExitCode.PASSED: True, ExitCode.FAILED: False}
"""Whether a run that ended with this exit code passed; an inconclusive one did neither."""

MAX_SCORES: Final = 100
"""Scores of one run that are shown."""


def build_report(documents: Documents, *, now: datetime) -> Report:
    """Return the report. Of several runs, the first is the one that the others are compared with."""
    runs, comparisons = tuple(map(_run, documents.runs)), _comparisons(documents)
    return Report(
        title=name_text(_title([one.job.metadata.name for one in documents.runs])),
        generated=timestamp(now),
        version=__version__,
        summary=summary_of(runs, comparisons),
        runs=runs,
        comparisons=comparisons,
        histories=histories_of(
            [one.job for one in documents.runs], documents.siblings, roles=_roles(documents)
        ),
        notes=tuple(map(name_text, documents.notes)),
    )


def _title(names: Sequence[str]) -> str:
    first, *others = names
    if not others:
        return first
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return f"{others[0]}{more} against {first}"


def _roles(documents: Documents) -> dict[str, Role]:
    """Return the roles of the runs that are compared, by uid."""
    first, *others = (one.job.metadata.uid for one in documents.runs)
    if others:
        return {**dict.fromkeys(others, "candidate"), first: "baseline"}
    if documents.baseline is None:
        return {}
    job = documents.baseline.job
    return {first: "candidate", **({job.metadata.uid: "baseline"} if job else {})}


def _comparisons(documents: Documents) -> tuple[Comparison, ...]:
    first, *others = documents.runs
    if others:
        return tuple(_compared(first, one) for one in others)
    baseline = documents.baseline
    if baseline is None:
        return ()
    before = Measured.of(baseline.job, baseline.kept) if baseline.job else Measured.of_deleted(baseline.used)
    found = differing(before, Measured.of(first.job, first.kept))
    if not found.why:
        found = replace(found, why=_reason_of_gate(first.job))
    return (compare_runs(baseline.kept, first.kept, rules_of(first.job), found),)


def _compared(before: RunDocuments, after: RunDocuments) -> Comparison:
    found = differing(*(Measured.of(one.job, one.kept) for one in (before, after)))
    return compare_runs(before.kept, after.kept, rules_of(after.job), found)


def _reason_of_gate(job: NemoEvalJob) -> str:
    """Return why the gate took the baseline's config for another one; empty where it did not."""
    criteria = job.status.gate.criteria if job.status.gate else None
    differs = CriterionReason.BENCHMARK_DIFFERS
    return next((one.message for one in criteria or () if one.reason == differs), "")


def _run(documents: RunDocuments) -> Run:
    job, kept = documents.job, documents.kept
    rules = rules_of(job)
    scores = measured_scores(kept.evidence, rules) if kept.evidence else scores_in_status(job)
    ending = ending_of(job)
    by = worst_first(kept.evidence, rules)
    samples = samples_by_key(kept.document) if by else {}
    return Run(
        name=job.metadata.name,
        namespace=job.metadata.namespace,
        outcome=ending.word if ending else stage_of(job),
        passed=PASSED.get(ending.code) if ending else None,
        message=name_text(cause_of(job.status.message or "")),
        model=model_of(job),
        benchmark=benchmark_of(job),
        dry_run=job.spec.dry_run,
        limit_samples=None if job.spec.dry_run else job.spec.limit_samples,
        confidence=rules.confidence,
        verdict=job.status.gate.verdict.value if job.status.gate else None,
        criteria=_criteria(job),
        scores=scores[:MAX_SCORES],
        scores_left_out=max(0, len(scores) - MAX_SCORES),
        worst_by=name_text(by.name) if by else None,
        worst=worst_of(by, rules.direction_of(by.name), samples).items if by else (),
        config=config_of(documents),
        target=target_of(job),
        environment=environment_of(documents),
        provenance=provenance_of(documents),
        notes=tuple(map(name_text, kept.notes)),
    )


def _criteria(job: NemoEvalJob) -> tuple[Criterion, ...]:
    found = job.status.gate.criteria if job.status.gate else None
    return tuple(
        Criterion(
            score=name_text(one.score),
            tier=name_text(one.tier),
            result=name_text(one.result),
            message=name_text(one.message),
        )
        for one in found or ()
    )

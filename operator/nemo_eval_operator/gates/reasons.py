"""Reasons why a criterion of a gate is not decided, each with its meaning and what a user does.

The values are API, as those of `nemo_eval_operator.reasons` are: scripts match them in status and JSON.
docs/reference/conditions.md has a table that is generated from this enum.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

__all__ = ["CriterionReason"]

RUN_AGAIN: Final = "Request a rerun, or create another NemoEvalJob."


@dataclass(frozen=True, slots=True)
class _Entry:
    value: str
    meaning: str
    action: str


class CriterionReason(StrEnum):
    """Every reason of a single criterion.

    To add one: add a member here, in the order of the alphabet, and run `make generate`.
    """

    meaning: str
    """What happened, in plain text."""
    action: str
    """What a user does."""

    def __new__(cls, entry: _Entry) -> Self:
        member = str.__new__(cls, entry.value)
        member._value_ = entry.value
        member.meaning, member.action = entry.meaning, entry.action
        return member

    BASELINE_AMBIGUOUS = _Entry(
        "BaselineAmbiguous",
        "Two jobs that baseline.selector matches completed in the same second.",
        "Name one of them in baseline.jobRef.",
    )
    BASELINE_IS_DRY_RUN = _Entry(
        "BaselineIsDryRun",
        "The baseline is a dry run, which measures nothing.",
        "Name another job in baseline.jobRef.",
    )
    BASELINE_IS_ITSELF = _Entry(
        "BaselineIsItself",
        "The gate names its own job as the baseline.",
        "Name another job in baseline.jobRef.",
    )
    BASELINE_MISSING = _Entry(
        "BaselineMissing",
        "The criterion allows a drop, and there is no run to compare with.",
        "Give a baseline, or set ifNoBaseline: Skip for the first run of a series.",
    )
    BASELINE_NOT_COMPLETED = _Entry(
        "BaselineNotCompleted",
        "The baseline has no results: it failed, was cancelled, is being deleted, or had not ended in time.",
        "Name another job in baseline.jobRef, or run the baseline again.",
    )
    BASELINE_NOT_FOUND = _Entry(
        "BaselineNotFound",
        "There is no job of the name in baseline.jobRef, or none with the labels of baseline.selector that "
        "completed before this one and measured the same benchmark.",
        "Correct baseline, create the job, or set ifNoBaseline: Skip for the first run of a series.",
    )
    BASELINE_NOT_PASSED = _Entry(
        "BaselineNotPassed",
        "Jobs match baseline.selector, but the gate of none has passed.",
        "Wait for a job that passes, or set baseline.passed: false.",
    )
    BENCHMARK_DIFFERS = _Entry(
        "BenchmarkDiffers",
        "The two runs measured different configs: the benchmark was changed between them, or their "
        "samplingParams or limitSamples differ. The message names fields with the value of the baseline and "
        "that of this run.",
        "Run the baseline again if the benchmark was changed, else create a run with the samplingParams and "
        "limitSamples of the baseline.",
    )
    EVIDENCE_MISSING = _Entry(
        "EvidenceMissing",
        "The ConfigMap with the scores does not exist any more, or has none. If it is that "
        "of the run itself, onInconclusive: Pass has no effect.",
        RUN_AGAIN,
    )
    EVIDENCE_UNREADABLE = _Entry(
        "EvidenceUnreadable",
        "The ConfigMap with the scores was replaced, or cannot be read. If it is that "
        "of the run itself, onInconclusive: Pass has no effect.",
        RUN_AGAIN,
    )
    INVALID_GATE = _Entry(
        "InvalidGate",
        "Another version of the CustomResourceDefinition accepted a gate that this operator does not "
        "understand; onInconclusive: Pass has no effect.",
        "Correct the field that the message names.",
    )
    INVALID_SELECTOR = _Entry(
        "InvalidSelector",
        "Kubernetes refused baseline.selector.",
        "Correct it as the message says.",
    )
    ITEMS_DIFFER = _Entry(
        "ItemsDiffer",
        "Fewer than 90 % of the items of one run are in the other: the dataset was changed between them.",
        "Run the baseline again.",
    )
    NO_STATISTICS = _Entry(
        "NoStatistics",
        "The score has no items and no sums, or too few items for an interval.",
        "Evaluate more items, or set evidence: PointEstimate.",
    )
    SCORE_MISSING = _Entry(
        "ScoreMissing",
        "A run has no such score, several that may be meant, or no number for it.",
        "Correct criteria[].score, or look at the results.",
    )
    SELECTOR_TOO_BROAD = _Entry(
        "SelectorTooBroad",
        "baseline.selector matches more jobs than the operator reads.",
        "Add a label to the selector.",
    )
    TOO_MANY_NAN = _Entry(
        "TooManyNaN",
        "More items than criteria[].maxNaNFraction allows have no score.",
        "Look at the results: a metric gave no number.",
    )

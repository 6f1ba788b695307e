"""Choice of a gate's baseline among the NemoEvalJobs of the same namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.gates import CriterionReason, NoBaseline
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.conditions import reason_of
from nemo_eval_operator.lifecycle.requests import differences
from nemo_eval_operator.resources import (
    BaselineUsed,
    EvidenceRef,
    GateVerdict,
    JobSelector,
    NemoEvalJob,
    Phase,
    ResultsRef,
)

from .gate_hash import baseline_hash

__all__ = ["BaselineFound", "NewestJob", "WaitForBaseline", "choose_named", "difference", "selector_text"]

MAX_FIELDS: Final = 4
"""Fields that a message names of two configs that differ."""


@dataclass(frozen=True, slots=True)
class BaselineFound:
    """A run to compare with, and where its evidence is; `results` are read where it has none."""

    used: BaselineUsed
    evidence: EvidenceRef | None
    results: ResultsRef | None


@dataclass(frozen=True, slots=True)
class WaitForBaseline:
    """The baseline, named by the message, is still running."""

    name: str
    message: str


def choose_named(
    job: NemoEvalJob, name: str, baseline: NemoEvalJob | None, *, may_wait: bool
) -> BaselineFound | WaitForBaseline | NoBaseline:
    """Return the baseline that `spec.gate.baseline.jobRef` names; None as `baseline` where it is absent."""
    if baseline is None:
        return NoBaseline(
            CriterionReason.BASELINE_NOT_FOUND, f"there is no NemoEvalJob {name} in this namespace"
        )
    if baseline.metadata.uid == job.metadata.uid:
        return NoBaseline(
            CriterionReason.BASELINE_IS_ITSELF, "a job cannot be its own baseline: name another in jobRef"
        )
    if baseline.status.completion_time is None:
        if may_wait and baseline.metadata.deletion_timestamp is None:
            phase = baseline.status.phase or Phase.PENDING
            return WaitForBaseline(name, f"the baseline {name} has not ended: it is {phase}")
        why = "is being deleted" if may_wait else "had not ended when spec.activeDeadlineSeconds had passed"
        return NoBaseline(CriterionReason.BASELINE_NOT_COMPLETED, f"the baseline {name} {why}")
    if baseline.status.phase is not Phase.SUCCEEDED:
        ended = f"{baseline.status.phase} ({reason_of(baseline.status.conditions) or 'no reason'})"
        return NoBaseline(
            CriterionReason.BASELINE_NOT_COMPLETED, f"the baseline {name} has no results: it ended as {ended}"
        )
    if baseline.spec.dry_run:
        return NoBaseline(
            CriterionReason.BASELINE_IS_DRY_RUN, f"the baseline {name} is a dry run, which measures nothing"
        )
    return _found(job, baseline)


class NewestJob:
    """Finds the newest run that `spec.gate.baseline.selector` may mean, among jobs with its labels."""

    def __init__(self, job: NemoEvalJob, *, passed: bool) -> None:
        self._job = job
        self._passed = passed
        self._best: NemoEvalJob | None = None
        self._rival: str | None = None
        self._not_passed = 0

    def add(self, other: NemoEvalJob) -> None:
        """Take one of the jobs with the selector's labels."""
        if not self._is_earlier_run(other):
            return
        if self._passed and not _has_passed(other):
            self._not_passed += 1
            return
        if self._best is None or _completed(other) > _completed(self._best):
            self._best, self._rival = other, None
        elif _completed(other) == _completed(self._best):
            first, second = sorted((self._best, other), key=lambda one: one.metadata.name)
            self._best, self._rival = first, second.metadata.name

    def _is_earlier_run(self, other: NemoEvalJob) -> bool:
        ours, theirs = self._job.status, other.status
        if other.metadata.uid == self._job.metadata.uid or other.spec.dry_run:
            return False
        if theirs.phase is not Phase.SUCCEEDED or theirs.completion_time is None:
            return False
        if ours.completion_time is None or _completed(other) >= _completed(self._job):
            return False
        if ours.benchmark is None or theirs.benchmark is None:
            return False
        if ours.benchmark.name is None:
            return ours.benchmark.hash == theirs.benchmark.hash
        return ours.benchmark.name == theirs.benchmark.name

    def choice(self) -> BaselineFound | NoBaseline | None:
        """Return the newest; None where there is none, as `ifNoBaseline` is about."""
        if self._best is None:
            return None
        if self._rival is not None:
            return NoBaseline(
                CriterionReason.BASELINE_AMBIGUOUS,
                f"{self._best.metadata.name} and {self._rival} match equally: both completed at "
                f"{self._best.status.completion_time}. Name one of them in baseline.jobRef",
            )
        return _found(self._job, self._best)

    @property
    def nothing_found(self) -> NoBaseline:
        """Return why there is no baseline."""
        measured = self._job.status.benchmark
        of = f" of NemoBenchmark {measured.name}" if measured and measured.name else " of the same config"
        message = f"no job{of} with the labels of baseline.selector completed before this one"
        if self._not_passed:
            jobs = (
                "1 did, but its gate has"
                if self._not_passed == 1
                else f"{self._not_passed} did, but their gates have"
            )
            message = f"no job{of} with the labels of baseline.selector has passed: {jobs} not passed"
            return NoBaseline(CriterionReason.BASELINE_NOT_PASSED, message)
        return NoBaseline(CriterionReason.BASELINE_NOT_FOUND, message)


def _found(job: NemoEvalJob, baseline: NemoEvalJob) -> BaselineFound:
    status = baseline.status
    used = BaselineUsed(
        name=baseline.metadata.name,
        uid=baseline.metadata.uid,
        attempt=status.attempt or 1,
        job_id=status.job_id,
        benchmark_hash=status.benchmark.hash if status.benchmark else None,
        choice=baseline_hash(job),
    )
    return BaselineFound(used, status.evidence_ref, status.results_ref)


def difference(
    job: NemoEvalJob, baseline: BaselineUsed, configs: tuple[JsonObject, JsonObject] | None = None
) -> NoBaseline | None:
    """Return why the two runs did not measure the same; None where they did.

    `configs`: what the baseline and what this run measured, where both can be read.
    """
    ours = job.status.benchmark.hash if job.status.benchmark else None
    if ours is not None and ours == baseline.benchmark_hash:
        return None
    if ours is None or baseline.benchmark_hash is None:
        which = "this run" if ours is None else f"the baseline {baseline.name}"
        return NoBaseline(
            CriterionReason.BENCHMARK_DIFFERS, f"the config that {which} measured is not recorded"
        )
    if configs is not None and (fields := differences(*configs).text(MAX_FIELDS)):
        message = f"the baseline {baseline.name} and this run measured different configs: {fields}"
        return NoBaseline(CriterionReason.BENCHMARK_DIFFERS, message)
    return NoBaseline(
        CriterionReason.BENCHMARK_DIFFERS,
        f"the baseline {baseline.name} measured another config ({_short(baseline.benchmark_hash)}) than "
        f"this run ({_short(ours)}): compare config.json in the two results ConfigMaps",
    )


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _has_passed(job: NemoEvalJob) -> bool:
    return job.status.gate is not None and job.status.gate.verdict is GateVerdict.PASSED


def _completed(job: NemoEvalJob) -> float:
    """Return when a completed job completed, in seconds."""
    return parse_timestamp(job.status.completion_time or "").timestamp()


def selector_text(selector: JobSelector) -> str:
    """Return the selector as the API server takes it in a query."""
    parts = [f"{key}={value}" for key, value in (selector.match_labels or {}).items()]
    for one in selector.match_expressions or []:
        values = ",".join(one.values or [])
        match one.operator:
            case "In":
                parts.append(f"{one.key} in ({values})")
            case "NotIn":
                parts.append(f"{one.key} notin ({values})")
            case "Exists":
                parts.append(one.key)
            case "DoesNotExist":
                parts.append(f"!{one.key}")
    return ",".join(parts)

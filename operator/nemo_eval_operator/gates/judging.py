"""Judges a run by a gate: evidence in, verdict out. No I/O, no clock; the same input gives the same verdict.

A margin is tested with a confidence interval: inside it passes, outside it fails, and otherwise nothing is
decided. Whatever is missing (a score, a baseline, items) is never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nemo_eval_operator.resources import Direction, GateSpec, Tier

from .comparing import Comparison, Pairing, compare, interval_of
from .evidence import Evidence, ScoreEvidence
from .items_needed import ItemsNeeded, for_bound, for_drop
from .policy import Criterion, Gate
from .reasons import CriterionReason
from .statistics import Interval

__all__ = ["CriterionResult", "Judgement", "NoBaseline", "Result", "judge", "not_judged"]


class Result(StrEnum):
    """Of a rule, a criterion or a gate."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    SKIPPED = "Skipped"


SEVERITY: Final = (Result.SKIPPED, Result.PASSED, Result.INCONCLUSIVE, Result.FAILED)
"""From the least to the most severe: a criterion has the most severe result of its rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionResult:
    """What was found for one criterion, with all numbers that it was judged by."""

    score: str
    tier: Tier
    result: Result
    message: str
    reason: CriterionReason | None = None
    """Why it could not be judged."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    evidence: Pairing | None = None
    items: int | None = None
    items_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a run, and how it came about."""

    verdict: Result
    """What the criteria say: Passed, Failed or Inconclusive."""
    passed: bool
    """Whether the gate lets the run through; differs from the verdict by `onInconclusive` only."""
    criteria: tuple[CriterionResult, ...]


@dataclass(frozen=True, slots=True)
class NoBaseline:
    """The reason why a requested baseline is missing; it is never skipped."""

    reason: CriterionReason
    message: str


@dataclass(frozen=True, slots=True)
class _Finding:
    result: Result
    message: str
    items_needed: int | None = None
    reason: CriterionReason | None = None

    @property
    def text(self) -> str:
        return f"{self.reason}: {self.message}" if self.reason else self.message


def _unknown(reason: CriterionReason, message: str) -> _Finding:
    return _Finding(Result.INCONCLUSIVE, message, reason=reason)


def judge(gate: Gate, candidate: Evidence, baseline: Evidence | NoBaseline | None) -> Judgement:
    """Return the verdict on `candidate`; `baseline` None: there is none, as `ifNoBaseline` is about."""
    results = tuple(_criterion(gate, criterion, candidate, baseline) for criterion in gate.criteria)
    verdict = _overall(results)
    passed = verdict is Result.PASSED or (verdict is Result.INCONCLUSIVE and gate.on_inconclusive == "Pass")
    return Judgement(verdict, passed, results)


def not_judged(gate: GateSpec, reason: CriterionReason, message: str) -> Judgement:
    """Return the verdict where nothing could be judged; it does not pass, whatever `onInconclusive` says."""
    results = tuple(
        CriterionResult(
            score=one.score,
            tier=one.tier,
            result=Result.INCONCLUSIVE,
            reason=reason,
            message=f"{reason}: {message}",
        )
        for one in gate.criteria
    )
    return Judgement(Result.INCONCLUSIVE, passed=False, criteria=results)


def _overall(results: tuple[CriterionResult, ...]) -> Result:
    """A critical criterion that fails, fails the gate; a supporting one makes it inconclusive at most."""
    required = [result for result in results if result.tier is not Tier.ADVISORY]
    if any(one.result is Result.FAILED and one.tier is Tier.CRITICAL for one in required):
        return Result.FAILED
    if any(one.result in {Result.FAILED, Result.INCONCLUSIVE} for one in required):
        return Result.INCONCLUSIVE
    # Skipped alone is not a pass by evidence, but `ifNoBaseline: Skip` asks for exactly that.
    return Result.PASSED


def _criterion(
    gate: Gate, criterion: Criterion, candidate: Evidence, baseline: Evidence | NoBaseline | None
) -> CriterionResult:
    found, problem = _only(candidate, criterion.score, "the run")
    if found is None or found.value is None:
        message = problem or f"{found.name if found else criterion.score} has no number"
        return _result(criterion, [_unknown(CriterionReason.SCORE_MISSING, message)])
    findings, comparison = [*_completeness(criterion, found)], None
    own = interval_of(found, gate.confidence, minimum_items=gate.minimum_items)
    findings += _bounds(criterion, found, own, gate.confidence)
    if criterion.is_compared:
        before, why_not = _baseline_score(criterion, baseline)
        if before is not None and before.value is not None:
            comparison = compare(before, found, gate.confidence)
            findings += _drops(gate, criterion, comparison)
        elif baseline is None and gate.if_no_baseline == "Skip":
            findings.append(_Finding(Result.SKIPPED, "no baseline was given"))
        else:
            findings.append(_unknown(*why_not))
    return _result(criterion, findings, found=found, own=own, comparison=comparison)


def _baseline_score(
    criterion: Criterion, baseline: Evidence | NoBaseline | None
) -> tuple[ScoreEvidence | None, tuple[CriterionReason, str]]:
    """The baseline's score, and reason and message of why there is none."""
    if baseline is None:
        return None, (CriterionReason.BASELINE_MISSING, "no baseline was given")
    if isinstance(baseline, NoBaseline):
        return None, (baseline.reason, baseline.message)
    found, problem = _only(baseline, criterion.score, "the baseline")
    if found is not None and found.value is None:
        problem = f"{found.name} has no number in the baseline"
    return found, (CriterionReason.SCORE_MISSING, problem)


def _only(evidence: Evidence, name: str, where: str) -> tuple[ScoreEvidence | None, str]:
    """The one score of that name, or what is wrong."""
    match evidence.named(name):
        case [one]:
            return one, ""
        case []:
            known = ", ".join(score.name for score in evidence.scores[:5]) or "none"
            return None, f"{where} has no score {name}; it has {known}"
        case several:
            return None, f"{name} may be {' or '.join(one.name for one in several[:5])} in {where}: say which"


def _completeness(criterion: Criterion, found: ScoreEvidence) -> Iterator[_Finding]:
    if found.nan_fraction > criterion.max_na_n_fraction:
        yield _unknown(
            CriterionReason.TOO_MANY_NAN,
            f"{found.nan_fraction:.1%} of the items have no score, allowed {criterion.max_na_n_fraction:.1%}",
        )


def _bounds(
    criterion: Criterion, found: ScoreEvidence, own: Interval | None, confidence: float
) -> Iterator[_Finding]:
    """minimum and maximum; a maximum is a minimum of the negated score."""
    for bound, sign, word in ((criterion.minimum, 1, "minimum"), (criterion.maximum, -1, "maximum")):
        if bound is None or found.value is None:
            continue
        wanted = f"{word} {bound:.4g}"
        if criterion.by == "Value":
            result = Result.PASSED if sign * found.value >= sign * bound else Result.FAILED
            yield _Finding(result, f"{found.value:.4g}, {wanted}")
        elif own is None:
            yield _unknown(CriterionReason.NO_STATISTICS, f"{found.value:.4g} has no interval, {wanted}")
        else:
            low, high = sorted((sign * own.low, sign * own.high))
            result = _against(Interval(low, high), sign * bound)
            text = f"{found.value:.4g}, interval {own.low:.4g} to {own.high:.4g}, {wanted}"
            yield _decided(result, text) or _undecided(text, for_bound(found, bound, confidence))


def _drops(gate: Gate, criterion: Criterion, compared: Comparison) -> Iterator[_Finding]:
    if compared.items_differ:
        yield _unknown(CriterionReason.ITEMS_DIFFER, compared.items_differ)
        return
    sign = 1 if criterion.direction is Direction.HIGHER else -1
    if (allowed := criterion.max_drop) is not None:
        change = compared.delta, compared.interval
        yield _drop(gate, compared, change, sign=sign, allowed=allowed, wanted=f"{allowed:.4g}")
    limit = criterion.relative_drop_below
    if (share := criterion.max_relative_drop) is None:
        return
    if limit is not None and compared.baseline >= limit:
        yield _Finding(Result.SKIPPED, f"maxRelativeDrop applies to a baseline below {limit:.4g} only")
    else:
        factor = 1 - sign * math.copysign(share, compared.baseline)
        wanted = f"{share:.1%} of {compared.baseline:.4g}"
        yield _drop(gate, compared, compared.scaled(factor), sign=sign, allowed=0.0, wanted=wanted)


def _drop(
    gate: Gate,
    compared: Comparison,
    change: tuple[float, Interval | None],
    *,
    sign: int,
    allowed: float,
    wanted: str,
) -> _Finding:
    delta, interval = change
    moved = f"{compared.candidate:.4g} against {compared.baseline:.4g}"
    if interval is None or (compared.items < gate.minimum_items and not compared.is_exact):
        if gate.evidence == "PointEstimate":
            result = Result.PASSED if sign * delta >= -allowed else Result.FAILED
            return _Finding(result, f"{moved}, allowed drop {wanted}, by the values alone")
        few = (
            f"{compared.items} items, fewer than minimumItems ({gate.minimum_items})"
            if interval
            else "no statistics"
        )
        return _unknown(CriterionReason.NO_STATISTICS, f"{moved}, allowed drop {wanted}, {few}")
    low, high = sorted((sign * interval.low, sign * interval.high))
    result = _against(Interval(low, high), -allowed)
    text = (
        f"{moved}, {gate.confidence:.0%} interval of the change {interval.low:+.4f} to {interval.high:+.4f}"
    )
    text = f"{text}, allowed drop {wanted}"
    return _decided(result, text) or _undecided(text, for_drop(compared, allowed, gate.confidence))


def _decided(result: Result, text: str) -> _Finding | None:
    return None if result is Result.INCONCLUSIVE else _Finding(result, text)


def _undecided(text: str, needed: ItemsNeeded) -> _Finding:
    return _Finding(Result.INCONCLUSIVE, f"{text}; {needed.text}", needed.number)


def _against(interval: Interval, bound: float) -> Result:
    if interval.low >= bound:
        return Result.PASSED
    return Result.FAILED if interval.high < bound else Result.INCONCLUSIVE


def _result(
    criterion: Criterion,
    findings: list[_Finding],
    *,
    found: ScoreEvidence | None = None,
    own: Interval | None = None,
    comparison: Comparison | None = None,
) -> CriterionResult:
    worst = max((finding.result for finding in findings), key=SEVERITY.index, default=Result.INCONCLUSIVE)
    worst_findings = [finding for finding in findings if finding.result is worst]
    return CriterionResult(
        score=found.name if found else criterion.score,
        tier=criterion.tier,
        result=worst,
        message="; ".join(finding.text for finding in worst_findings) or "no rule applied",
        reason=next((finding.reason for finding in worst_findings if finding.reason), None),
        value=found.value if found else None,
        low=own.low if own else None,
        high=own.high if own else None,
        baseline=comparison.baseline if comparison else None,
        delta=comparison.delta if comparison else None,
        delta_low=comparison.interval.low if comparison and comparison.interval else None,
        delta_high=comparison.interval.high if comparison and comparison.interval else None,
        evidence=comparison.pairing if comparison else None,
        items=comparison.items if comparison else (found.moments.count if found and found.moments else None),
        items_needed=max((finding.items_needed or 0 for finding in findings), default=0) or None,
    )

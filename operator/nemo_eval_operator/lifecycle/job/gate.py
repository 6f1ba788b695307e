"""The gate of a completed run: when it is judged, and what the verdict makes of the object's status.

Judging is a step of its own after the results are kept: `JudgeGate` reads evidence and judges, and what it
found comes back as a fact. `status.gate.hash` names the gate that the verdict is of, so that a restart judges
nothing again and a changed gate is judged once.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from nemo_eval_operator.evaluator.model import shortened
from nemo_eval_operator.gates import CriterionResult, Judgement, Result
from nemo_eval_operator.lifecycle.conditions import ConditionSet, Outcome, conditions_of
from nemo_eval_operator.lifecycle.steps import JobStep, JudgeGate, WriteStatus, write_or_wait
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    BaselineUsed,
    Condition,
    CriterionStatus,
    EvalJobStatus,
    GateStatus,
    GateVerdict,
    NemoEvalJob,
    Phase,
    Tier,
)

from .baseline import WaitForBaseline
from .gate_hash import gate_hash

__all__ = ["GateFacts", "Judged", "await_verdict", "decide_gate", "new_verdict"]

RECHECK_SECONDS: Final = 60.0
"""Seconds between two checks of a running baseline; its end wakes the jobs that wait for it."""

MAX_NAMED: Final = 3
"""Criteria whose numbers the message has; status.gate has all."""

MAX_CRITERION_CHARACTERS: Final = 400
"""Characters of one criterion's message: status holds up to 50."""

STRENGTH: Final = ("PointEstimate", "Unpaired", "Paired")
"""Kinds of evidence, the weakest first."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Result of judging a gate."""

    judgement: Judgement
    baseline: BaselineUsed | None


@dataclass(frozen=True, slots=True)
class GateFacts:
    """Facts that `JudgeGate` found for the gate with this hash."""

    hash: str
    found: Judged | WaitForBaseline


def await_verdict(job: NemoEvalJob, status: EvalJobStatus, now: datetime) -> EvalJobStatus:
    """Return the status of a run that has just completed: with a gate it is not ready before the verdict."""
    if job.spec.gate is None or job.spec.dry_run:
        return status
    outcome = Outcome(
        ConditionSet.GATE_PENDING, Reason.GATE_PENDING, "the evaluation completed and is being judged"
    )
    return _with(job, status, now, outcome, GateStatus(verdict=GateVerdict.PENDING, hash=gate_hash(job)))


def decide_gate(
    job: NemoEvalJob, facts: GateFacts | None, now: datetime, deadline: datetime | None
) -> JobStep | None:
    """Return the step that the gate of a finished job needs; None where it needs none."""
    if job.status.phase is not Phase.SUCCEEDED or job.spec.dry_run:
        return None
    if job.spec.gate is None:
        return None if job.status.gate is None else WriteStatus(_ungated(job, now))
    known = job.status.gate
    if known is not None and known.hash == gate_hash(job) and known.verdict is not GateVerdict.PENDING:
        return None
    may_wait = deadline is None or now < deadline
    if facts is None or facts.hash != gate_hash(job):
        return JudgeGate(may_wait=may_wait)
    if isinstance(facts.found, Judged):
        return WriteStatus(_judged(job, facts.found, now))
    if not may_wait:
        return JudgeGate(may_wait=False)
    left = RECHECK_SECONDS if deadline is None else min(RECHECK_SECONDS, (deadline - now).total_seconds())
    return write_or_wait(job, _waiting(job, facts.found, now), rest=left)


def new_verdict(before: EvalJobStatus, after: EvalJobStatus) -> GateVerdict | None:
    """Return the verdict that a change of status has brought; None where it has brought none."""
    if after.gate is None or after.gate == before.gate or after.gate.verdict is GateVerdict.PENDING:
        return None
    return after.gate.verdict


def _waiting(job: NemoEvalJob, baseline: WaitForBaseline, now: datetime) -> EvalJobStatus:
    outcome = Outcome(ConditionSet.GATE_PENDING, Reason.WAITING_FOR_BASELINE, baseline.message)
    return _with(job, job.status, now, outcome, GateStatus(verdict=GateVerdict.PENDING, hash=gate_hash(job)))


def _ungated(job: NemoEvalJob, now: datetime) -> EvalJobStatus:
    """The gate was removed: the run is ready because it completed."""
    completed = _completed(job.status)
    message = completed.message if completed else "the evaluation completed"
    return _with(job, job.status, now, Outcome(ConditionSet.COMPLETE, Reason.COMPLETED, message), None)


def _judged(job: NemoEvalJob, found: Judged, now: datetime) -> EvalJobStatus:
    judgement = found.judgement
    standing, reason = {
        Result.PASSED: (ConditionSet.GATE_PASSED, Reason.GATE_PASSED),
        Result.FAILED: (ConditionSet.GATE_FAILED, Reason.GATE_FAILED),
    }.get(
        judgement.verdict,
        (
            ConditionSet.GATE_LET_THROUGH if judgement.passed else ConditionSet.GATE_INCONCLUSIVE,
            Reason.GATE_INCONCLUSIVE,
        ),
    )
    gate = GateStatus(
        verdict=GateVerdict(judgement.verdict),
        hash=gate_hash(job),
        evidence=_weakest(judgement),
        baseline=found.baseline,
        criteria=[_criterion(one) for one in judgement.criteria],
    )
    return _with(job, job.status, now, Outcome(standing, reason, _message(found)), gate)


def _with(
    job: NemoEvalJob, status: EvalJobStatus, now: datetime, outcome: Outcome, gate: GateStatus | None
) -> EvalJobStatus:
    """The status with the gate's conditions; Complete keeps saying what the evaluation came to."""
    generation, previous = job.metadata.generation, job.status.conditions
    conditions = conditions_of(outcome, previous=previous, generation=generation, now=now)
    if completed := _completed(status):
        kept = completed.model_copy(update={"observed_generation": generation})
        conditions = [kept if one.type == kept.type else one for one in conditions]
    return status.model_copy(
        update={
            "observed_generation": generation,
            "message": outcome.message,
            "conditions": conditions,
            "gate": gate,
        }
    )


def _completed(status: EvalJobStatus) -> Condition | None:
    return next((one for one in status.conditions if one.type == "Complete"), None)


def _weakest(judgement: Judgement) -> str | None:
    kinds = [one.evidence for one in judgement.criteria if one.evidence is not None]
    return min(kinds, key=STRENGTH.index).value if kinds else None


def _criterion(one: CriterionResult) -> CriterionStatus:
    known = {name: value for name, value in asdict(one).items() if not _is_infinite(value)}
    message = shortened(one.message, MAX_CRITERION_CHARACTERS)
    return CriterionStatus.model_validate({**known, "message": message})


def _is_infinite(value: object) -> bool:
    """Return whether JSON cannot hold the number: an interval of one item has no bounds."""
    return isinstance(value, float) and not math.isfinite(value)


def _message(found: Judged) -> str:
    """Return `the gate failed: qa/answered/string-check 0.6 against 0.75, … (baseline prod, attempt 1)`."""
    judgement = found.judgement
    required = [one for one in judgement.criteria if one.tier is not Tier.ADVISORY]
    decisive = [one for one in required if _decides(one, judgement.verdict)] or required
    named = "; ".join(
        f"{one.score}: {shortened(one.message, MAX_CRITERION_CHARACTERS)}" for one in decisive[:MAX_NAMED]
    )
    more = f"; and {len(decisive) - MAX_NAMED} more" if len(decisive) > MAX_NAMED else ""
    words = {Result.PASSED: "the gate passed", Result.FAILED: "the gate failed"}
    word = words.get(judgement.verdict, "the gate is inconclusive")
    if judgement.passed and judgement.verdict is Result.INCONCLUSIVE:
        word += ", which spec.gate.onInconclusive lets pass"
    used = found.baseline
    against = f" (baseline {used.name}, attempt {used.attempt})" if used else ""
    return f"{word}: {named}{more}{against}"


def _decides(one: CriterionResult, verdict: Result) -> bool:
    """A failed supporting criterion makes the gate inconclusive."""
    if verdict is Result.INCONCLUSIVE:
        return one.result in {Result.FAILED, Result.INCONCLUSIVE}
    return one.result is verdict

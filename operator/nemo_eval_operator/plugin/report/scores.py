"""Scores of a run with their intervals, by the rules of its gate where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nemo_eval_operator.gates import Evidence, ScoreEvidence, interval_of
from nemo_eval_operator.resources import Direction, GateSpec, NemoEvalJob

from .items import distribution_of
from .model import Score
from .texts import name_text

__all__ = ["Rules", "measured_scores", "rules_of", "scores_in_status", "worst_first"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How scores of a run are read: as its gate says, else as a gate does by default."""

    confidence: float
    minimum_items: int
    directions: Mapping[str, Direction]
    """By the name of the score in the gate, which may be a part of its full name."""

    def direction_of(self, score: str) -> Direction:
        """Return whether higher or lower values of the score TASK/METRIC/SCORE are better."""
        named = (found for name, found in self.directions.items() if _may_mean(name, score))
        return self.directions.get(score) or next(named, Direction.HIGHER)

    def is_of_gate(self, score: str) -> bool:
        """Return whether a criterion of the gate names the score TASK/METRIC/SCORE."""
        return any(_may_mean(name, score) for name in self.directions)


def _may_mean(name: str, score: str) -> bool:
    """Return whether a name in a gate is the score's full name, or a part of it."""
    return f"/{name}/" in f"/{score}/"


def rules_of(job: NemoEvalJob) -> Rules:
    """Return the rules of the run's gate."""
    gate, fields = job.spec.gate, GateSpec.model_fields
    if gate is None:
        return Rules(fields["confidence"].default, fields["minimum_items"].default, {})
    return Rules(gate.confidence, gate.minimum_items, {one.score: one.direction for one in gate.criteria})


def measured_scores(evidence: Evidence, rules: Rules) -> tuple[Score, ...]:
    """Return the scores that evidence has."""
    return tuple(_score(one, rules) for one in evidence.scores)


def _score(found: ScoreEvidence, rules: Rules) -> Score:
    own = interval_of(found, rules.confidence, minimum_items=rules.minimum_items)
    return Score(
        name=name_text(found.name),
        value=found.value,
        low=own.low if own else None,
        high=own.high if own else None,
        items=found.moments.count if found.moments else None,
        items_without_score=found.nan_count,
        distribution=distribution_of(found),
    )


def scores_in_status(job: NemoEvalJob) -> tuple[Score, ...]:
    """Return the scores of status, which have no intervals."""
    return tuple(
        Score(
            name=name_text("/".join((one.task or one.group or "", one.metric, one.score))),
            value=one.value,
            items=one.count,
            items_without_score=one.nan_count or 0,
        )
        for one in job.status.scores or ()
    )


def worst_first(evidence: Evidence | None, rules: Rules) -> ScoreEvidence | None:
    """Return the score that the worst items are chosen by: the gate's first, else the first with items."""
    with_items = [one for one in evidence.scores if one.items] if evidence else []
    named = (one for name in rules.directions for one in with_items if _may_mean(name, one.name))
    return next(named, next(iter(with_items), None))

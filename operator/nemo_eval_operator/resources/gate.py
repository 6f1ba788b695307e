"""spec.gate of a NemoEvalJob: the rules that turn its scores into a decision.

The fields are read here as leniently as those of any object; `gates.policy` has the same rules as a policy
file, and is stricter. The API server checks both: limits by the schema, the rest by CEL.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from nemo_eval_operator.resources.gate_baseline import GateBaseline
from nemo_eval_operator.resources.meta import KubeModel
from nemo_eval_operator.resources.rules import rule, validations

__all__ = [
    "MAX_CRITERIA",
    "Direction",
    "GateCriterion",
    "GateSpec",
    "Tier",
]

MAX_CRITERIA: Final = 50
"""Of one gate: each has a line in status."""

LARGEST: Final = 1e15
"""Of a threshold. The API server compares a whole number with limits as 64-bit integers."""

_DROPS: Final = "has(c.maxDrop) || has(c.maxRelativeDrop)"

Threshold = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Tier(StrEnum):
    """What a criterion's result means for the gate."""

    CRITICAL = "Critical"
    SUPPORTING = "Supporting"
    ADVISORY = "Advisory"


class Direction(StrEnum):
    """Which values of a score are better."""

    HIGHER = "HigherIsBetter"
    LOWER = "LowerIsBetter"


class GateCriterion(KubeModel):
    """Pass criterion for one score."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "has(self.minimum) || has(self.maximum) || has(self.maxDrop) || has(self.maxRelativeDrop)",
                "a criterion needs a rule: set minimum, maximum, maxDrop or maxRelativeDrop",
            ),
            rule(
                "!has(self.minimum) || !has(self.maximum) || self.minimum <= self.maximum",
                "minimum is above maximum: no value can pass",
            ),
            rule(
                "!has(self.relativeDropBelow) || has(self.maxRelativeDrop)",
                "relativeDropBelow has no effect without maxRelativeDrop: remove it, or set maxRelativeDrop",
            ),
            rule(
                "!has(self.by) || self.by == 'Value' || has(self.minimum) || has(self.maximum)",
                ("by: Confidence applies to minimum and maximum: set one of them, or remove it"),
            ),
            rule(
                "!has(self.direction) || self.direction == 'HigherIsBetter'"
                " || has(self.maximum) || !has(self.minimum)",
                "direction LowerIsBetter contradicts minimum: set maximum instead",
            ),
            rule(
                "(has(self.direction) && self.direction == 'LowerIsBetter')"
                " || has(self.minimum) || !has(self.maximum)",
                "direction HigherIsBetter (the default) contradicts maximum: set minimum, or LowerIsBetter",
            ),
        )
    )

    score: str = Field(
        min_length=1,
        max_length=512,
        description=(
            "Name of the score: TASK/METRIC/SCORE as in status.scores, or a part of it that identifies "
            "one score, e.g. qa/answered."
        ),
    )
    tier: Tier = Field(
        Tier.CRITICAL,
        description=(
            "Weight of the criterion: a failed Critical criterion fails the gate, a failed Supporting "
            "one makes it inconclusive, an Advisory one is only reported."
        ),
    )
    direction: Direction = Field(
        Direction.HIGHER, description="Which values are better: HigherIsBetter or LowerIsBetter."
    )
    minimum: Threshold | None = Field(None, description="The lowest value that passes.")
    maximum: Threshold | None = Field(None, description="The highest value that passes.")
    by: Literal["Value", "Confidence"] = Field(
        "Value",
        description=(
            "What minimum and maximum are compared with: Value is the value of the score; Confidence is "
            "the bound of its confidence interval, and inconclusive if the interval contains the "
            "threshold."
        ),
    )
    max_drop: Annotated[float, Field(ge=0, le=LARGEST)] | None = Field(
        None,
        description=(
            "Maximum drop below the baseline, in the unit of the score. Passes if the whole confidence "
            "interval of the change is within it."
        ),
    )
    max_relative_drop: Fraction | None = Field(
        None,
        description=("Maximum drop below the baseline, as a fraction of the baseline's value: 0.05 is 5%."),
    )
    relative_drop_below: Threshold | None = Field(
        None,
        description=(
            "maxRelativeDrop applies only if the baseline's value is lower than this. Absent: it always "
            "applies."
        ),
    )
    max_na_n_fraction: Fraction = Field(
        0.0,
        alias="maxNaNFraction",
        description=("Maximum fraction of items without a score; with more, the criterion is inconclusive."),
    )


class GateSpec(KubeModel):
    """Pass criteria for the scores of the run."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "self.criteria.exists(c, !has(c.tier) || c.tier != 'Advisory')",
                "at least one criterion has to be Critical or Supporting: this gate could not fail",
            ),
            rule(
                f"has(self.baseline) || !self.criteria.exists(c, {_DROPS})",
                "maxDrop and maxRelativeDrop need a baseline: set gate.baseline.jobRef or "
                "gate.baseline.selector",
            ),
            rule(
                f"!has(self.baseline) || self.criteria.exists(c, {_DROPS})",
                "gate.baseline has no effect without a criterion with maxDrop or maxRelativeDrop",
            ),
            rule(
                "!has(self.ifNoBaseline) || self.ifNoBaseline != 'Skip'"
                " || (has(self.baseline) && has(self.baseline.selector))",
                "ifNoBaseline: Skip is for baseline.selector, which may match no job yet; a named job "
                "has to exist",
            ),
        )
    )

    baseline: GateBaseline | None = Field(
        None,
        description=(
            "Run to compare with, for maxDrop and maxRelativeDrop. Absent: only minimum and maximum are "
            "checked."
        ),
    )
    confidence: float = Field(
        0.95,
        description="Confidence level of all intervals, from 0.5 to 0.999.",
        # Not limits of the schema: the API server compares a whole number with their integer part.
        json_schema_extra=validations(
            rule("self >= 0.5 && self <= 0.999", "confidence has to be between 0.5 and 0.999, such as 0.95")
        ),
    )
    minimum_items: int = Field(
        30,
        ge=2,
        le=1_000_000,
        description=(
            "Minimum number of items for a confidence interval of a mean; with fewer items the criterion "
            "is inconclusive. Intervals of scores that are 0 or 1 need fewer."
        ),
    )
    on_inconclusive: Literal["Fail", "Pass"] = Field(
        "Fail",
        description=(
            "Effect of an inconclusive verdict: Fail stops a rollout as a failed gate does; Pass lets it "
            "continue, with Ready=True and reason GateInconclusive."
        ),
    )
    if_no_baseline: Literal["Inconclusive", "Skip"] = Field(
        "Inconclusive",
        description=(
            "Result of drop criteria if the selector matches no job: Inconclusive, or Skip for the first "
            "run of a series."
        ),
    )
    evidence: Literal["Interval", "PointEstimate"] = Field(
        "Interval",
        description=(
            "How a drop is judged if a score has no statistics: Interval makes it inconclusive, "
            "PointEstimate compares the values alone."
        ),
    )
    criteria: tuple[GateCriterion, ...] = Field(
        min_length=1,
        max_length=MAX_CRITERIA,
        description=(
            "Pass criteria, at most one for each score. At least one has to be Critical or Supporting."
        ),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["score"]},
    )

"""What a gate demands: the fields of `spec.gate`, and the policy files of `nel gate` in the same words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from nemo_eval_operator.nemo import JsonObject

__all__ = ["Criterion", "Direction", "Gate", "PolicyInvalid", "Tier", "gate_of"]

Validated = TypeVar("Validated")

Finite = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

MAX_CRITERIA: Final = 100


class PolicyInvalid(Exception):
    """The document is not a gate in any of the accepted forms; the message has the field's path."""


class Tier(StrEnum):
    """What a criterion's result means for the gate."""

    CRITICAL = "Critical"
    SUPPORTING = "Supporting"
    ADVISORY = "Advisory"


class Direction(StrEnum):
    """Which values of a score are better."""

    HIGHER = "HigherIsBetter"
    LOWER = "LowerIsBetter"


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=False
    )


class Criterion(_Model):
    """Rules for one score."""

    score: str = Field(min_length=1, max_length=512)
    tier: Tier = Tier.CRITICAL
    direction: Direction = Direction.HIGHER
    minimum: Finite | None = None
    maximum: Finite | None = None
    by: Literal["Value", "Confidence"] = "Value"
    max_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    max_relative_drop: Fraction | None = None
    relative_drop_below: Finite | None = None
    """The relative rule applies only while the baseline is below this; None: always."""
    max_na_n_fraction: Fraction = Field(default=0.0, alias="maxNaNFraction")

    @property
    def is_compared(self) -> bool:
        """Whether a rule needs a baseline."""
        return self.max_drop is not None or self.max_relative_drop is not None

    @model_validator(mode="after")
    def _has_a_rule(self) -> Self:
        if self.minimum is None and self.maximum is None and not self.is_compared:
            raise ValueError("needs a rule: set minimum, maximum, maxDrop or maxRelativeDrop")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is above maximum: no value can pass")
        if self.relative_drop_below is not None and self.max_relative_drop is None:
            raise ValueError("relativeDropBelow has no effect without maxRelativeDrop")
        if self.direction is Direction.LOWER and self.maximum is None and self.minimum is not None:
            raise ValueError("direction LowerIsBetter contradicts minimum: set maximum instead")
        if self.direction is Direction.HIGHER and self.minimum is None and self.maximum is not None:
            raise ValueError("direction HigherIsBetter contradicts maximum: set minimum, or LowerIsBetter")
        return self


class Gate(_Model):
    """A gate: criteria, and how they are judged."""

    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=MAX_CRITERIA)
    confidence: float = Field(default=0.95, ge=0.5, le=0.999)
    minimum_items: int = Field(default=30, ge=2)
    on_inconclusive: Literal["Fail", "Pass"] = "Fail"
    if_no_baseline: Literal["Inconclusive", "Skip"] = "Inconclusive"
    evidence: Literal["Interval", "PointEstimate"] = "Interval"
    """PointEstimate: a drop is judged by the values alone where a score has no statistics."""
    baseline: JsonValue = None
    """Which NemoEvalJob the cluster compares with; has no effect on files."""

    @model_validator(mode="after")
    def _can_fail(self) -> Self:
        if all(criterion.tier is Tier.ADVISORY for criterion in self.criteria):
            raise ValueError(
                "at least one criterion has to be Critical or Supporting: this gate could not fail"
            )
        names = [criterion.score for criterion in self.criteria]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"score {twice[0]} has two criteria: put all its rules into one")
        return self


class _NelRules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tier: Literal["critical", "supporting", "advisory"] = "supporting"
    max_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.015
    max_relative_drop: Fraction | None = None
    relative_guard_below: Fraction | None = None
    metric: Literal["mean_reward", "pass@1"] = "mean_reward"
    direction: Literal["higher_is_better", "lower_is_better"] = "higher_is_better"


class _NelPolicy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    defaults: JsonObject = Field(default_factory=dict)
    benchmarks: dict[str, JsonObject | None] = Field(min_length=1)


_gate: Final = TypeAdapter(Gate)
_nel: Final = TypeAdapter(_NelPolicy)
_rules: Final = TypeAdapter(_NelRules)


def gate_of(document: JsonValue) -> Gate:
    """Return the gate of a `spec.gate`, a NemoEvalJob or a policy of `nel gate`. Raises PolicyInvalid."""
    match document:
        case {"kind": "NemoEvalJob", "spec": {"gate": gate}}:
            return _validated(_gate, gate, "spec.gate")
        case {"kind": "NemoEvalJob"}:
            raise PolicyInvalid("spec.gate: this NemoEvalJob has no gate")
        case {"spec": {"gate": gate}} | {"gate": gate}:
            return _validated(_gate, gate, "gate")
        case {"benchmarks": _}:
            return _of_nel(_validated(_nel, document, ""))
        case {"criteria": _}:
            return _validated(_gate, document, "")
        case _:
            raise PolicyInvalid("expected a gate with criteria, a NemoEvalJob, or a policy with benchmarks")


def _of_nel(policy: _NelPolicy) -> Gate:
    """Map the words of `nel gate`; a benchmark is the name of a task, a metric that of one of its scores."""
    criteria: list[JsonValue] = []
    for name, rules in policy.benchmarks.items():
        merged = _validated(_rules, {**policy.defaults, **(rules or {})}, f"benchmarks.{name}")
        criteria.append(
            {
                "score": f"{name}/{merged.metric}",
                "tier": merged.tier.capitalize(),
                "direction": "HigherIsBetter" if merged.direction == "higher_is_better" else "LowerIsBetter",
                "maxDrop": merged.max_drop,
                "maxRelativeDrop": merged.max_relative_drop,
                "relativeDropBelow": merged.relative_guard_below,
            }
        )
    return _validated(_gate, {"criteria": criteria}, "benchmarks")


def _validated(adapter: TypeAdapter[Validated], document: JsonValue, path: str) -> Validated:
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise PolicyInvalid(f"{(path + where).lstrip('.') or 'policy'}: {reason}") from error

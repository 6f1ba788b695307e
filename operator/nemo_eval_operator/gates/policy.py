"""What a gate demands: the fields of `spec.gate`, and the policy files of `nel gate` in the same words.

The fields are those of `resources.gate`. Unknown ones are refused here, and so is what the API server
refuses by CEL.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import MAX_CRITERIA, Direction, GateCriterion, GateSpec, Tier
from nemo_eval_operator.validation import first_problem

__all__ = ["Criterion", "Gate", "PolicyInvalid", "gate_of", "gate_of_spec"]

Validated = TypeVar("Validated", bound=BaseModel)

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class PolicyInvalid(Exception):
    """The document is not a gate in any of the accepted forms; the message has the field's path."""


class Criterion(GateCriterion):
    """Rules for one score."""

    model_config = ConfigDict(extra="forbid")

    @property
    def is_compared(self) -> bool:
        """Whether a rule needs a baseline."""
        return self.max_drop is not None or self.max_relative_drop is not None

    @model_validator(mode="after")
    def _has_a_rule(self) -> Self:
        has_bounds = self.minimum is not None or self.maximum is not None
        if not has_bounds and not self.is_compared:
            raise ValueError("needs a rule: set minimum, maximum, maxDrop or maxRelativeDrop")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is above maximum: no value can pass")
        if self.relative_drop_below is not None and self.max_relative_drop is None:
            raise ValueError("relativeDropBelow has no effect without maxRelativeDrop")
        if self.by == "Confidence" and not has_bounds:
            raise ValueError("by: Confidence applies to minimum and maximum: set one of them, or remove it")
        if self.direction is Direction.LOWER and self.maximum is None and self.minimum is not None:
            raise ValueError("direction LowerIsBetter contradicts minimum: set maximum instead")
        if self.direction is Direction.HIGHER and self.minimum is None and self.maximum is not None:
            raise ValueError("direction HigherIsBetter contradicts maximum: set minimum, or LowerIsBetter")
        return self


class Gate(GateSpec):
    """A gate: criteria, and how they are judged. `baseline` has no effect on files."""

    model_config = ConfigDict(extra="forbid")

    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=MAX_CRITERIA)
    confidence: float = Field(default=0.95, ge=0.5, le=0.999)

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


def gate_of(document: JsonValue) -> Gate:
    """Return the gate of a `spec.gate`, a NemoEvalJob or a policy of `nel gate`. Raises PolicyInvalid."""
    match document:
        case {"kind": "NemoEvalJob", "spec": {"gate": gate}}:
            return _validated(Gate, gate, "spec.gate")
        case {"kind": "NemoEvalJob"}:
            raise PolicyInvalid("spec.gate: this NemoEvalJob has no gate")
        case {"spec": {"gate": gate}} | {"gate": gate}:
            return _validated(Gate, gate, "gate")
        case {"benchmarks": _}:
            return _of_nel(_validated(_NelPolicy, document, ""))
        case {"criteria": _}:
            return _validated(Gate, document, "")
        case _:
            raise PolicyInvalid("expected a gate with criteria, a NemoEvalJob, or a policy with benchmarks")


def gate_of_spec(spec: GateSpec) -> Gate:
    """Return the gate of an object. Raises PolicyInvalid for one that the API server should have refused."""
    return _validated(Gate, spec.to_manifest(), "spec.gate")


def _of_nel(policy: _NelPolicy) -> Gate:
    """Map the words of `nel gate`; a benchmark is the name of a task, a metric that of one of its scores."""
    criteria: list[JsonValue] = []
    for name, rules in policy.benchmarks.items():
        merged = _validated(_NelRules, {**policy.defaults, **(rules or {})}, f"benchmarks.{name}")
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
    return _validated(Gate, {"criteria": criteria}, "benchmarks")


def _validated(model: type[Validated], document: JsonValue, path: str) -> Validated:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise PolicyInvalid(first_problem(error, model, root=path)) from error

"""status.gate of a NemoEvalJob: the verdict, and the numbers that it was reached by."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from nemo_eval_operator.resources.gate import MAX_CRITERIA
from nemo_eval_operator.resources.meta import KubeModel

__all__ = ["BaselineUsed", "CriterionStatus", "GateStatus", "GateVerdict"]


class GateVerdict(StrEnum):
    """What the gate says about the run."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    PENDING = "Pending"


class BaselineUsed(KubeModel):
    """The run that this one was compared with; it may have been deleted since."""

    name: str = Field(description="Name of the NemoEvalJob.")
    uid: str = Field(description="Its metadata.uid.")
    attempt: int = Field(ge=1, description="Number of the attempt that was compared with.")
    job_id: str | None = Field(None, description="Id of the attempt's job in NeMo.")
    benchmark_hash: str | None = Field(
        None, description="Hash of the config that the baseline measured, as in its status.benchmark.hash."
    )
    choice: str = Field(
        description=(
            "SHA-256 of the spec.gate.baseline that selected this run; the baseline is selected again "
            "when it changes."
        )
    )
    config_map: str | None = Field(
        None,
        description=(
            "Name of the ConfigMap in this namespace that contains a copy of the baseline's scores of "
            "each item."
        ),
    )
    digest: str | None = Field(None, description="SHA-256 of that copy.")


class CriterionStatus(KubeModel):
    """Result of one criterion, with the numbers behind it."""

    score: str = Field(description="Name of the score, as TASK/METRIC/SCORE if it was found.")
    tier: str = Field(description="Tier of the criterion: Critical, Supporting or Advisory.")
    result: str = Field(description="Result: Passed, Failed, Inconclusive or Skipped.")
    reason: str | None = Field(
        None,
        description=(
            "Why the criterion could not be judged, e.g. ScoreMissing, ItemsDiffer, BenchmarkDiffers; "
            "docs/reference/conditions.md has all."
        ),
    )
    message: str = Field(description="The result in one sentence.")
    value: float | None = Field(None, description="Value of the score in this run.")
    low: float | None = Field(None, description="Lower bound of the value's confidence interval.")
    high: float | None = Field(None, description="Upper bound of the value's confidence interval.")
    baseline: float | None = Field(None, description="Value of the score in the baseline.")
    delta: float | None = Field(None, description="Change: the value of this run minus that of the baseline.")
    delta_low: float | None = Field(None, description="Lower bound of the change's confidence interval.")
    delta_high: float | None = Field(None, description="Upper bound of the change's confidence interval.")
    evidence: str | None = Field(
        None, description="Kind of comparison: Paired by item, Unpaired or PointEstimate."
    )
    items: int | None = Field(
        None, description="Number of items that were compared, or measured if there is no baseline."
    )
    items_needed: int | None = Field(
        None, description="Approximate number of items needed for a decision, if there are too few."
    )


class GateStatus(KubeModel):
    """The verdict of spec.gate on this attempt."""

    verdict: GateVerdict = Field(description="Passed, Failed, Inconclusive, or Pending until it is judged.")
    hash: str = Field(
        description=("SHA-256 of the spec.gate that was judged; the gate is judged again when it changes.")
    )
    evidence: str | None = Field(
        None,
        description=(
            "Weakest kind of comparison among the criteria: Paired by item, Unpaired or PointEstimate."
        ),
    )
    baseline: BaselineUsed | None = Field(None, description="The run that this one was compared with.")
    criteria: list[CriterionStatus] | None = Field(
        None,
        max_length=MAX_CRITERIA,
        description="Result of each criterion.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )

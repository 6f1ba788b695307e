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
    """The run that this one was compared with; it may be deleted later."""

    name: str = Field(description="Name of the NemoEvalJob.")
    uid: str = Field(description="Its metadata.uid.")
    attempt: int = Field(ge=1, description="Its attempt that was compared with.")
    job_id: str | None = Field(None, description="Id of that attempt's job in NeMo.")
    benchmark_hash: str | None = Field(
        None, description="Hash of the config that it measured, as in its status.benchmark.hash."
    )
    choice: str = Field(description="SHA-256 of spec.gate.baseline that chose it; another one chooses again.")
    config_map: str | None = Field(
        None, description="ConfigMap in this namespace that holds a copy of its evidence."
    )
    digest: str | None = Field(None, description="SHA-256 of that evidence.")


class CriterionStatus(KubeModel):
    """What was found for one criterion, with the numbers that it was judged by."""

    score: str = Field(description="The score, as TASK/METRIC/SCORE where it was found.")
    tier: str = Field(description="The criterion's tier.")
    result: str = Field(description="Passed, Failed, Inconclusive or Skipped.")
    reason: str | None = Field(
        None, description="Why it could not be judged, e.g. ScoreMissing, ItemsDiffer, BenchmarkDiffers."
    )
    message: str = Field(description="The result in a sentence.")
    value: float | None = Field(None, description="Value of this run.")
    low: float | None = Field(None, description="Lower bound of its confidence interval.")
    high: float | None = Field(None, description="Upper bound of its confidence interval.")
    baseline: float | None = Field(None, description="Value of the baseline.")
    delta: float | None = Field(None, description="This run minus baseline.")
    delta_low: float | None = Field(None, description="Lower bound of the change's confidence interval.")
    delta_high: float | None = Field(None, description="Upper bound of the change's confidence interval.")
    evidence: str | None = Field(
        None, description="What the comparison stands on: Paired, Unpaired or PointEstimate."
    )
    items: int | None = Field(None, description="Items compared, or measured where nothing is compared.")
    items_needed: int | None = Field(
        None, description="About how many items would decide, where this many do not."
    )


class GateStatus(KubeModel):
    """The verdict of spec.gate on this attempt."""

    verdict: GateVerdict = Field(description="Passed, Failed, Inconclusive, or Pending until it is judged.")
    hash: str = Field(
        description="SHA-256 of the spec.gate that the verdict is of; another gate is judged again."
    )
    evidence: str | None = Field(
        None,
        description=(
            "The weakest evidence that a comparison stands on: Paired by item, Unpaired or PointEstimate."
        ),
    )
    baseline: BaselineUsed | None = Field(None, description="The run that this one was compared with.")
    criteria: list[CriterionStatus] | None = Field(
        None,
        max_length=MAX_CRITERIA,
        description="What was found for each criterion.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )

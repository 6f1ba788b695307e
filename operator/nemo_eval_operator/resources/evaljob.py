"""NemoEvalJob: one run of one benchmark against one model.

Its words are batch/v1 Job's where Job has them (suspend, activeDeadlineSeconds, ttlSecondsAfterFinished) and
NeMo's where NeMo has them (config, target, sampling parameters).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from nemo_eval_operator.resources.evaljob_spec import EvalJobSpec
from nemo_eval_operator.resources.evaljob_status import EvalJobStatus
from nemo_eval_operator.resources.meta import API_VERSION, KubeModel, ObjectMeta
from nemo_eval_operator.resources.printing import Column
from nemo_eval_operator.resources.rules import (
    rule,
    validations,
)


class NemoEvalJob(KubeModel):
    """NemoEvalJob is one run of a benchmark against a model in NeMo Evaluator."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "!has(self.status) || !has(self.status.completionTime)"
                " || !(has(self.spec.cancel) && self.spec.cancel)"
                " || (has(oldSelf.spec.cancel) && oldSelf.spec.cancel)",
                (
                    "spec.cancel cannot be set after the run has ended (status.completionTime): there is "
                    "nothing to cancel. Delete the object if it is no longer needed"
                ),
            )
        )
    )

    PLURAL: ClassVar[str] = "nemoevaljobs"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("nejob",)
    SELECTABLE: ClassVar[tuple[str, ...]] = (".status.phase", ".status.model", ".spec.benchmarkRef.name")
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Phase", ".status.phase", "Phase of the run"),
        Column("Progress", ".status.progress.percentage", "Percent done"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Reason of the condition Ready"),
        Column("Score", ".status.score", "The scores in one line"),
        Column("Verdict", ".status.gate.verdict", "Verdict of spec.gate"),
        Column("Model", ".status.model", "The model that is evaluated"),
        Column("Benchmark", ".spec.benchmarkRef.name", "The NemoBenchmark that is run"),
        Column("Age", ".metadata.creationTimestamp", "Time since it was created", type="date"),
        Column("Job", ".status.jobId", "Id of the job in NeMo", priority=1),
        Column("Duration", ".status.duration", "How long the run took", priority=1),
        Column("Priority", ".spec.priority", "Priority among waiting jobs", type="integer", priority=1),
    )

    api_version: Literal["evaluator.nemo.dev/v1alpha1"] = API_VERSION
    kind: Literal["NemoEvalJob"] = "NemoEvalJob"
    metadata: ObjectMeta
    spec: EvalJobSpec = Field(description="Desired state of the run.")
    status: EvalJobStatus = Field(
        default_factory=EvalJobStatus, description="Observed state of the run; read-only."
    )

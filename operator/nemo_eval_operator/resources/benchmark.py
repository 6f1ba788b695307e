"""NemoBenchmark: an evaluation config, kept in NeMo Evaluator for jobs to refer to."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from nemo_eval_operator.nemo import EvaluationConfig
from nemo_eval_operator.resources.evaluator import EvaluatorRef, EvaluatorUsed
from nemo_eval_operator.resources.meta import (
    API_VERSION,
    Conditions,
    KubeModel,
    ObjectMeta,
    ObservedGeneration,
)
from nemo_eval_operator.resources.printing import Column
from nemo_eval_operator.resources.rules import fit_for_path, immutable, rule, tasks_need_metrics, validations
from nemo_eval_operator.resources.values import ConfigMapVersion, SecretVersion, ValuesFrom

_RENAMED = (
    "spec.config.{0} is immutable, because changing it would orphan the config in NeMo: create a new "
    "NemoBenchmark, then delete this one"
)

_MOVED = (
    "spec.evaluatorRef is immutable, because changing it would orphan the config in NeMo: create a new "
    "NemoBenchmark, then delete this one"
)


class BenchmarkDeletionPolicy(StrEnum):
    """What happens to the config in NeMo when the object is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class BenchmarkSpec(KubeModel):
    """Desired state of the benchmark."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            immutable("evaluatorRef", _MOVED),
            rule(
                "!has(self.valuesFrom) || self.valuesFrom.all(v, !v.targetPath.startsWith('config.'))",
                (
                    "targetPath is relative to spec.config: drop the leading config., e.g. write "
                    "params.extra.hf_token"
                ),
            ),
        )
    )

    config: EvaluationConfig = Field(
        description=(
            "Evaluation config, with the fields of NeMo Evaluator's API, so examples from NVIDIA's "
            "documentation can be pasted here. name and namespace default to those of this object and "
            "are immutable."
        ),
        json_schema_extra=validations(
            fit_for_path("name"),
            fit_for_path("namespace"),
            immutable("name", _RENAMED.format("name")),
            immutable("namespace", _RENAMED.format("namespace")),
            tasks_need_metrics(),
        ),
    )
    evaluator_ref: EvaluatorRef | None = Field(
        None,
        description=(
            "The NemoEvaluatorConnection whose evaluator stores the config. Absent: the default "
            "connection of this namespace or, if there is none, the operator's NVIDIA_EVALUATOR_URL. "
            "Immutable."
        ),
    )
    values_from: ValuesFrom = Field(default_factory=list)
    deletion_policy: BenchmarkDeletionPolicy = Field(
        BenchmarkDeletionPolicy.DELETE,
        description=(
            "What happens to the config in NeMo when this object is deleted: Delete removes it, Orphan "
            "keeps it."
        ),
    )


class BenchmarkStatus(KubeModel):
    """Observed state of the benchmark."""

    observed_generation: ObservedGeneration = None
    conditions: Conditions = Field(
        default_factory=list,
        description=(
            "Conditions of the benchmark: Ready always; Reconciling, Stalled and ConfigInUse only while "
            "they are true."
        ),
    )
    evaluator: EvaluatorUsed | None = Field(None, description="The evaluator that stores the config.")
    config: str | None = Field(None, description="Name of the config in NeMo, as NAMESPACE/NAME.")
    config_id: str | None = Field(
        None, description="Id of the config in NeMo, e.g. eval-config-6pTREGQfYHFQzq7oWHATgt."
    )
    config_generation: int | None = Field(
        None,
        description=(
            "The metadata.generation of this object whose config the evaluator stores; lower than "
            "metadata.generation until an edit has been sent."
        ),
    )
    config_digest: str | None = Field(
        None,
        description=(
            "Digest of the config, both as sent and as stored by the evaluator, without values of "
            "Secrets. It is compared before each job, to detect changes made in the evaluator."
        ),
    )
    secrets: list[SecretVersion] | None = Field(
        None,
        description=(
            "Versions of the valuesFrom Secrets whose values were last sent to the evaluator. When a "
            "Secret changes, the config is sent again."
        ),
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    config_maps: list[ConfigMapVersion] | None = Field(
        None,
        description=(
            "Versions of the ConfigMaps whose rows were last sent to the evaluator. When a ConfigMap "
            "changes, the config is sent again."
        ),
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    message: str | None = Field(
        None, description="Human-readable summary of the current state, in one sentence."
    )


class NemoBenchmark(KubeModel):
    """NemoBenchmark is an evaluation config, stored in NeMo Evaluator for NemoEvalJobs to refer to."""

    PLURAL: ClassVar[str] = "nemobenchmarks"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("nbench",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Type", ".spec.config.type", "Evaluation type"),
        Column("Config", ".status.config", "The config in NeMo, as NAMESPACE/NAME"),
        Column(
            "Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether jobs can use the benchmark"
        ),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Reason of the condition Ready"),
        Column("Age", ".metadata.creationTimestamp", "Time since it was created", type="date"),
        Column("Evaluator", ".status.evaluator.url", "The evaluator that stores the config", priority=1),
        Column("Message", ".status.message", "Summary of the current state", priority=1),
    )

    api_version: Literal["evaluator.nemo.dev/v1alpha1"] = API_VERSION
    kind: Literal["NemoBenchmark"] = "NemoBenchmark"
    metadata: ObjectMeta
    spec: BenchmarkSpec = Field(description="Desired state of the benchmark.")
    status: BenchmarkStatus = Field(
        default_factory=BenchmarkStatus, description="Observed state of the benchmark; read-only."
    )

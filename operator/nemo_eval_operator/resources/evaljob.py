"""NemoEvalJob: one run of one benchmark against one model.

Its words are batch/v1 Job's where Job has them (suspend, activeDeadlineSeconds, ttlSecondsAfterFinished) and
NeMo's where NeMo has them (config, target, sampling parameters).
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from nemo_eval_operator.nemo import EvaluationConfig, EvaluationTarget, SamplingParams
from nemo_eval_operator.resources.evaljob_status import EvalJobStatus
from nemo_eval_operator.resources.evaluator import EvaluatorRef
from nemo_eval_operator.resources.gate import GateSpec
from nemo_eval_operator.resources.meta import API_VERSION, DNS_SUBDOMAIN, KubeModel, ObjectMeta
from nemo_eval_operator.resources.printing import Column
from nemo_eval_operator.resources.rules import (
    Rule,
    exactly_one,
    immutable,
    rule,
    tasks_need_metrics,
    validations,
)
from nemo_eval_operator.resources.values import ValuesFrom

MAX_SECONDS: Final = 2**31 - 1
"""68 years: "for ever" to whoever writes it, and still a time that can be added to a date."""

MAX_SAMPLES: Final = 2**31 - 1
"""Limit of spec.limitSamples: the largest number of a signed 32-bit integer."""


class JobDeletionPolicy(StrEnum):
    """What happens to the job in NeMo when the object is deleted."""

    CANCEL = "Cancel"
    DELETE = "Delete"
    ORPHAN = "Orphan"


class BenchmarkRef(KubeModel):
    """A NemoBenchmark in the namespace of the job."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Name of a NemoBenchmark in the namespace of this job.",
    )


def _another(field: str, purpose: str) -> Rule:
    return immutable(field, f"spec.{field} is immutable: create a new NemoEvalJob to {purpose}")


def _target_needs(field: str, what: str) -> Rule:
    # CEL gives no type to a field that is text or an object (model, dataset), so only dyn(self) has it.
    return rule(
        f"self.type != '{field}' || has(dyn(self).{field})",
        f"target.type {field} needs target.{field}: add {what}, or correct the type",
    )


class EvalJobSpec(KubeModel):
    """What to run.

    All of it is immutable but the means to steer a run (suspend, cancel, deadlines, policies) and the gate.
    """

    model_config = ConfigDict(
        json_schema_extra=validations(
            exactly_one(
                "benchmarkRef",
                "config",
                (
                    "set exactly one of spec.benchmarkRef (a NemoBenchmark) and spec.config (a config "
                    "written in place)"
                ),
            ),
            exactly_one(
                "model",
                "target",
                "set exactly one of spec.model (a model by name) and spec.target (a target of NeMo in full)",
            ),
            _another("benchmarkRef", "run another benchmark"),
            _another("config", "run another config"),
            _another("model", "evaluate another model"),
            _another("target", "evaluate another target"),
            _another("samplingParams", "sample in another way"),
            _another("limitSamples", "evaluate another number of samples"),
            _another("dryRun", "run all samples, or only one"),
            rule(
                "!has(self.dryRun) || !self.dryRun || !has(self.limitSamples)",
                "spec.dryRun evaluates one sample of each task: remove spec.limitSamples",
            ),
            rule(
                "!has(self.dryRun) || !self.dryRun || !has(self.gate)",
                "spec.dryRun evaluates one sample, which decides nothing: remove spec.gate",
            ),
            _another("valuesFrom", "use other Secrets"),
            _another("evaluatorRef", "run it on another evaluator"),
            rule(
                "!(has(oldSelf.cancel) && oldSelf.cancel) || (has(self.cancel) && self.cancel)",
                "spec.cancel cannot be taken back: create a new NemoEvalJob to run the evaluation again",
            ),
            rule(
                "!has(self.valuesFrom) || self.valuesFrom.all(v, v.targetPath.startsWith('config.')"
                " || v.targetPath.startsWith('target.'))",
                (
                    "targetPath of a NemoEvalJob says which part it fills: start it with config. or target., "
                    "e.g. config.params.extra.hf_token"
                ),
            ),
        )
    )

    benchmark_ref: BenchmarkRef | None = Field(
        None,
        description="The NemoBenchmark to run. Exactly one of benchmarkRef and config is set. Immutable.",
    )
    config: EvaluationConfig | None = Field(
        None,
        description=(
            "Evaluation config of NeMo Evaluator, word for word, for a run without a NemoBenchmark. "
            "Exactly one of benchmarkRef and config is set. Immutable. NAMESPACE/NAME is not accepted: to "
            "run a config that exists in the evaluator, create a NemoBenchmark with its namespace, name and "
            "contents in spec.config and the annotation evaluator.nemo.dev/adopt=true, and refer to that by "
            "benchmarkRef."
        ),
        json_schema_extra=validations(tasks_need_metrics()),
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description=(
            "Name of the model to evaluate, as NeMo knows it, e.g. meta/llama-3.1-8b-instruct; short for "
            "target {type: model, model: NAME}. Exactly one of model and target is set. Immutable."
        ),
    )
    target: EvaluationTarget | None = Field(
        None,
        description=(
            "Evaluation target of NeMo Evaluator, word for word: what NVIDIA's documentation shows can "
            "be pasted. Exactly one of model and target is set. Immutable. NAMESPACE/NAME is not accepted, "
            "as targets in the evaluator do not say who may use them: write the target's fields here, or "
            "only the model's name in spec.model."
        ),
        json_schema_extra=validations(
            _target_needs("model", "the model's name or its api_endpoint"),
            _target_needs("cached_outputs", "the files_url of the answers"),
            _target_needs("retriever", "its pipeline, cached_outputs or dataset"),
            _target_needs("rag", "its pipeline, cached_outputs or dataset"),
            _target_needs("rows", "the rows"),
            _target_needs("dataset", "the data set's files_url, configMapRef or name"),
        ),
    )
    sampling_params: SamplingParams | None = Field(
        None, description="Sampling parameters that override those of the benchmark in this run. Immutable."
    )
    limit_samples: int | None = Field(
        None,
        ge=1,
        le=MAX_SAMPLES,
        description=(
            "Evaluate at most this many samples of each task in this run, instead of the benchmark's "
            "params.limit_samples; a data set's own limit still holds. status.benchmark.limitSamples and the "
            "message of the finished job show it. Scores of fewer samples are not comparable with those of "
            "all. Immutable."
        ),
    )
    dry_run: bool = Field(
        False,
        description=(
            "If true, evaluate one sample of each task only, to find out before the hours of a whole run "
            "whether config, data, model, judge and metrics work together. The job runs as any other, and "
            "its status and results are marked as a dry run: its scores are not results of the benchmark. "
            "Create another NemoEvalJob for the whole run. Not together with limitSamples. Immutable."
        ),
    )
    evaluator_ref: EvaluatorRef | None = Field(
        None,
        description=(
            "The NemoEvaluatorConnection to run on; with a benchmarkRef it has to be the benchmark's. "
            "Absent: the benchmark's; for a config in place the namespace's default, else the operator's "
            "NVIDIA_EVALUATOR_URL. Immutable."
        ),
    )
    values_from: ValuesFrom = Field(default_factory=list)
    gate: GateSpec | None = Field(
        None,
        description=(
            "Rules that decide whether the run is good enough: thresholds for its scores, and how much they "
            "may drop against a baseline. Its verdict is in status.gate and the condition GatePassed, and "
            "Ready=True needs it. Changing the gate judges the run again and runs nothing."
        ),
    )
    suspend: bool = Field(
        False,
        description=(
            "If true, nothing is submitted to the evaluator until it is set to false. Unlike the pods of a "
            "batch/v1 Job, a run that is already submitted goes on: the evaluator cannot pause it, and to "
            "stop it would throw its work away; cancel does that."
        ),
    )
    cancel: bool = Field(
        False,
        description=(
            "Set to true to cancel the run for good: it cannot be taken back, and a rerun that is asked for "
            "later is ignored with the event RerunIgnored. Once the run has ended, setting it is refused; "
            "applying a manifest again that had it set already is not."
        ),
    )
    active_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=MAX_SECONDS,
        description=(
            "Seconds from startTime after which a run that is not finished is cancelled and has failed, "
            "retries and the waits before them included. Absent: no limit."
        ),
    )
    backoff_limit: int = Field(
        0,
        ge=0,
        le=100,
        description=(
            "How often a failed run is submitted again, after 10, 20, 40 s and so on, at most six minutes. "
            "Only failures and refusals that the evaluator blames on infrastructure count, such as a model "
            "that cannot be reached, and failures of a job whose submission got no answer; a failed "
            "evaluation is a result. Evaluations are expensive, so the default is 0 (no retries)."
        ),
    )
    ttl_seconds_after_finished: int | None = Field(
        None,
        ge=0,
        le=MAX_SECONDS,
        description=(
            "Seconds after which a finished job object is deleted. Objects that Argo CD, Flux or Helm "
            "own are kept: they would be created again, and run again. Absent: kept until you delete it."
        ),
    )
    priority: int = Field(
        0,
        ge=-1_000_000,
        le=1_000_000,
        description=(
            "Of the jobs that wait to be submitted in a namespace, those of higher priority go first; "
            "among equals the older."
        ),
    )
    poll_interval_seconds: float | None = Field(
        None,
        ge=1,
        le=3600,
        description=(
            "Seconds between two looks at the running job. Absent: about 2 s at first, slower with its age."
        ),
    )
    cancel_timeout_seconds: int = Field(
        60,
        ge=0,
        le=3600,
        description=(
            "Seconds that the deletion of this object waits for the run to end, before it lets go and "
            "names the job left behind in an event and a metric."
        ),
    )
    deletion_policy: JobDeletionPolicy = Field(
        JobDeletionPolicy.CANCEL,
        description=(
            "What happens to the job in NeMo when this object is deleted: Cancel it if it is running and "
            "keep its record, Delete it there too, or Orphan it as it is."
        ),
    )


class NemoEvalJob(KubeModel):
    """NemoEvalJob is one run of a benchmark against a model, by NeMo Evaluator."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "!has(self.status) || !has(self.status.completionTime)"
                " || !(has(self.spec.cancel) && self.spec.cancel)"
                " || (has(oldSelf.spec.cancel) && oldSelf.spec.cancel)",
                (
                    "spec.cancel cannot be set once the run has ended (status.completionTime): nothing is "
                    "left to cancel, and no rerun could follow. Delete the object if it is not needed "
                    "any more"
                ),
            )
        )
    )

    PLURAL: ClassVar[str] = "nemoevaljobs"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("nejob",)
    SELECTABLE: ClassVar[tuple[str, ...]] = (".status.phase", ".status.model", ".spec.benchmarkRef.name")
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Phase", ".status.phase", "Where the run stands"),
        Column("Progress", ".status.progress.percentage", "Percent done"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why the run stands there"),
        Column("Score", ".status.score", "The scores in one line"),
        Column("Verdict", ".status.gate.verdict", "What spec.gate says about the scores"),
        Column("Model", ".status.model", "The model that is evaluated"),
        Column("Benchmark", ".spec.benchmarkRef.name", "The NemoBenchmark that is run"),
        Column("Age", ".metadata.creationTimestamp", "Time since it was created", type="date"),
        Column("Job", ".status.jobId", "Id of the job in NeMo", priority=1),
        Column("Duration", ".status.duration", "How long the run took", priority=1),
        Column("Priority", ".spec.priority", "Rank among waiting jobs", type="integer", priority=1),
    )

    api_version: Literal["evaluator.nemo.dev/v1alpha1"] = API_VERSION
    kind: Literal["NemoEvalJob"] = "NemoEvalJob"
    metadata: ObjectMeta
    spec: EvalJobSpec = Field(description="What to run.")
    status: EvalJobStatus = Field(
        default_factory=EvalJobStatus, description="Where the run stands; written by the operator, read-only."
    )

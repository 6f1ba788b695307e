"""Spec of a NemoEvalJob: what is run, and how the run is steered.

Its words are batch/v1 Job's where Job has them (suspend, activeDeadlineSeconds, ttlSecondsAfterFinished) and
NeMo's where NeMo has them (config, target, sampling parameters).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import ConfigDict, Field

from nemo_eval_operator.nemo import EvaluationConfig, EvaluationTarget, SamplingParams
from nemo_eval_operator.resources.evaluator import EvaluatorRef
from nemo_eval_operator.resources.gate import GateSpec
from nemo_eval_operator.resources.meta import DNS_SUBDOMAIN, KubeModel
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
"""Upper limit of durations, in seconds (68 years): large enough to mean "no limit", small enough to add to
a date.
"""

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
                (
                    "spec.cancel cannot be set back to false: create a new NemoEvalJob to run the evaluation "
                    "again"
                ),
            ),
            rule(
                "!has(self.valuesFrom) || self.valuesFrom.all(v, v.targetPath.startsWith('config.')"
                " || v.targetPath.startsWith('target.'))",
                (
                    "targetPath of a NemoEvalJob starts with config. or target., e.g. "
                    "config.params.extra.hf_token"
                ),
            ),
        )
    )

    benchmark_ref: BenchmarkRef | None = Field(
        None,
        description=(
            "The NemoBenchmark to run. Exactly one of benchmarkRef and config is required. Immutable."
        ),
    )
    config: EvaluationConfig | None = Field(
        None,
        description=(
            "Evaluation config, with the fields of NeMo Evaluator's API, for a run without a "
            "NemoBenchmark. Exactly one of benchmarkRef and config is required. Immutable. A name "
            "(NAMESPACE/NAME) is not accepted: to run a config that already exists in the evaluator, "
            "create a NemoBenchmark with its namespace, name and contents in spec.config and the "
            "annotation evaluator.nemo.dev/adopt=true, and use benchmarkRef."
        ),
        json_schema_extra=validations(tasks_need_metrics()),
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description=(
            "Name of a model that is registered in NeMo, e.g. meta/llama-3.1-8b-instruct; short for "
            "target {type: model, model: NAME}. Exactly one of model and target is required. Immutable."
        ),
    )
    target: EvaluationTarget | None = Field(
        None,
        description=(
            "Evaluation target, with the fields of NeMo Evaluator's API, so examples from NVIDIA's "
            "documentation can be pasted here. Exactly one of model and target is required. Immutable. A "
            "name (NAMESPACE/NAME) is not accepted, because targets in the evaluator do not record who "
            "may use them: write the fields of the target here, or only the model's name in spec.model."
        ),
        json_schema_extra=validations(
            _target_needs("model", "the model's name or its api_endpoint"),
            _target_needs("cached_outputs", "the files_url of the answers"),
            _target_needs("retriever", "its pipeline, cached_outputs or dataset"),
            _target_needs("rag", "its pipeline, cached_outputs or dataset"),
            _target_needs("rows", "the rows"),
            _target_needs("dataset", "the dataset's files_url, configMapRef or name"),
        ),
    )
    sampling_params: SamplingParams | None = Field(
        None,
        description="Sampling parameters of this run; they override those of the benchmark. Immutable.",
    )
    limit_samples: int | None = Field(
        None,
        ge=1,
        le=MAX_SAMPLES,
        description=(
            "Maximum number of samples of each task in this run, instead of the benchmark's "
            "params.limit_samples; the limit of a dataset still applies. It is shown in "
            "status.benchmark.limitSamples and in the message of the finished job. Scores of fewer "
            "samples are not comparable with scores of all samples. Immutable."
        ),
    )
    dry_run: bool = Field(
        False,
        description=(
            "If true, evaluate only one sample of each task, to check config, data, model, judge and "
            "metrics before a long run. Status and results are marked as a dry run and are not results "
            "of the benchmark: create another NemoEvalJob for the full run. Cannot be combined with "
            "limitSamples or gate. Immutable."
        ),
    )
    evaluator_ref: EvaluatorRef | None = Field(
        None,
        description=(
            "The NemoEvaluatorConnection to run on. Absent: the benchmark's; for spec.config, the "
            "default connection of this namespace or, if there is none, the operator's "
            "NVIDIA_EVALUATOR_URL. With benchmarkRef, it has to be the benchmark's connection. "
            "Immutable."
        ),
    )
    values_from: ValuesFrom = Field(default_factory=list)
    gate: GateSpec | None = Field(
        None,
        description=(
            "Pass criteria for the scores: thresholds, and the largest allowed drop compared with a "
            "baseline run. The verdict is shown in status.gate and in the condition GatePassed; Ready is "
            "not True while the gate holds the run back. Editing the gate judges the existing results "
            "again and does not start a run."
        ),
    )
    suspend: bool = Field(
        False,
        description=(
            "If true, the run is not submitted to the evaluator until suspend is set to false. A run "
            "that is already submitted continues, since the evaluator cannot pause it; use cancel to "
            "stop it."
        ),
    )
    cancel: bool = Field(
        False,
        description=(
            "Set to true to cancel the run. It cannot be set back to false, and later reruns are ignored "
            "with the event RerunIgnored. Once the run has ended, the API server rejects setting it."
        ),
    )
    active_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=MAX_SECONDS,
        description=(
            "Seconds after status.startTime after which an unfinished run is cancelled and fails; "
            "retries and the delays before them count. Absent: no limit."
        ),
    )
    backoff_limit: int = Field(
        0,
        ge=0,
        le=100,
        description=(
            "Number of retries after a failure that the evaluator attributes to infrastructure, such as "
            "an unreachable model; a failed evaluation is a result and is not retried. Retries wait 10s, "
            "20s, 40s and so on, at most 6m. Evaluations are expensive, so the default is 0 (no "
            "retries)."
        ),
    )
    ttl_seconds_after_finished: int | None = Field(
        None,
        ge=0,
        le=MAX_SECONDS,
        description=(
            "Seconds after which a finished NemoEvalJob is deleted, together with its results ConfigMap. "
            "Ignored for objects managed by Argo CD, Flux or Helm, which would create the object again "
            "and so repeat the run. Absent: the object is kept."
        ),
    )
    priority: int = Field(
        0,
        ge=-1_000_000,
        le=1_000_000,
        description=(
            "Priority among the jobs of this namespace that wait to be submitted: higher values first, "
            "then the oldest."
        ),
    )
    poll_interval_seconds: float | None = Field(
        None,
        ge=1,
        le=3600,
        description=(
            "Seconds between two polls of the running job. Absent: the interval of the connection, else "
            "of the operator (about 2 seconds at first, longer for older jobs)."
        ),
    )
    cancel_timeout_seconds: int = Field(
        60,
        ge=0,
        le=3600,
        description=(
            "Seconds to wait for the remote job to end when this object is deleted. After that the "
            "object is removed, and an event and a metric report the job that may still be running."
        ),
    )
    deletion_policy: JobDeletionPolicy = Field(
        JobDeletionPolicy.CANCEL,
        description=(
            "What happens to the job in NeMo when this object is deleted: Cancel stops it if it is "
            "running and keeps its record; Delete also deletes the record; Orphan does not change it."
        ),
    )

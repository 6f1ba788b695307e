"""The status of a NemoEvalJob: where the run stands, for people, scripts and the operator's own memory.

Small on purpose: it lives in etcd and every write wakes all watchers. The results in full are elsewhere
(`resultsRef`).
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from nemo_eval_operator.resources.evaluator import EvaluatorUsed
from nemo_eval_operator.resources.gate_status import GateStatus
from nemo_eval_operator.resources.meta import Conditions, KubeModel, ObservedGeneration, Timestamp


class Phase(StrEnum):
    """Where a run stands, for people; machines go by the conditions."""

    PENDING = "Pending"
    SUBMITTING = "Submitting"
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SUSPENDED = "Suspended"


class Submission(KubeModel):
    """The intent to create a job in NeMo. It is recorded before the request is sent."""

    nonce: str = Field(
        description="Random value in the custom_fields of the job in NeMo that identifies this attempt."
    )
    time: Timestamp = Field(description="Time at which the intent was written, with microseconds.")


class MeasuredConfig(KubeModel):
    """The config that an attempt was submitted with, whatever has become of the benchmark since."""

    name: str | None = Field(
        None, description="Name of the NemoBenchmark; absent if the config is written in spec.config."
    )
    generation: int = Field(
        description=(
            "The metadata.generation of the NemoBenchmark when the attempt was submitted; of this "
            "NemoEvalJob if the config is written in spec.config."
        )
    )
    hash: str = Field(
        description=(
            "SHA-256 of the config with samplingParams and limitSamples applied, as JSON with sorted "
            "keys, without its name, namespace and credentials. Runs with equal hashes measured the "
            "same. It equals the sha256sum of config.json in the results ConfigMap."
        )
    )
    config: str | None = Field(
        None,
        description=(
            "The hashed config, kept here until it is stored in the results ConfigMap; absent if larger "
            "than 64 KiB."
        ),
    )
    limit_samples: int | None = Field(
        None,
        description=(
            "Maximum number of samples of each task, from spec.limitSamples or params.limit_samples of "
            "the config. Absent: no limit."
        ),
    )


class AttemptRecord(KubeModel):
    """An earlier attempt that was followed by another one."""

    number: int = Field(ge=1, description="Number of the attempt, starting at 1.")
    job_id: str | None = Field(
        None, description="Id of the attempt's job in NeMo; absent if none was created."
    )
    outcome: str = Field(description="How the attempt ended: the reason of its conditions.")
    start_time: Timestamp | None = Field(None, description="Time at which the attempt was submitted.")
    completion_time: Timestamp = Field(description="Time at which the attempt ended.")
    evaluator: EvaluatorUsed | None = Field(None, description="The evaluator that ran the attempt.")


class Progress(KubeModel):
    """Progress as reported by the evaluator; many evaluation types report none."""

    percent: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Completed share in percent. It can be 100 while results are still being collected.",
    )
    percentage: str | None = Field(
        None, description="The percent with a percent sign, for kubectl get, e.g. 40%."
    )
    samples_processed: int | None = Field(None, ge=0, description="Number of samples evaluated so far.")


class Score(KubeModel):
    """One score of the run."""

    task: str | None = Field(None, description="Name of the task; absent for scores of a group.")
    group: str | None = Field(None, description="Name of the group; absent for scores of a task.")
    metric: str = Field(description="Name of the metric in the config.")
    score: str = Field(description="Name of the score within the metric, e.g. bleu_score.")
    value: float = Field(description="Value of the score, in the metric's own scale.")
    count: int | None = Field(None, description="Number of samples that the score was computed from.")
    stddev: float | None = Field(None, description="Standard deviation over the samples.")
    stderr: float | None = Field(None, description="Standard error of the value.")
    nan_count: int | None = Field(
        None, description="Number of samples without a value (NaN), which were left out."
    )


class EvidenceRef(KubeModel):
    """Where the per-item scores are stored that gates compare."""

    config_map: str = Field(
        description="Name of the ConfigMap in this namespace that contains the scores of each item."
    )
    digest: str = Field(description="SHA-256 of that content; gates do not use content with another digest.")


class ResultsRef(KubeModel):
    """Where the full results are stored."""

    config_map: str | None = Field(
        None, description="Name of the ConfigMap in this namespace that contains the results as JSON."
    )
    key: str | None = Field(None, description="Key within the ConfigMap.")
    url: str | None = Field(None, description="URL at which the evaluator serves the results.")
    truncated: bool | None = Field(
        None,
        description="True if the results are too large for a ConfigMap; only url then has all of them.",
    )


class EvalJobStatus(KubeModel):
    """Observed state of the run."""

    observed_generation: ObservedGeneration = None
    phase: Phase | None = Field(
        None,
        description=(
            "Summary of the run's state for people; scripts should use the conditions. Pending means "
            "that the run is not submitted yet, or is queued in the evaluator (reason "
            "QueuedInEvaluator)."
        ),
    )
    message: str | None = Field(
        None, description="Human-readable summary of the current state, in one sentence."
    )
    model: str | None = Field(None, description="Name of the evaluated model, or the type of the target.")
    queue_position: int | None = Field(
        None,
        ge=1,
        description=(
            "Approximate position among the jobs that wait for a free slot of the evaluator, rounded up "
            "to 1, 3, 10, 30 and so on to limit status updates."
        ),
    )
    attempt: int | None = Field(
        None,
        ge=0,
        description="Number of the current attempt; each attempt creates at most one job in NeMo.",
    )
    retries: int | None = Field(
        None, ge=0, description="Number of retries so far, limited by spec.backoffLimit."
    )
    rerun: str | None = Field(
        None,
        description=(
            "Value of the annotation evaluator.nemo.dev/rerun that was last acted on; a different value "
            "starts another attempt."
        ),
    )
    history: list[AttemptRecord] | None = Field(
        None,
        description="The last five earlier attempts, oldest first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    submission: Submission | None = Field(
        None, description="The intent to create a job in NeMo. It is recorded before the request is sent."
    )
    evaluator: EvaluatorUsed | None = Field(
        None,
        description=(
            "The evaluator of this attempt, recorded before the request is sent; the job is never looked "
            "up in another one."
        ),
    )
    benchmark: MeasuredConfig | None = Field(
        None,
        description=(
            "The config of this attempt, recorded before the request is sent; later edits of the "
            "NemoBenchmark do not change it."
        ),
    )
    adopted: bool | None = Field(
        None,
        description=(
            "True if the response to the submission was lost and the job was found by its custom_fields."
        ),
    )
    job_id: str | None = Field(None, description="Id of the job in NeMo, e.g. eval-WF5xprkaQpjTNZLpsNb1Y1.")
    progress: Progress | None = Field(None, description="Progress as reported by the evaluator.")
    start_time: Timestamp | None = Field(
        None, description=("Time at which the run was submitted. Retries keep it, a rerun sets it again.")
    )
    completion_time: Timestamp | None = Field(
        None, description="Time at which the run ended, successfully or not."
    )
    duration: str | None = Field(None, description="Duration of the run, e.g. 12m30s.")
    score: str | None = Field(None, description="Summary of the scores in one line, for kubectl get.")
    scores: list[Score] | None = Field(
        None,
        description="The most important scores; resultsRef refers to the full results.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    results_ref: ResultsRef | None = Field(None, description="Where the full results are stored.")
    evidence_ref: EvidenceRef | None = Field(
        None, description="Where the scores of each item are stored, for gates that compare runs."
    )
    gate: GateStatus | None = Field(None, description="Verdict of spec.gate for this attempt.")
    conditions: Conditions = Field(
        default_factory=list,
        description=(
            "Conditions of the run: Ready always; Reconciling, Stalled, Suspended, Complete, Failed and "
            "GatePassed when they apply; RemoteStatusUnknown while the evaluator does not report the "
            "state of the job."
        ),
    )

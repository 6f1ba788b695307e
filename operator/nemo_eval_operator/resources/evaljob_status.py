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
    """The intent to create a job in NeMo, written before the request is sent."""

    nonce: str = Field(description="Marks the job in NeMo (custom_fields) as the one of this attempt.")
    time: Timestamp = Field(description="When the intent was written, with microseconds.")


class MeasuredConfig(KubeModel):
    """The config that an attempt was submitted with, whatever has become of the benchmark since."""

    name: str | None = Field(
        None, description="The NemoBenchmark that it came from; absent for a config in spec.config."
    )
    generation: int = Field(
        description=(
            "metadata.generation that the NemoBenchmark had; of this NemoEvalJob for a config in spec.config."
        )
    )
    hash: str = Field(
        description=(
            "SHA-256 of the config with samplingParams and limitSamples applied, as JSON with sorted keys, "
            "without its name, its namespace and credentials. Runs with equal hashes measured the same. "
            "It is the sha256sum of config.json in the results ConfigMap."
        )
    )
    config: str | None = Field(
        None,
        description=(
            "The config that hash is of, kept here until the results ConfigMap has it; absent if it has more "
            "than 64 KiB."
        ),
    )
    limit_samples: int | None = Field(
        None,
        description=(
            "params.limit_samples of the config: at most this many samples of each task are evaluated. "
            "Absent: no such limit."
        ),
    )


class AttemptRecord(KubeModel):
    """What is kept of an attempt after which another one was started."""

    number: int = Field(ge=1, description="Number of the attempt.")
    job_id: str | None = Field(None, description="Id of its job in NeMo, if it came to one.")
    outcome: str = Field(description="How it ended: the reason that the conditions gave.")
    start_time: Timestamp | None = Field(None, description="When it was submitted.")
    completion_time: Timestamp = Field(description="When it ended.")
    evaluator: EvaluatorUsed | None = Field(None, description="The evaluator that has its job.")


class Progress(KubeModel):
    """How far the evaluator says it is; many evaluation types never say."""

    percent: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Percent done. It may stand at 100 while results are being put together.",
    )
    percentage: str | None = Field(None, description="percent with its sign, for kubectl get, e.g. 40%.")
    samples_processed: int | None = Field(None, ge=0, description="Samples evaluated so far.")


class Score(KubeModel):
    """One number that came out."""

    task: str | None = Field(None, description="The task it belongs to, if it belongs to one.")
    group: str | None = Field(None, description="The group it belongs to, if it belongs to one.")
    metric: str = Field(description="The metric, by its name in the config.")
    score: str = Field(description="The score within the metric, e.g. bleu_score.")
    value: float = Field(description="The number.")
    count: int | None = Field(None, description="How many samples it was computed from.")
    stddev: float | None = Field(None, description="Standard deviation over the samples.")
    stderr: float | None = Field(None, description="Standard error of the value.")
    nan_count: int | None = Field(None, description="How many samples gave no number and were left out.")


class EvidenceRef(KubeModel):
    """Where the evidence of the scores is kept, by which gates judge."""

    config_map: str = Field(description="ConfigMap in this namespace that holds the evidence.")
    digest: str = Field(description="SHA-256 of the evidence; another content is not judged by.")


class ResultsRef(KubeModel):
    """Where the results are in full."""

    config_map: str | None = Field(
        None, description="ConfigMap in this namespace that holds the results as JSON."
    )
    key: str | None = Field(None, description="Key within the ConfigMap.")
    url: str | None = Field(None, description="Where the evaluator answers with them.")
    truncated: bool | None = Field(
        None,
        description="True if the results are too large for a ConfigMap, so that url alone has all of them.",
    )


class EvalJobStatus(KubeModel):
    """Where the run stands."""

    observed_generation: ObservedGeneration = None
    phase: Phase | None = Field(
        None,
        description=(
            "Where the run stands, for people; machines and scripts go by the conditions. Pending: not "
            "submitted yet, or accepted by the evaluator and not started there (reason QueuedInEvaluator)."
        ),
    )
    message: str | None = Field(None, description="Where things stand, in one sentence.")
    model: str | None = Field(None, description="The model (or kind of target) that is evaluated.")
    queue_position: int | None = Field(
        None,
        ge=1,
        description=(
            "Place among those that wait because the evaluator runs as many jobs as it may; rounded up to "
            "1, 3, 10, 30 and so on, so that moving up costs few writes."
        ),
    )
    attempt: int | None = Field(
        None, ge=0, description="Number of the attempt; each is at most one job in NeMo."
    )
    retries: int | None = Field(
        None, ge=0, description="How many attempts were retries, of those that spec.backoffLimit allows."
    )
    rerun: str | None = Field(
        None,
        description=(
            "Value of the annotation evaluator.nemo.dev/rerun that was acted on last; another one starts "
            "another attempt."
        ),
    )
    history: list[AttemptRecord] | None = Field(
        None,
        description="Earlier attempts, the last five, oldest first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    submission: Submission | None = Field(
        None, description="The intent to create a job in NeMo, written before the request is sent."
    )
    evaluator: EvaluatorUsed | None = Field(
        None,
        description=(
            "The evaluator that this attempt is submitted to, written before the request is sent; it is "
            "looked for nowhere else."
        ),
    )
    benchmark: MeasuredConfig | None = Field(
        None,
        description=(
            "The config that this attempt is submitted with, written before the request is sent; a later "
            "edit of the NemoBenchmark does not change it."
        ),
    )
    adopted: bool | None = Field(
        None, description="True if the submission got no answer and its job was found by its mark."
    )
    job_id: str | None = Field(None, description="Id of the job in NeMo, e.g. eval-WF5xprkaQpjTNZLpsNb1Y1.")
    progress: Progress | None = Field(None, description="How far the evaluator says it is.")
    start_time: Timestamp | None = Field(None, description="When the run started.")
    completion_time: Timestamp | None = Field(None, description="When the run ended, however it ended.")
    duration: str | None = Field(None, description="How long the run took, e.g. 12m30s.")
    score: str | None = Field(None, description="The scores in one line, for kubectl get.")
    scores: list[Score] | None = Field(
        None,
        description="The scores, in short; resultsRef says where the results are in full.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    results_ref: ResultsRef | None = Field(None, description="Where the results are in full.")
    evidence_ref: EvidenceRef | None = Field(
        None, description="Where the score of each item is kept, by which gates compare runs."
    )
    gate: GateStatus | None = Field(None, description="The verdict of spec.gate.")
    conditions: Conditions = Field(
        default_factory=list,
        description=(
            "Ready, and while they hold Reconciling, Stalled, Suspended, Complete, Failed, GatePassed, and "
            "RemoteStatusUnknown: the evaluator does not say how its job stands, since lastTransitionTime."
        ),
    )

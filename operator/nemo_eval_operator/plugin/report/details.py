"""What was run, where, and by which ids it can be found again; without credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import ValidationError

from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.json_types import JSON_OBJECT, JsonObject
from nemo_eval_operator.lifecycle.requests import mask_plain_secrets, model_name
from nemo_eval_operator.resources import NemoEvalJob

from .model import Fact
from .reading import RunDocuments
from .texts import document_text, name_text

__all__ = [
    "benchmark_of",
    "config_of",
    "environment_of",
    "model_of",
    "provenance_of",
    "target_document",
    "target_of",
]


def model_of(job: NemoEvalJob) -> str:
    """Return the model's name, or the type of the target."""
    return name_text(job.status.model or model_name(job) or "")


def benchmark_of(job: NemoEvalJob) -> str:
    """Return the benchmark's name, or the type of a config that is written in the run."""
    if job.spec.benchmark_ref is not None:
        return name_text(job.spec.benchmark_ref.name)
    return name_text(f"{job.spec.config.type} (spec.config)") if job.spec.config else ""


def config_of(documents: RunDocuments) -> str | None:
    """Return the config that was measured; before the run was submitted, the one that will be."""
    job = documents.job
    recorded = documents.kept.config or (job.status.benchmark.config if job.status.benchmark else None)
    if recorded is not None:
        try:
            return _masked(JSON_OBJECT.validate_json(recorded))
        except ValidationError:
            return document_text(recorded)
    config = job.spec.config or (documents.benchmark.spec.config if documents.benchmark else None)
    return None if config is None else _masked(config.to_request())


def target_of(job: NemoEvalJob) -> str | None:
    """Return the target, or the model by name."""
    document = target_document(job)
    return None if document is None else _masked(document)


def target_document(job: NemoEvalJob) -> JsonObject | None:
    """Return the target as it is requested, with the credentials that are written in it."""
    if job.spec.target is None:
        return {"type": "model", "model": job.spec.model} if job.spec.model else None
    return job.spec.target.to_request()


def _masked(document: JsonObject) -> str:
    mask_plain_secrets(document)
    return document_text(document)


def environment_of(documents: RunDocuments) -> tuple[Fact, ...]:
    """Return where the run was evaluated, and with which overrides."""
    return tuple(_facts(_environment(documents)))


def _environment(documents: RunDocuments) -> Iterator[tuple[str, object]]:
    spec, status = documents.job.spec, documents.job.status
    yield "Evaluator", status.evaluator.url if status.evaluator else None
    yield "Connection", status.evaluator.connection if status.evaluator else None
    yield "Results in the evaluator", status.results_ref.url if status.results_ref else None
    yield "Sample limit", status.benchmark.limit_samples if status.benchmark else spec.limit_samples
    if spec.sampling_params is not None:
        given = spec.sampling_params.model_dump(exclude_none=True)
        yield "Sampling parameters", ", ".join(f"{name}={value}" for name, value in given.items())
    yield "Sampling parameters of the target", _sampling_of_target(documents.job)
    yield "Fields from Secrets", ", ".join(one.target_path for one in spec.values_from) or None


def _sampling_of_target(job: NemoEvalJob) -> str | None:
    """Return `temperature=0, stop=[" "]`; None where the target sets none."""
    document = target_document(job) or {}
    mask_plain_secrets(document)
    match document:
        case {"model": {"prompt": {"inference_params": {**given}}}}:
            texts = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())
            return ", ".join(texts)
        case _:
            return None


def provenance_of(documents: RunDocuments) -> tuple[Fact, ...]:
    """Return ids, hashes and times of the run."""
    return tuple(_facts(_provenance(documents)))


def _provenance(documents: RunDocuments) -> Iterator[tuple[str, object]]:
    job, status = documents.job, documents.job.status
    meta, measured = job.metadata, status.benchmark
    yield "NemoEvalJob", f"{meta.namespace}/{meta.name}"
    yield "UID", meta.uid
    yield "Generation", meta.generation
    yield "Attempt", status.attempt
    yield "Retries", status.retries
    yield "Remote job", status.job_id
    yield "Earlier remote jobs", ", ".join(one.job_id for one in status.history or () if one.job_id) or None
    yield "NemoBenchmark", measured.name if measured else None
    yield "Config generation", measured.generation if measured else None
    yield "Config hash", measured.hash if measured else None
    yield "Evidence", status.evidence_ref.config_map if status.evidence_ref else None
    yield "Evidence digest", status.evidence_ref.digest if status.evidence_ref else None
    yield "Results", status.results_ref.config_map if status.results_ref else None
    if (gate := status.gate) is not None:
        yield "Gate hash", gate.hash
        yield "Baseline", gate.baseline.name if gate.baseline else None
        yield "Baseline UID", gate.baseline.uid if gate.baseline else None
        yield "Baseline remote job", gate.baseline.job_id if gate.baseline else None
    yield "Created", timestamp(meta.creation_timestamp) if meta.creation_timestamp else None
    yield "Started", status.start_time
    yield "Completed", status.completion_time
    yield "Duration", status.duration


def _facts(found: Iterator[tuple[str, object]]) -> Iterator[Fact]:
    for name, value in found:
        if value not in {None, ""}:
            yield Fact(name=name, value=name_text(str(value)))

"""What a run becomes in MLflow: pure, from the report of one run.

One NemoEvalJob is one MLflow run, found again by the tag of its uid. Each attempt is a step of its metrics
and a folder of its artifacts. Parameters cannot change in MLflow: those of the first attempt stay.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.json_types import JSON_OBJECT, JsonObject
from nemo_eval_operator.plugin.outcome import ending_of
from nemo_eval_operator.plugin.report import Report, RunDocuments
from nemo_eval_operator.resources import NemoEvalJob, Phase

__all__ = ["ATTEMPT_TAG", "UID_TAG", "Metric", "Tracked", "tracked_run"]

UID_TAG: Final = "nemo.uid"
"""Tag by which the MLflow run of a NemoEvalJob is found again."""

ATTEMPT_TAG: Final = "nemo.attempt"

MAX_KEY_CHARACTERS: Final = 250
"""MLflow's limit of names of parameters and metrics."""

MAX_PARAMETER_CHARACTERS: Final = 500
"""Limit of a parameter's value in MLflow 1; later releases allow more."""

NOT_ALLOWED: Final = re.compile(r"[^\w. /-]", re.ASCII)
"""Characters that MLflow does not take in names."""

STATES: Final = {Phase.CANCELLED: "KILLED", Phase.FAILED: "FAILED"}
"""MLflow's state of a run by its phase; others have finished."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of an attempt."""

    key: str
    value: float
    timestamp: int
    step: int

    def body(self) -> JsonObject:
        """Return it as the API has it."""
        return {"key": self.key, "value": self.value, "timestamp": self.timestamp, "step": self.step}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A run as it is sent to MLflow; times in milliseconds since 1970."""

    name: str
    experiment: str
    uid: str
    state: str
    start: int
    end: int
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: tuple[Metric, ...]
    artifacts: Mapping[str, bytes]
    """By path."""


def tracked_run(documents: RunDocuments, report: Report, *, html: str | None) -> Tracked | None:
    """Return what is exported of a run; None while it has not ended."""
    job, (run, *_) = documents.job, report.runs
    if ending_of(job) is None or job.status.completion_time is None:
        return None
    end = _milliseconds(job.status.completion_time)
    attempt = job.status.attempt or 1
    metrics = {
        key: Metric(key, value, end, attempt)
        for name, value in _numbers(report)
        if (key := _key(name)) and value is not None
    }
    return Tracked(
        name=job.metadata.name,
        experiment=f"{job.metadata.namespace}/{run.benchmark}",
        uid=job.metadata.uid,
        state=STATES.get(job.status.phase or Phase.SUCCEEDED, "FINISHED"),
        start=_milliseconds(job.status.start_time) if job.status.start_time else end,
        end=end,
        tags=dict(_tags(job, report)),
        parameters=dict(_parameters(job, report)),
        metrics=tuple(metrics.values()),
        artifacts=dict(_artifacts(documents, report, html=html)),
    )


def _numbers(report: Report) -> Iterator[tuple[str, float | None]]:
    (run, *_) = report.runs
    for score in run.scores:
        yield score.name, score.value
        yield f"{score.name}.low", score.low
        yield f"{score.name}.high", score.high
        yield f"{score.name}.items", score.items
    if run.verdict is not None and run.passed is not None:
        yield "gate_passed", float(run.passed)


def _tags(job: NemoEvalJob, report: Report) -> Iterator[tuple[str, str]]:
    (run, *_) = report.runs
    measured, used = job.status.benchmark, job.status.evaluator
    found = {
        UID_TAG: job.metadata.uid,
        ATTEMPT_TAG: str(job.status.attempt or 1),
        "nemo.namespace": job.metadata.namespace,
        "nemo.name": job.metadata.name,
        "nemo.outcome": run.outcome,
        "nemo.gate": run.verdict,
        "nemo.job_id": job.status.job_id,
        "nemo.evaluator": used.url if used else None,
        "nemo.config_hash": measured.hash if measured else None,
        "nemo.dry_run": "true" if run.dry_run else None,
        "mlflow.note.content": run.message,
    }
    return ((name, value) for name, value in found.items() if value)


def _parameters(job: NemoEvalJob, report: Report) -> Iterator[tuple[str, str]]:
    (run, *_) = report.runs
    found: dict[str, JsonValue] = {"model": run.model, "benchmark": run.benchmark}
    found |= {"limit_samples": job.spec.limit_samples}
    for part, text in (("config", run.config), ("target", run.target)):
        for key, value in _flat(_parsed(text), part):
            found.setdefault(key, value)
    for name, value in found.items():
        if value not in (None, "") and (key := _key(name)):
            text = value if isinstance(value, str) else json.dumps(value)
            yield key, text[:MAX_PARAMETER_CHARACTERS]


def _parsed(text: str | None) -> JsonObject:
    """Return a config as it is shown; nothing of one that was cut."""
    try:
        return {} if text is None else JSON_OBJECT.validate_json(text)
    except ValueError:
        return {}


def _flat(document: JsonObject, path: str) -> Iterator[tuple[str, JsonValue]]:
    """Return the type and the parameters of a config or target; tasks are in the artifact."""
    yield f"{path}.type", document.get("type")
    yield from _leaves(document.get("params"), f"{path}.params")


def _leaves(node: JsonValue, path: str) -> Iterator[tuple[str, JsonValue]]:
    if not isinstance(node, dict):
        yield path, node
        return
    for name, value in node.items():
        yield from _leaves(value, f"{path}.{name}")


def _artifacts(documents: RunDocuments, report: Report, *, html: str | None) -> Iterator[tuple[str, bytes]]:
    folder = f"attempt-{documents.job.status.attempt or 1}"
    (run, *_) = report.runs
    if documents.kept.document is not None:
        yield f"{folder}/results.json", json.dumps(documents.kept.document, indent=1).encode()
    if run.config is not None:
        yield f"{folder}/config.json", run.config.encode()
    yield f"{folder}/report.json", report.model_dump_json(by_alias=True, indent=1).encode()
    if html is not None:
        yield f"{folder}/report.html", html.encode()


def _key(name: str) -> str:
    """Return a name that MLflow takes: it refuses other characters, and what is no plain relative path."""
    parts = [part for part in NOT_ALLOWED.sub("_", name).split("/") if part not in {"", ".", ".."}]
    return posixpath.join("", *parts)[:MAX_KEY_CHARACTERS].rstrip("/ ")


def _milliseconds(time: str) -> int:
    return round(parse_timestamp(time).timestamp() * 1000)

"""The results of a job as they are kept: one JSON document in a ConfigMap of the job's."""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from nemo_eval_operator.evaluator import Results
from nemo_eval_operator.nemo import JsonObject

__all__ = ["MAX_DOCUMENT_BYTES", "RESULTS_KEY", "config_map_name", "results_document"]

RESULTS_KEY: Final = "results.json"

MAX_DOCUMENT_BYTES: Final = 900 * 1024
"""A ConfigMap may hold 1 MiB in all; the rest is room for its metadata."""

MAX_NAME_CHARACTERS: Final = 253
SUFFIX: Final = "-results"


def config_map_name(job_name: str, *, distinct: str = "") -> str:
    """`<job>-results`; a long name is cut and told apart by a hash; `distinct` avoids a taken name."""
    suffix = f"-{distinct}{SUFFIX}" if distinct else SUFFIX
    if len(job_name) + len(suffix) <= MAX_NAME_CHARACTERS:
        return job_name + suffix
    fingerprint = hashlib.sha256(job_name.encode()).hexdigest()[:8]
    room = MAX_NAME_CHARACTERS - len(suffix) - len(fingerprint) - 1
    return f"{job_name[:room].rstrip('-.')}-{fingerprint}{suffix}"


def results_document(results: Results) -> tuple[str, bool]:
    """The evaluator's own JSON, and whether rows had to be left out of it to fit a ConfigMap."""
    whole = _text(results.document)
    if len(whole.encode()) <= MAX_DOCUMENT_BYTES:
        return whole, False
    aggregate = _text(_without_rows(results.document))
    if len(aggregate.encode()) <= MAX_DOCUMENT_BYTES:
        return aggregate, True
    return _text({"job": results.job, "truncated": "the scores alone exceed a ConfigMap"}), True


def _without_rows(document: JsonObject) -> JsonObject:
    tasks = document.get("tasks")
    if not isinstance(tasks, dict):
        return document
    trimmed: dict[str, JsonValue] = {
        name: {key: value for key, value in task.items() if key != "data"} if isinstance(task, dict) else task
        for name, task in tasks.items()
    }
    return document | {"tasks": trimmed}


def _text(document: JsonObject) -> str:
    """JSON in the strict sense: what is not a number is null."""
    return to_json(document, indent=1, inf_nan_mode="null").decode()

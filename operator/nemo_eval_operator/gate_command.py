"""What `nemo-eval-operator gate` does: reads files, judges, prints. It needs no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import yaml
from pydantic import JsonValue, TypeAdapter, ValidationError

from nemo_eval_operator.lifecycle.job import DRY_RUN_LABEL, RESULTS_KEY

from .gates import (
    Evidence,
    Gate,
    PolicyInvalid,
    Result,
    as_json,
    as_markdown,
    as_text,
    evidence_of,
    gate_of,
    judge,
)
from .json_types import JSON_OBJECT, JsonObject

__all__ = ["ExitCode", "Output", "Unreadable", "check_gate", "read_document", "read_gate", "run_gate"]

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Of one input file, so that a wrong path such as /dev/zero ends with a message."""

_json: Final = TypeAdapter[JsonValue](JsonValue)


class Unreadable(Exception):
    """A file cannot be used; the message says which and why."""


class Output(StrEnum):
    """What is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class ExitCode:
    """What the command's exit code says."""

    PASSED: Final = 0
    FAILED: Final = 1
    INCONCLUSIVE: Final = 2
    UNREADABLE: Final = 3


PRINTERS: Final = {Output.TEXT: as_text, Output.JSON: as_json, Output.MARKDOWN: as_markdown}


def run_gate(
    policy: Path, *, baselines: Sequence[Path], candidates: Sequence[Path], output: Output
) -> tuple[str, int]:
    """Return what to print, and the exit code. Raises Unreadable."""
    gate = read_gate(policy)
    baseline = _evidence(baselines) if baselines else None
    judgement = judge(gate, _evidence(candidates), baseline)
    code = {Result.FAILED: ExitCode.FAILED, Result.INCONCLUSIVE: ExitCode.INCONCLUSIVE}.get(judgement.verdict)
    return PRINTERS[output](judgement), ExitCode.PASSED if judgement.passed or code is None else code


def check_gate(policy: Path, results: Sequence[Path]) -> str:
    """Return a line that describes the policy, if it and the results can be read. Raises Unreadable."""
    count = len(read_gate(policy).criteria)
    _evidence(results)
    return f"{policy} is valid: {count} {'criterion' if count == 1 else 'criteria'}"


def read_gate(policy: Path) -> Gate:
    """Return the gate of a file: `spec.gate`, a NemoEvalJob or a policy of `nel gate`. Raises Unreadable."""
    try:
        return gate_of(read_document(policy))
    except PolicyInvalid as error:
        raise Unreadable(f"{policy}: {error}") from error


def read_document(path: Path) -> JsonValue:
    """Return the document of a YAML or JSON file; of several, the NemoEvalJob. Raises Unreadable."""
    try:
        return _json.validate_python(_yaml(path))
    except ValidationError as error:
        raise Unreadable(f"{path}: not a document of plain values") from error


def _evidence(paths: Sequence[Path]) -> Evidence:
    """The scores of all files of one run. A score that two files have is ambiguous, and judged so."""
    parts = [evidence_of(_results(path)) for path in paths]
    return Evidence(tuple(score for part in parts for score in part.scores))


def _results(path: Path) -> JsonObject:
    """A results document, or the one inside a ConfigMap that `kubectl get -o json` printed."""
    try:
        document = JSON_OBJECT.validate_json(_read(path))
        if document.get("kind") == "ConfigMap":
            if _is_dry_run(document):
                raise Unreadable(f"{path}: these are the results of a dry run, which judge nothing")
            data = document.get("data")
            inner = data.get(RESULTS_KEY) if isinstance(data, dict) else None
            if not isinstance(inner, str):
                raise Unreadable(f"{path}: the ConfigMap has no {RESULTS_KEY}")
            document = JSON_OBJECT.validate_json(inner)
    except ValidationError as error:
        raise Unreadable(f"{path}: not a JSON object: {error.errors(include_url=False)[0]['msg']}") from error
    if not isinstance(document.get("tasks"), dict) and not isinstance(document.get("groups"), dict):
        raise Unreadable(f"{path}: not a results document: it has neither tasks nor groups")
    return document


def _is_dry_run(config_map: JsonObject) -> bool:
    metadata = config_map.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and DRY_RUN_LABEL in labels


def _yaml(path: Path) -> object:
    """The document of a file. Where it has several, the NemoEvalJob: manifests often share a file."""
    try:
        documents = [document for document in yaml.safe_load_all(_read(path)) if document is not None]
    except (yaml.YAMLError, RecursionError) as error:
        raise Unreadable(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if len(documents) > 1:
        jobs = [one for one in documents if isinstance(one, dict) and one.get("kind") == "NemoEvalJob"]
        if len(jobs) != 1:
            raise Unreadable(
                f"{path}: expected one document, or one NemoEvalJob among others: it has {len(documents)} "
                f"documents, of which {len(jobs)} are NemoEvalJobs"
            )
        return jobs[0]
    return documents[0] if documents else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB")
    return content

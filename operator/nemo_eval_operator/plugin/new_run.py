"""The manifest of a new run, from the options and files of `kubectl nemoeval run`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from nemo_eval_operator.gate_command import Unreadable, read_document, read_gate
from nemo_eval_operator.gates import Gate
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo import EvaluationTarget
from nemo_eval_operator.resources import API_VERSION

from .exit_codes import CommandFailed, ExitCode

__all__ = ["CREATION_MARK", "RunOptions", "manifest_of", "spec_of"]

CREATION_MARK: Final = "evaluator.nemo.dev/creation-token"
"""Annotation with a random value, by which a run is recognized whose creation was not answered."""

MAX_BASE_CHARACTERS: Final = 58
"""Of a generated name before its random part, as in the API server's names.SimpleNameGenerator."""

SUFFIX_CHARACTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of the random part: those of apimachinery's rand.String, which form no words."""

SUFFIX_LENGTH: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What is to be run."""

    benchmark: str
    model: str | None = None
    target: Path | None = None
    gate: Path | None = None
    baseline: str | None = None


def spec_of(options: RunOptions) -> JsonObject:
    """Return the spec of the run. Raises CommandFailed."""
    if (options.model is None) == (options.target is None):
        raise CommandFailed("set exactly one of --model and --target", ExitCode.USAGE)
    spec: JsonObject = {"benchmarkRef": {"name": options.benchmark}}
    try:
        if options.target is not None:
            spec["target"] = _target(options.target)
        else:
            spec["model"] = options.model
        gate = None if options.gate is None else read_gate(options.gate)
    except Unreadable as error:
        raise CommandFailed(str(error), ExitCode.USAGE) from error
    if gate is not None:
        spec["gate"] = _gate(gate, options)
    elif options.baseline is not None:
        raise CommandFailed(
            "--baseline needs --gate: the baseline is what a gate compares with", ExitCode.USAGE
        )
    return spec


def _target(path: Path) -> JsonObject:
    """Return a target of NeMo, or that of a NemoEvalJob; the API server checks it in full."""
    document = read_document(path)
    match document:
        case {"kind": "NemoEvalJob", "spec": {"target": dict(target)}}:
            prefix = "spec.target"
        case {"kind": "NemoEvalJob"}:
            raise Unreadable(f"{path}: spec.target: this NemoEvalJob has no target")
        case dict(target):
            prefix = ""
        case _:
            raise Unreadable(f"{path}: expected a target with its type, or a NemoEvalJob")
    try:
        EvaluationTarget.model_validate(target)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(part for part in (prefix, *map(str, first["loc"])) if part)
        raise Unreadable(f"{path}: {field}: {first['msg']}") from error
    return target


def _gate(gate: Gate, options: RunOptions) -> JsonObject:
    is_compared = any(criterion.is_compared for criterion in gate.criteria)
    if options.baseline is not None and not is_compared:
        raise CommandFailed(
            f"--baseline has no effect: {options.gate} has no criterion with maxDrop or maxRelativeDrop",
            ExitCode.USAGE,
        )
    if is_compared and options.baseline is None and gate.baseline is None:
        raise CommandFailed(
            f"{options.gate} compares with a baseline: name that run with --baseline", ExitCode.USAGE
        )
    manifest: JsonObject = gate.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    if options.baseline is not None:
        manifest["baseline"] = {"jobRef": {"name": options.baseline}}
    return manifest


def manifest_of(spec: JsonObject, *, base: str, namespace: str, token: str) -> tuple[str, JsonObject]:
    """Return a random name that starts with `base`, and the manifest of the run.

    The name is chosen as the API server does for generateName, but here: a request that is repeated with its
    name creates one run at most.
    """
    prefix = f"{base}-"
    suffix = "".join(secrets.choice(SUFFIX_CHARACTERS) for _ in range(SUFFIX_LENGTH))
    name = prefix[:MAX_BASE_CHARACTERS] + suffix
    return name, {
        "apiVersion": API_VERSION,
        "kind": "NemoEvalJob",
        "metadata": {
            "name": name,
            "generateName": prefix,
            "namespace": namespace,
            "annotations": {CREATION_MARK: token},
        },
        "spec": spec,
    }

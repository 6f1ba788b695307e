"""The manifest of a new run, from the options and files of `kubectl nemoeval run`."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue, ValidationError

from nemo_eval_operator.gate_command import Unreadable, read_document, read_gate
from nemo_eval_operator.gates import Gate
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.nemo import EvaluationTarget
from nemo_eval_operator.resources import API_VERSION, EvalJobSpec, GateSpec, NemoEvalJob

from .exit_codes import CommandFailed, ExitCode
from .screen import clean

__all__ = ["CREATION_MARK", "RunOptions", "manifest_of", "refuse_another_config", "spec_of"]

CREATION_MARK: Final = "evaluator.nemo.dev/creation-token"
"""Annotation with a random value, by which a run is recognized whose creation was not answered."""

MAX_BASE_CHARACTERS: Final = 58
"""Of a generated name before its random part, as in the API server's names.SimpleNameGenerator."""

SUFFIX_CHARACTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of the random part: those of apimachinery's rand.String, which form no words."""

SUFFIX_LENGTH: Final = 5

NOT_STARTED_AGAIN: Final = ("cancel", "suspend")
"""Fields of spec that --like leaves out."""

MEASURED: Final = ("benchmarkRef", "config", "samplingParams", "limitSamples")
"""Fields of spec that decide which config a run measures (`status.benchmark.hash`)."""

MAX_VALUE_CHARACTERS: Final = 200
"""Of a value of one of these in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What is to be run; each option takes precedence over the spec of the run `like`."""

    benchmark: str | None = None
    like: str | None = None
    model: str | None = None
    target: Path | None = None
    gate: Path | None = None
    baseline: str | None = None


def spec_of(options: RunOptions, like: NemoEvalJob | None = None) -> JsonObject:
    """Return the spec of the run; `like` is the run of that option. Raises CommandFailed."""
    if options.benchmark is None and like is None:
        raise CommandFailed("set --benchmark, or --like with an earlier run", ExitCode.USAGE)
    spec = {} if like is None else _started_again(like.spec)
    if options.benchmark is not None:
        spec.pop("config", None)
        spec["benchmarkRef"] = {"name": options.benchmark}
    try:
        _choose_target(spec, options)
        gate = None if options.gate is None else read_gate(options.gate)
    except Unreadable as error:
        raise CommandFailed(str(error), ExitCode.USAGE) from error
    if gate is None and options.baseline is not None and like is not None and like.spec.gate is not None:
        gate = Gate.model_validate(_as_written(like.spec.gate))
    if gate is not None:
        spec["gate"] = _gate(gate, options)
    elif options.baseline is not None:
        raise CommandFailed(
            "--baseline needs --gate: the baseline is what a gate compares with", ExitCode.USAGE
        )
    return spec


def _started_again(spec: EvalJobSpec) -> JsonObject:
    """Return the spec of a run without what stopped or held that run."""
    again = _as_written(spec)
    for field in NOT_STARTED_AGAIN:
        again.pop(field, None)
    return again


def _as_written(part: EvalJobSpec | GateSpec) -> JsonObject:
    return part.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _choose_target(spec: JsonObject, options: RunOptions) -> None:
    """Set the model or target of the options, in place of that of the spec. Raises Unreadable."""
    given = [one for one in (options.model, options.target) if one is not None]
    if len(given) > 1 or (not given and options.like is None):
        raise CommandFailed("set exactly one of --model and --target", ExitCode.USAGE)
    if not given:
        return
    for field in ("model", "target"):
        spec.pop(field, None)
    if options.target is not None:
        spec["target"] = _target(options.target)
    else:
        spec["model"] = options.model


def refuse_another_config(spec: JsonObject, baseline: NemoEvalJob) -> None:
    """Raise CommandFailed where the gate could not compare: the baseline did not measure what `spec` would.

    An evaluation takes hours, and its gate would be inconclusive at the end.
    """
    theirs = _as_written(baseline.spec)
    differing = [field for field in MEASURED if spec.get(field) != theirs.get(field)]
    if not differing:
        return
    name = baseline.metadata.name
    fields = "; ".join(
        f"spec.{field} is {_shown(theirs.get(field))} there and {_shown(spec.get(field))} here"
        for field in differing
    )
    raise CommandFailed(
        f"the gate could not compare this run with {name}: {fields}. "
        f"To evaluate as that run did, add --like {name}",
        ExitCode.USAGE,
    )


def _shown(value: JsonValue) -> str:
    return "not set" if value is None else clean(json.dumps(value, ensure_ascii=False), MAX_VALUE_CHARACTERS)


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
            f"--baseline has no effect: {options.gate or f'the gate of {options.like}'} has no criterion "
            "with maxDrop or maxRelativeDrop",
            ExitCode.USAGE,
        )
    if is_compared and options.baseline is None and gate.baseline is None:
        raise CommandFailed(
            f"{options.gate} compares with a baseline: name that run with --baseline", ExitCode.USAGE
        )
    manifest = _as_written(gate)
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

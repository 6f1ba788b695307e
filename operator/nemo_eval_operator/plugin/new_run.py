"""The manifest of a new run, from the options and files of `kubectl nemoeval run`."""

from __future__ import annotations

import re
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
from nemo_eval_operator.resources.meta import DNS_SUBDOMAIN
from nemo_eval_operator.validation import first_problem

from .assignments import labels_of, sampling_params_of
from .exit_codes import CommandFailed, ExitCode
from .run_checks import as_written
from .screen import clean

__all__ = ["CREATION_MARK", "RunOptions", "manifest_of", "measuring_options", "metadata_of", "spec_of"]

CREATION_MARK: Final = "evaluator.nemo.dev/creation-token"
"""Annotation with a random value, by which a run is recognized whose creation was not answered."""

MAX_BASE_CHARACTERS: Final = 58
"""Of a generated name before its random part, as in the API server's names.SimpleNameGenerator."""

SUFFIX_CHARACTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of the random part: those of apimachinery's rand.String, which form no words."""

SUFFIX_LENGTH: Final = 5

MAX_NAME_CHARACTERS: Final = 253
"""Of the name of an object."""

NOT_STARTED_AGAIN: Final = ("cancel", "suspend")
"""Fields of spec that --like leaves out."""

OPTIONS: Final = {
    "benchmarkRef": "--benchmark",
    "model": "--model",
    "limitSamples": "--limit",
    "priority": "--priority",
}
"""Options by the fields of spec that they set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What is to be run; each option takes precedence over the spec of the run `like`."""

    benchmark: str | None = None
    like: str | None = None
    model: str | None = None
    target: Path | None = None
    gate: Path | None = None
    baseline: str | None = None
    sampling_params: tuple[str, ...] = ()
    """KEY=VALUE, where VALUE is JSON or a text."""
    limit: int | None = None
    one_sample: bool | None = None
    """Whether one sample of each task is evaluated, or all of them; None: as `like` did."""
    priority: int | None = None
    labels: tuple[str, ...] = ()
    """KEY=VALUE[,KEY=VALUE]."""
    name: str | None = None
    """Name of the run; None: a generated one."""


def spec_of(options: RunOptions, like: NemoEvalJob | None = None) -> JsonObject:
    """Return the spec of the run; `like` is the run of that option. Raises CommandFailed."""
    if options.benchmark is None and like is None:
        raise CommandFailed("set --benchmark, or --like with an earlier run", ExitCode.USAGE)
    spec = {} if like is None else _started_again(like.spec)
    if options.benchmark is not None:
        spec.pop("config", None)
        spec["benchmarkRef"] = {"name": options.benchmark}
    _choose_samples(spec, options)
    if options.priority is not None:
        spec["priority"] = options.priority
    try:
        _choose_target(spec, options)
        gate = None if options.gate is None else read_gate(options.gate)
    except Unreadable as error:
        raise CommandFailed(clean(str(error)), ExitCode.USAGE) from error
    if gate is None and options.baseline is not None and like is not None and like.spec.gate is not None:
        gate = Gate.model_validate(_manifest_of_gate(like.spec.gate))
    if gate is not None:
        spec["gate"] = _gate(gate, options)
    elif options.baseline is not None:
        raise CommandFailed(
            "--baseline needs --gate: the baseline is what a gate compares with", ExitCode.USAGE
        )
    if spec.get("dryRun") is True and "gate" in spec:
        raise CommandFailed(
            f"{options.like} is a dry run, whose one sample decides nothing: add --all-samples, or remove "
            "--gate",
            ExitCode.USAGE,
        )
    try:
        EvalJobSpec.model_validate(spec)
    except ValidationError as error:
        raise CommandFailed(first_problem(error, EvalJobSpec, names=OPTIONS), ExitCode.USAGE) from error
    return spec


def _choose_samples(spec: JsonObject, options: RunOptions) -> None:
    """Set how many samples are evaluated, and how the model samples. Raises CommandFailed."""
    if options.one_sample is not None and options.limit is not None:
        raise CommandFailed(
            "set one of --limit, --one-sample and --all-samples at most: each says how many samples are "
            "evaluated",
            ExitCode.USAGE,
        )
    if options.one_sample and (options.gate is not None or options.baseline is not None):
        raise CommandFailed(
            "--one-sample evaluates one sample of each task, which decides nothing: remove --gate and "
            "--baseline",
            ExitCode.USAGE,
        )
    if options.one_sample is not None or options.limit is not None:
        for field in ("dryRun", "limitSamples"):
            spec.pop(field, None)
    if options.one_sample:
        # The gate of the earlier run: the API server refuses one for a dry run.
        spec.pop("gate", None)
        spec["dryRun"] = True
    if options.limit is not None:
        spec["limitSamples"] = options.limit
    if options.sampling_params:
        before = spec.get("samplingParams")
        params = sampling_params_of(options.sampling_params, before if isinstance(before, dict) else {})
        spec.pop("samplingParams", None)
        if params:
            spec["samplingParams"] = params


def measuring_options(options: RunOptions) -> dict[str, str]:
    """Return the options that decide what is measured, by the path in spec that each sets."""
    found: dict[str, str] = {}
    if options.benchmark is not None:
        found["benchmarkRef"] = f"--benchmark {options.benchmark}"
    if options.limit is not None:
        found["limitSamples"] = "--limit"
    elif options.one_sample is False:
        found["limitSamples"] = "--all-samples"
    for one in options.sampling_params:
        found[f"samplingParams.{one.partition('=')[0]}"] = f"--sampling-params {one}"
    return found


def _started_again(spec: EvalJobSpec) -> JsonObject:
    """Return the spec of a run without what stopped or held that run."""
    again = as_written(spec)
    for field in NOT_STARTED_AGAIN:
        again.pop(field, None)
    return again


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
        _drop_values_of_target(spec)


def _drop_values_of_target(spec: JsonObject) -> None:
    """Remove the Secrets of the earlier run's target: a model by name has no fields for them."""
    if isinstance(values := spec.get("valuesFrom"), list):
        spec["valuesFrom"] = [one for one in values if not _is_of_target(one)]


def _is_of_target(value: JsonValue) -> bool:
    return isinstance(value, dict) and str(value.get("targetPath")).startswith("target.")


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
        raise Unreadable(f"{path}: {first_problem(error, EvaluationTarget, root=prefix)}") from error
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
    manifest = _manifest_of_gate(gate)
    if options.baseline is not None:
        manifest["baseline"] = {"jobRef": {"name": options.baseline}}
    return manifest


def _manifest_of_gate(gate: GateSpec) -> JsonObject:
    return gate.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def metadata_of(options: RunOptions) -> JsonObject:
    """Return the name and the labels that the options give. Raises CommandFailed."""
    found: JsonObject = {}
    if (name := options.name) is not None:
        if len(name) > MAX_NAME_CHARACTERS or not re.fullmatch(DNS_SUBDOMAIN, name):
            raise CommandFailed(
                f"--name: {name!r} cannot be the name of an object: use a-z, 0-9, - and ., and begin and end "
                "with a letter or digit",
                ExitCode.USAGE,
            )
        found["name"] = name
    if options.labels:
        found["labels"] = {**labels_of(options.labels)}
    return found


def manifest_of(
    spec: JsonObject, metadata: JsonObject, *, base: str, namespace: str, token: str
) -> tuple[str, JsonObject]:
    """Return the name of the run and its manifest.

    Where `metadata` has no name, a random one starts with `base`. It is chosen as the API server does for
    generateName, but here: a request that is repeated with its name creates one run at most.
    """
    prefix = f"{base}-"
    suffix = "".join(secrets.choice(SUFFIX_CHARACTERS) for _ in range(SUFFIX_LENGTH))
    generated: JsonObject = {"name": prefix[:MAX_BASE_CHARACTERS] + suffix, "generateName": prefix}
    named = {**metadata} if "name" in metadata else {**generated, **metadata}
    return str(named["name"]), {
        "apiVersion": API_VERSION,
        "kind": "NemoEvalJob",
        "metadata": {**named, "namespace": namespace, "annotations": {CREATION_MARK: token}},
        "spec": spec,
    }

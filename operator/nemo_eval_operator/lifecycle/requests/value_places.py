"""Check of target paths in spec.valuesFrom: each has to lead to a place for a text. No Secret is read.

A path that leads to a number, or to a field that does not exist, would otherwise be reported by the evaluator
as a fault of the config, or would have no effect.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from pydantic import JsonValue, ValidationError

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.likely_names import most_like
from nemo_eval_operator.nemo import EvaluationConfig, EvaluationTarget
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob
from nemo_eval_operator.validation import in_words

from .target_paths import Step, UnusableTargetPath, parse, place

__all__ = ["check_places"]

PLACEHOLDER: Final = "value"
"""Stands for any text of a Secret: whether a place is right does not depend on it."""

REFERENCE: Final = "configMapRef"
"""Key of what is read before the values of Secrets are put in place."""

DECLARED: Final = [*EvaluationConfig.model_fields, *EvaluationTarget.model_fields, "metrics"]
"""Names that a misspelt step of a path may have meant."""


def check_places(thing: NemoBenchmark | NemoEvalJob, benchmark: NemoBenchmark | None = None) -> None:
    """Raise UnusableTargetPath, which names the item of spec.valuesFrom and what is wrong with its path.

    `benchmark` is that of a job without a config of its own; None: paths into the config are not checked.
    """
    if not thing.spec.values_from:
        return
    inside = "config." if isinstance(thing, NemoBenchmark) else ""
    parts = _parts(thing, benchmark)
    config = parts.get("config")
    # A benchmark's paths begin inside its config, and so do the paths in messages about them.
    root = config if inside and isinstance(config, dict) else parts
    paths = {
        f"{inside}{source.target_path}": _Entry(number, source.target_path)
        for number, source in enumerate(thing.spec.values_from)
        if "config" in parts or not source.target_path.startswith("config.")
    }
    for where in paths.values():
        if REFERENCE in parse(where.path):
            raise where.fault("a ConfigMap is named in the manifest, not by a Secret")
        try:
            place(root, where.path, PLACEHOLDER)
        except UnusableTargetPath as error:
            raise where.fault(error.problem) from error
    kept: JsonObject = dict(parts)
    for name, schema in (("config", EvaluationConfig), ("target", EvaluationTarget)):
        if name not in parts:
            continue
        try:
            kept[name] = schema.model_validate(parts[name]).to_request()
        except ValidationError as error:
            raise _fault_of(error, name, paths) from error
    for path, where in paths.items():
        _refuse_undeclared(kept, path, where)


class _Entry:
    """One item of spec.valuesFrom."""

    def __init__(self, number: int, path: str) -> None:
        self._number = number
        self.path = path

    def fault(self, problem: str) -> UnusableTargetPath:
        return UnusableTargetPath(self.path, problem, field=f"spec.valuesFrom[{self._number}].targetPath")


def _parts(thing: NemoBenchmark | NemoEvalJob, benchmark: NemoBenchmark | None) -> JsonObject:
    spec = thing.spec
    config = spec.config or (benchmark.spec.config if benchmark else None)
    parts: JsonObject = {} if config is None else {"config": deepcopy(config.to_request())}
    if isinstance(thing, NemoEvalJob):
        target = thing.spec.target
        named: JsonObject = {"type": "model", "model": thing.spec.model}
        parts["target"] = deepcopy(target.to_request()) if target else named
    return parts


def _fault_of(error: ValidationError, part: str, paths: dict[str, _Entry]) -> UnusableTargetPath:
    """The fault of the path that shares most with where the first problem is: the spec itself is valid."""
    problem = error.errors(include_url=False, include_input=False)[0]
    at = (part, *problem["loc"])
    nearest = max(paths, key=lambda path: _shared(parse(path), at))
    shown = ".".join(str(step) for step in at)
    return paths[nearest].fault(f"a text cannot be put there ({shown}: {in_words(problem)})")


def _shared(steps: list[Step], at: tuple[Step, ...]) -> int:
    count = 0
    for step, other in zip(steps, at, strict=False):
        if step != other:
            break
        count += 1
    return count


def _refuse_undeclared(kept: JsonObject, path: str, where: _Entry) -> None:
    """Raise where a step of the path was left out by a schema that takes declared fields only."""
    node: JsonValue = kept
    for step in parse(path):
        match node, step:
            case dict(), str() if step in node:
                node = node[step]
            case list(), int() if step < len(node):
                node = node[step]
            case _:
                near = most_like(str(step), DECLARED)
                advice = f": did you mean {near}?" if near else ""
                raise where.fault(f"there is no field {step!r}{advice}")

"""Validation by the models of the CRDs, names of objects, and the check that no field is lost."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from pydantic import BaseModel, JsonValue, ValidationError

from nemo_eval_operator.evaluator.model import MASK
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.requests import SERVER_WRITTEN
from nemo_eval_operator.resources import API_VERSION, BenchmarkSpec, EvalJobSpec
from nemo_eval_operator.validation import first_problem

__all__ = ["ImportRefused", "Notes", "benchmark", "joined", "object_name", "refuse_others", "run_of"]

MAX_NAME_CHARACTERS: Final = 63
"""Of a name that is made here. A run's results are kept in ConfigMaps, whose names are longer."""

NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9.-]+|(?<=\.)-+|-+(?=\.)")

Notes = list[str]
"""What a person should know, a line each."""


class ImportRefused(Exception):
    """The document cannot be mapped; the message begins with the field's path."""


def object_name(text: str, path: str) -> str:
    """Return a name for a Kubernetes object that is like `text`. Raises ImportRefused."""
    name = NOT_IN_NAMES.sub("-", text.lower())[:MAX_NAME_CHARACTERS].strip("-.")
    name = re.sub(r"\.{2,}", ".", name)
    if not name:
        raise ImportRefused(f"{path}: {text!r} has no letter or digit to make a name of: use --name")
    return name


def benchmark(
    name: str, config: JsonObject, notes: Notes, *, path: str, values_from: Collection[JsonObject] = ()
) -> JsonObject:
    """Return the manifest of a NemoBenchmark; `path` is that of the config in the document."""
    spec: JsonObject = {"config": config}
    if values_from:
        spec["valuesFrom"] = [*values_from]
    return _manifest("NemoBenchmark", name, spec, model=BenchmarkSpec, paths={"config": path}, notes=notes)


def run_of(name: str, spec: JsonObject, paths: dict[str, str], notes: Notes) -> JsonObject:
    """Return the manifest of a NemoEvalJob; `paths` are those of the document, by field of the spec."""
    return _manifest("NemoEvalJob", name, spec, model=EvalJobSpec, paths=paths, notes=notes)


def _manifest(
    kind: str, name: str, spec: JsonObject, *, model: type[BaseModel], paths: dict[str, str], notes: Notes
) -> JsonObject:
    try:
        found = model.model_validate(spec)
    except ValidationError as error:
        raise ImportRefused(first_problem(error, model, names=paths)) from error
    written: JsonObject = found.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    for field, value in spec.items():
        for lost in _lost(value, written.get(field), paths.get(field, field)):
            if lost.rpartition(".")[2] not in SERVER_WRITTEN:
                raise ImportRefused(f"{lost}: has no place in the manifest: correct or remove it")
            notes.append(f"{lost} is left out: the evaluator writes it itself")
        for masked in _masked(value, paths.get(field, field)):
            raise ImportRefused(
                f"{masked}: the evaluator has masked a credential: remove it, and add spec.valuesFrom to the "
                "manifest"
            )
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": written}


def refuse_others(document: JsonObject, known: Collection[str], path: str, reason: str) -> None:
    """Raise ImportRefused for the first field with a value that is not among those known."""
    for name, value in document.items():
        if name not in known and value not in (None, {}, [], ""):
            raise ImportRefused(f"{joined(path, name)}: {reason}")


def _lost(before: JsonValue, after: JsonValue, path: str) -> Iterator[str]:
    """Return the paths of what `before` has and `after` has not; null is the same as absent."""
    if isinstance(before, dict):
        written = after if isinstance(after, dict) else {}
        for name, value in before.items():
            if value is not None and name not in written:
                yield joined(path, name)
            else:
                yield from _lost(value, written.get(name), joined(path, name))
    elif isinstance(before, list):
        items = after if isinstance(after, list) else []
        for index, value in enumerate(before):
            yield from _lost(value, items[index] if index < len(items) else None, f"{path}[{index}]")
    elif before is not None and before != after:
        yield path


def _masked(value: JsonValue, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _masked(one, joined(path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _masked(one, f"{path}[{index}]")
    elif value == MASK:
        yield path


def joined(path: str, name: str) -> str:
    """Return the path of the field `name` of the object at `path`."""
    return f"{path}.{name}" if path else name

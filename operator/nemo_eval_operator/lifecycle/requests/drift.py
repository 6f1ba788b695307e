"""Does the evaluator still hold the config that the benchmark asks for?

The server adds ids and times, names datasets and models, reorders keys and masks
secrets; so the question is whether what we send is contained in what it returns,
with secrets left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from nemo_eval_operator.evaluator.model import MASK
from nemo_eval_operator.json_types import JsonObject

__all__ = ["digest_of", "drifted_paths", "keeps_secret", "leftover_paths", "update_body"]

MANAGED_FIELDS: Final = ("params", "tasks", "groups", "description", "project")
"""Fields in which an additional key is a remainder of an earlier spec, not a default of the server."""

SERVER_FIELDS: Final = frozenset(
    {
        "created_at",
        "custom_fields",
        "description",
        "id",
        "name",
        "namespace",
        "ownership",
        "project",
        "schema_version",
        "type_prefix",
        "updated_at",
        "version_id",
        "version_tags",
    }
)
"""Fields that the server adds to a nested dataset or model."""


def drifted_paths(desired: JsonValue, actual: JsonValue) -> Iterator[str]:
    """Return the paths at which `actual` lacks or contradicts a value of `desired`."""
    return (path for path, _ in _differences(desired, actual, ""))


def digest_of(desired: JsonObject, actual: JsonObject) -> str:
    """Digest of `desired` and of each difference of `actual` to it: what was written, and how it is kept.

    `desired` has a mask in place of each value of a Secret: a digest of a short one could be guessed.
    """
    differences = dict(_differences(desired, actual, ""))
    for path in leftover_paths(desired, actual):
        differences[".".join(path)] = _value_at(actual, path)
    whole = to_json([desired, sorted(differences.items())], inf_nan_mode="constants")
    return hashlib.sha256(whole).hexdigest()


def keeps_secret(desired: JsonObject, actual: JsonObject) -> bool:
    """Return whether the evaluator still has a secret that `desired` does not mention."""
    return any(_value_at(actual, path) == MASK for path in leftover_paths(desired, actual))


def _differences(desired: JsonValue, actual: JsonValue, path: str) -> Iterator[tuple[str, JsonValue]]:
    """Each path at which the two differ, with what `actual` has there. A masked value is not compared."""
    match desired, actual:
        case _, str(text) if text == MASK:
            return
        case str(text), _ if text == MASK and actual is not None:
            return
        case dict(), dict():
            for key, value in desired.items():
                if value is not None or actual.get(key) is not None:
                    yield from _differences(value, actual.get(key), _join(path, key))
        case list(), list() if len(desired) == len(actual):
            for index, (wanted, found) in enumerate(zip(desired, actual, strict=True)):
                yield from _differences(wanted, found, _join(path, str(index)))
        case str(reference), dict() if path.endswith("dataset") and reference in _names_of(actual):
            return
        case _:
            if desired != actual:
                yield path, actual


def leftover_paths(desired: JsonObject, actual: JsonObject) -> list[tuple[str, ...]]:
    """Keys that the evaluator still holds although the spec no longer has them."""
    found: list[tuple[str, ...]] = []
    for field in MANAGED_FIELDS:
        if field in desired:
            found.extend(_leftovers(desired[field], actual.get(field), (field,)))
        elif actual.get(field):
            found.append((field,))
    return found


def update_body(desired: JsonObject, current: JsonObject) -> JsonObject:
    """The PATCH from `current` to `desired`: a null is how a merge patch (RFC 7396) removes a key."""
    patch = deepcopy(desired)
    for *parents, last in leftover_paths(desired, current):
        node = patch
        for parent in parents:
            child = node.setdefault(parent, {})
            node = child if isinstance(child, dict) else {}
        node[last] = None
    return patch


def _names_of(dataset: JsonObject) -> tuple[JsonValue, str]:
    """The two ways in which a config may refer to a dataset that the server then spells out."""
    return dataset.get("files_url"), f"{dataset.get('namespace')}/{dataset.get('name')}"


def _leftovers(desired: JsonValue, actual: JsonValue, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not (isinstance(desired, dict) and isinstance(actual, dict)):
        return
    decorated = path[-1] in {"dataset", "model"}
    for key, value in actual.items():
        if key in desired:
            yield from _leftovers(desired[key], value, (*path, key))
        elif value not in (None, {}, []) and not (decorated and key in SERVER_FIELDS):
            yield (*path, key)


def _value_at(document: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key

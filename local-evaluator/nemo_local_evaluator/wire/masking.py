"""Secrets leave a document before it is stored or answered, and come back only to make a call.

`mask` takes them out and leaves six asterisks; `reveal` puts them in again. The storage keeps them in a
table of its own, so that no listing, log or snapshot can carry one by accident.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

__all__ = ["MASK", "Secrets", "beneath", "mask", "reveal", "without_masks", "without_moved"]

MASK: Final = "******"

_ALWAYS: Final = frozenset({"api_key", "hf_token"})
_SUFFIXES: Final = ("_key", "_token", "password")
_SCOPES: Final = frozenset({"params", "extra", "api_endpoint"})
# Rows and custom fields are the caller's own data: a column named "answer_key" is not a secret.
_DATA: Final = frozenset({"rows", "custom_fields"})

_ADDRESS: Final = re.compile(r".*(?:url|uri|endpoint|host|address)", re.IGNORECASE)
"""Fields with the address to which a secret next to or below them is sent."""

Secrets = Mapping[str, str]
"""Secrets by their place, a JSON list of keys."""


def mask(
    document: Mapping[str, Any], *, known: Secrets | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The document without its secrets, and the secrets.

    A caller that sends back asterisks it was answered means the secret it gave before: the one in `known`.
    """
    masked = deepcopy(dict(document))
    secrets: dict[str, str] = {}
    for holder, key, place in _places(masked, path=(), scoped=False):
        pointer = json.dumps(place)
        value = holder[key]
        if value == MASK:
            value = (known or {}).get(pointer, MASK)
        if value != MASK:
            secrets[pointer] = value
        holder[key] = MASK
    return masked, secrets


def reveal(document: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    revealed = deepcopy(dict(document))
    for pointer, value in secrets.items():
        *path, key = json.loads(pointer)
        holder: Any = revealed
        for step in path:
            holder = holder[step]
        holder[key] = value
    return revealed


def without_moved(before: Mapping[str, Any], after: Mapping[str, Any], secrets: Secrets) -> dict[str, str]:
    """Return the secrets of `before` that may stay in `after`, the document that replaces it.

    A secret was given for one address. Where that address is another one in `after`, the secret is left out:
    else a client that may change a document, but not read its secrets, could have them sent to itself.
    """
    return {
        pointer: secret
        for pointer, secret in secrets.items()
        if _addresses(before, pointer) == _addresses(after, pointer)
    }


def without_masks(document: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    """Return the document without the masks at these places; what is not a mask stays."""
    changed = deepcopy(dict(document))
    for pointer in pointers:
        *path, key = json.loads(pointer)
        holder: Any = changed
        for step in path:
            try:
                holder = holder[step]
            except (KeyError, IndexError, TypeError):
                holder = None
        if isinstance(holder, dict) and holder.get(key) == MASK:
            del holder[key]
    return changed


def _addresses(document: Mapping[str, Any], pointer: str) -> list[dict[str, Any]]:
    """The address fields beside the place that `pointer` names, and beside each object around it."""
    addresses = []
    node: Any = document
    for step in json.loads(pointer):
        if isinstance(node, Mapping):
            addresses.append(
                {
                    key: value
                    for key, value in node.items()
                    if not isinstance(value, Mapping | list) and _ADDRESS.fullmatch(key)
                }
            )
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            break
    return addresses


def beneath(prefix: str, secrets: Secrets) -> dict[str, str]:
    """The same secrets, for a document that embeds theirs under the key `prefix`."""
    return {json.dumps([prefix, *json.loads(pointer)]): value for pointer, value in secrets.items()}


def _places(
    node: Any, *, path: tuple[str | int, ...], scoped: bool
) -> Iterator[tuple[dict[str, Any], str, tuple[str | int, ...]]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _places(item, path=(*path, index), scoped=scoped)
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str) and (key in _ALWAYS or (scoped and key.endswith(_SUFFIXES))):
                yield node, key, (*path, key)
            elif key not in _DATA:
                yield from _places(value, path=(*path, key), scoped=scoped or key in _SCOPES)

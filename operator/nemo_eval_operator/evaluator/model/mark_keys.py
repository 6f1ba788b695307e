"""The keys of `custom_fields` that the operator writes, and what is kept of an answer's `custom_fields`."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ATTEMPT",
    "CLUSTER",
    "CONNECTION",
    "MARKS",
    "NAME",
    "NAMESPACE",
    "NONCE",
    "UID",
    "marks_in",
]

UID: Final = "k8s-uid"
NAMESPACE: Final = "k8s-namespace"
NAME: Final = "k8s-name"
CLUSTER: Final = "k8s-cluster"
CONNECTION: Final = "k8s-connection"
ATTEMPT: Final = "k8s-attempt"
NONCE: Final = "k8s-nonce"

MARKS: Final = frozenset({UID, NAMESPACE, NAME, CLUSTER, CONNECTION, ATTEMPT, NONCE})
"""Keys of custom_fields that only the operator writes."""

MAX_MARK_CHARACTERS: Final = 512
"""Kept of the value of a mark. The longest that the operator writes is NAMESPACE/NAME, 317 characters."""

NOT_OURS: Final = "?"
"""Kept for a value that is not a text. The operator writes no mark with this value."""


def marks_in(custom_fields: object) -> dict[str, str]:
    """The operator's marks among `custom_fields` of an answer; no other value is kept, since it may be long.

    A mark of another form remains a mark, which belongs to another owner.
    """
    if not isinstance(custom_fields, dict):
        return {}
    return {
        key: value[:MAX_MARK_CHARACTERS] if isinstance(value, str) else NOT_OURS
        for key in MARKS
        if (value := custom_fields.get(key)) is not None
    }

"""Keys of the operator's objects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from nemo_eval_operator.resources import (
    GROUP,
    VERSION,
    NemoBenchmark,
    NemoEvalJob,
    NemoEvaluatorConnection,
)

from .api_server import segment

__all__ = ["API", "AnyResource", "ObjectKey", "key_of", "named"]

AnyResource = NemoBenchmark | NemoEvalJob | NemoEvaluatorConnection

API: Final = f"/apis/{GROUP}/{VERSION}"
"""Path of the operator's API group."""

MAX_NAMED: Final = 10
"""Objects named in one line of the log."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Key of one object; `plural` is as in the URL, for example nemoevaljobs."""

    plural: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"{API}/namespaces/{segment(self.namespace)}/{self.plural}/{segment(self.name)}"


def key_of(resource: AnyResource) -> ObjectKey:
    """Return the object's key."""
    return ObjectKey(
        plural=resource.PLURAL, namespace=resource.metadata.namespace, name=resource.metadata.name
    )


def named(keys: Collection[ObjectKey]) -> str:
    """Return the first objects by kind and name, and the number of the others."""
    names = ", ".join(f"{key.plural} {key.namespace}/{key.name}" for key in sorted(keys)[:MAX_NAMED])
    return names if len(keys) <= MAX_NAMED else f"{names} and {len(keys) - MAX_NAMED} more"

"""Keys of the operator's objects."""

from __future__ import annotations

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

__all__ = ["API", "AnyResource", "ObjectKey", "key_of"]

AnyResource = NemoBenchmark | NemoEvalJob | NemoEvaluatorConnection

API: Final = f"/apis/{GROUP}/{VERSION}"
"""Path of the operator's API group."""


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

"""Guard of NEMO_REQUIRE_SECRET_LABEL: whether the operator may read a Secret that an object names.

The author of a job chooses both the Secret and the URL that its value is sent to, which without a guard is
equivalent to reading every Secret of the namespace. With it, the owner has to release a Secret by a label. It
is a label, not an annotation, since labels can be selected: `kubectl get secrets --selector` lists what is
released, and an admission policy can match it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ALLOW_LABEL", "is_released", "not_released"]

ALLOW_LABEL: Final = "evaluator.nemo.dev/allow"
"""Label of a Secret that the operator may read; its value has to be "true"."""


def is_released(labels: Mapping[str, str]) -> bool:
    """Return whether the labels of a Secret allow the operator to read it."""
    return labels.get(ALLOW_LABEL) == "true"


def not_released(field: str, namespace: str, name: str) -> str:
    """The message about a Secret that `field` names and that was not released."""
    return (
        f"{field}: Secret {namespace}/{name} is not read, as it does not carry the label {ALLOW_LABEL}=true, "
        f"which this operator requires. If its owner agrees: kubectl label secret {name} --namespace "
        f"{namespace} {ALLOW_LABEL}=true"
    )

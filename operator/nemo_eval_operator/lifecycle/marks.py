"""Our marks: how an object of ours is known again, in Kubernetes and in the evaluator.

The evaluator's `custom_fields` are the only client-supplied place that configs and
jobs both echo; their values are strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.resources import EvaluatorUsed, ObjectMeta

__all__ = [
    "ADOPT_ANNOTATION",
    "FINALIZER",
    "RERUN_ANNOTATION",
    "attempt_carried",
    "carries_object",
    "claim_of",
    "claimed_evaluator",
    "is_claimed",
    "mark_of_attempt",
    "mark_of_object",
    "may_take_over",
    "owned_by_gitops",
]

FINALIZER: Final = "evaluator.nemo.dev/finalizer"
ADOPT_ANNOTATION: Final = "evaluator.nemo.dev/adopt"
CLAIM_ANNOTATION: Final = "evaluator.nemo.dev/claimed-by-uid"
CLAIM_EVALUATOR_ANNOTATION: Final = "evaluator.nemo.dev/claimed-for"
RERUN_ANNOTATION: Final = "evaluator.nemo.dev/rerun"

UID: Final = "k8s-uid"
ATTEMPT: Final = "k8s-attempt"
MAX_ATTEMPT_DIGITS: Final = 9
"""Others may write our marks too; Python refuses to read a number of thousands of digits."""
NONCE: Final = "k8s-nonce"

GITOPS_MARKS: Final = (
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
)
"""Labels and annotations by which Argo CD, Flux and Helm claim an object."""


def mark_of_object(meta: ObjectMeta) -> dict[str, str]:
    return {UID: meta.uid, "k8s-namespace": meta.namespace, "k8s-name": meta.name}


def mark_of_attempt(meta: ObjectMeta, *, attempt: int, nonce: str) -> dict[str, str]:
    return mark_of_object(meta) | {ATTEMPT: str(attempt), NONCE: nonce}


def carries_object(custom_fields: Mapping[str, JsonValue], meta: ObjectMeta) -> bool:
    return custom_fields.get(UID) == meta.uid


def attempt_carried(custom_fields: Mapping[str, JsonValue], meta: ObjectMeta) -> int | None:
    """The number of this object's attempt that a remote job is; None where it is none of its.

    Uid and number, not the nonce: whoever submitted the attempt, and however often, it is one evaluation.
    """
    number = custom_fields.get(ATTEMPT)
    if not carries_object(custom_fields, meta) or not isinstance(number, str):
        return None
    return int(number) if number.isdecimal() and len(number) <= MAX_ATTEMPT_DIGITS else None


def is_claimed(meta: ObjectMeta) -> bool:
    """Whether this very object was made ready for submission before; a copy of it has another uid."""
    return meta.annotations.get(CLAIM_ANNOTATION) == meta.uid


def claim_of(meta: ObjectMeta, evaluator: EvaluatorUsed | None = None) -> dict[str, str]:
    """The annotations that outlive finalizer and status: whose they are, and where it may be found."""
    claim = {CLAIM_ANNOTATION: meta.uid}
    if evaluator is not None:
        claim[CLAIM_EVALUATOR_ANNOTATION] = f"{evaluator.url} {evaluator.connection or ''}".rstrip()
    return claim


def claimed_evaluator(meta: ObjectMeta) -> EvaluatorUsed | None:
    """The evaluator that this very object was made ready to be submitted to; None where that is not known."""
    url, _, connection = meta.annotations.get(CLAIM_EVALUATOR_ANNOTATION, "").partition(" ")
    return EvaluatorUsed(url=url, connection=connection or None) if is_claimed(meta) and url else None


def may_take_over(meta: ObjectMeta) -> bool:
    """Whether a person has allowed the object to overwrite a config that is not its own."""
    return meta.annotations.get(ADOPT_ANNOTATION) == "true"


def owned_by_gitops(meta: ObjectMeta) -> str | None:
    """The mark by which a GitOps tool owns the object; deleting such an object makes it come back."""
    return next((mark for mark in GITOPS_MARKS if mark in meta.annotations or mark in meta.labels), None)

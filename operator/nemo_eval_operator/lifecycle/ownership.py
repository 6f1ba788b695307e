"""Ownership marks by which the operator recognises its objects, in Kubernetes and in the evaluator.

The evaluator's `custom_fields` are the only client-supplied place that configs and
jobs both echo; their values are strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import mark_keys, readable
from nemo_eval_operator.resources import EvaluatorUsed, ObjectMeta

__all__ = [
    "ADOPT_ANNOTATION",
    "FINALIZER",
    "RERUN_ANNOTATION",
    "OwnerMark",
    "Ownership",
    "attempt_carried",
    "claim_of",
    "claimed_evaluator",
    "is_claimed",
    "is_owned_by",
    "mark_of_attempt",
    "mark_of_object",
    "may_take_over",
    "owned_by_gitops",
    "owner_mark",
    "owner_named",
    "ownership_of",
    "uid_carried",
    "without_marks",
]

FINALIZER: Final = "evaluator.nemo.dev/finalizer"
ADOPT_ANNOTATION: Final = "evaluator.nemo.dev/adopt"
CLAIM_ANNOTATION: Final = "evaluator.nemo.dev/claimed-by-uid"
CLAIM_EVALUATOR_ANNOTATION: Final = "evaluator.nemo.dev/claimed-for"
RERUN_ANNOTATION: Final = "evaluator.nemo.dev/rerun"

MAX_ATTEMPT_DIGITS: Final = 9
"""Others may write our marks too; Python refuses to read a number of thousands of digits."""

MAX_OWNER_CHARACTERS: Final = 200
"""Characters that are shown of a mark's text, which others may have written."""

OBJECT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""Pattern of names that Kubernetes accepts; a mark with another text was not written by the operator."""

GITOPS_MARKS: Final = (
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
)
"""Labels and annotations by which Argo CD, Flux and Helm claim an object."""


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """The NemoEvalJob that a remote job's mark names."""

    namespace: str
    name: str
    uid: str
    connection: str | None
    """The one by which it was submitted, as NAMESPACE/NAME; None for the operator's own evaluator."""


class Ownership(Enum):
    """Whose config it is, judged by its mark."""

    OWN = auto()
    UNMARKED = auto()
    SAME_NAMESPACE = auto()
    """Owned by another object of this Kubernetes namespace, or by an earlier one of the same name."""
    FOREIGN = auto()
    """Owned by another Kubernetes namespace or cluster, or by one that the mark does not name."""


def mark_of_object(meta: ObjectMeta, *, cluster: str = "") -> dict[str, str]:
    """The mark of `meta`'s object; `cluster` is the administrator's name for this cluster, if it has one."""
    return {mark_keys.UID: meta.uid, mark_keys.NAMESPACE: meta.namespace, mark_keys.NAME: meta.name} | (
        {mark_keys.CLUSTER: cluster} if cluster else {}
    )


def mark_of_attempt(
    meta: ObjectMeta, *, attempt: int, nonce: str, cluster: str = "", connection: str | None = None
) -> dict[str, str]:
    """The mark of an attempt; `connection`: the one by which it is submitted, as NAMESPACE/NAME."""
    mark = mark_of_object(meta, cluster=cluster) | {mark_keys.ATTEMPT: str(attempt), mark_keys.NONCE: nonce}
    return mark | ({mark_keys.CONNECTION: connection} if connection else {})


def ownership_of(custom_fields: Mapping[str, JsonValue], meta: ObjectMeta, *, cluster: str = "") -> Ownership:
    """Return who owns a config with these `custom_fields`, relative to the object with `meta`.

    The namespace decides before the uid. Marks of earlier releases may lack it: then the uid decides, and a
    config with another uid is foreign, since nothing says which namespace has it. Namespaces of two clusters
    may have equal names: with a `cluster`, a config that names no cluster or another one is foreign, unless
    it has this object's uid, which is unique.
    """
    mark = {key: custom_fields[key] for key in mark_keys.MARKS if custom_fields.get(key) is not None}
    if not mark:
        return Ownership.UNMARKED
    if mark.get(mark_keys.NAMESPACE, meta.namespace) != meta.namespace:
        return Ownership.FOREIGN
    if mark.get(mark_keys.UID) == meta.uid:
        return Ownership.OWN
    known = mark_keys.NAMESPACE in mark and mark.get(mark_keys.CLUSTER, "") == cluster
    return Ownership.SAME_NAMESPACE if known else Ownership.FOREIGN


def owner_named(custom_fields: Mapping[str, JsonValue]) -> str:
    """The owner that a mark names, for a message."""
    parts = [custom_fields.get(key) for key in (mark_keys.CLUSTER, mark_keys.NAMESPACE, mark_keys.NAME)]
    named = "/".join(part for part in parts if isinstance(part, str) and part)
    return readable(named, MAX_OWNER_CHARACTERS) or "an owner that its mark does not name"


def without_marks(custom_fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A user's own custom_fields: what only the operator may write is left out."""
    return {key: value for key, value in custom_fields.items() if key not in mark_keys.MARKS}


def is_owned_by(custom_fields: Mapping[str, JsonValue], meta: ObjectMeta) -> bool:
    return custom_fields.get(mark_keys.UID) == meta.uid


def owner_mark(custom_fields: Mapping[str, JsonValue], *, cluster: str = "") -> OwnerMark | None:
    """The object that a mark names; None for no mark, another cluster's, or an impossible name."""
    namespace, name, uid = (
        custom_fields.get(key) for key in (mark_keys.NAMESPACE, mark_keys.NAME, mark_keys.UID)
    )
    if not (isinstance(namespace, str) and isinstance(name, str) and isinstance(uid, str)):
        return None
    if custom_fields.get(mark_keys.CLUSTER, "") != cluster or not uid:
        return None
    if not (OBJECT_NAME.fullmatch(namespace) and OBJECT_NAME.fullmatch(name)):
        return None
    connection = custom_fields.get(mark_keys.CONNECTION)
    return OwnerMark(namespace, name, uid, connection if isinstance(connection, str) else None)


def uid_carried(custom_fields: Mapping[str, JsonValue]) -> str | None:
    """The uid of the object that a mark names."""
    uid = custom_fields.get(mark_keys.UID)
    return uid if isinstance(uid, str) else None


def attempt_carried(custom_fields: Mapping[str, JsonValue], meta: ObjectMeta) -> int | None:
    """Return which attempt of this object a remote job is; None where it belongs to another object.

    Uid and number count, not the nonce: an attempt is one evaluation, however often it was submitted.
    """
    number = custom_fields.get(mark_keys.ATTEMPT)
    if not is_owned_by(custom_fields, meta) or not isinstance(number, str):
        return None
    return int(number) if number.isdecimal() and len(number) <= MAX_ATTEMPT_DIGITS else None


def is_claimed(meta: ObjectMeta) -> bool:
    """Return whether this object was prepared for submission before; a copy of it has another uid."""
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
    """Return whether the object's annotation allows it to overwrite a config that is not its own."""
    return meta.annotations.get(ADOPT_ANNOTATION) == "true"


def owned_by_gitops(meta: ObjectMeta) -> str | None:
    """The mark by which a GitOps tool owns the object; deleting such an object makes it come back."""
    return next((mark for mark in GITOPS_MARKS if mark in meta.annotations or mark in meta.labels), None)

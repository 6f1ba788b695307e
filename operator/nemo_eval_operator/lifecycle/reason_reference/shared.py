"""Entries of reasons that jobs and benchmarks share: their sources, and the evaluator that they use."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.reasons import Reason

from .entries import ConditionEntry

__all__ = ["EVALUATOR_ENTRIES", "SOURCE_ENTRIES", "SPEC_ENTRIES"]

WORKING: Final = (ConditionSet.WORKING,)
STALLED: Final = (ConditionSet.STALLED,)

SPEC_ENTRIES: Final = (
    ConditionEntry(
        Reason.INVALID_SPEC,
        STALLED,
        "A field of the spec cannot be used.",
        "Correct the field that the message names; where it cannot be changed, create another object.",
    ),
    ConditionEntry(
        Reason.OBJECT_TOO_LARGE,
        STALLED,
        "The object has more values or bytes than the operator reads.",
        "Make the spec smaller: refer to data by files_url or configMapRef.",
    ),
    ConditionEntry(
        Reason.FINALIZER_REFUSED,
        STALLED,
        "Kubernetes refused the operator's finalizer or annotations, without which nothing is started.",
        "Correct the metadata if the message names it; otherwise ask the cluster's administrator.",
    ),
)

SOURCE_ENTRIES: Final = (
    ConditionEntry(
        Reason.INVALID_DATASET,
        STALLED,
        "The rows of a configMapRef cannot be used, or are too large.",
        "Correct the line that the message names, or make the data smaller; a corrected ConfigMap is noticed "
        "within a minute.",
    ),
    ConditionEntry(
        Reason.HOST_NOT_ALLOWED,
        STALLED,
        "A URL in the spec names a host that NEMO_ALLOWED_MODEL_HOSTS does not list.",
        "Use a host of the list, or ask the administrator to add this one.",
    ),
    ConditionEntry(
        Reason.CONFIG_MAP_NOT_FOUND,
        WORKING,
        "A ConfigMap, or its key, does not exist.",
        "Create the ConfigMap or the key that the message names; the object proceeds within a minute.",
    ),
    ConditionEntry(
        Reason.SECRET_NOT_FOUND,
        WORKING,
        "A Secret of spec.valuesFrom, or its key, does not exist.",
        "Create the Secret or the key that the message names; the object proceeds within a minute.",
    ),
    ConditionEntry(
        Reason.SECRET_NOT_ALLOWED,
        WORKING,
        "The Secret lacks the label that NEMO_REQUIRE_SECRET_LABEL asks for.",
        "Its owner adds the label that the message gives.",
    ),
    ConditionEntry(
        Reason.SECRET_TOO_LARGE,
        WORKING,
        "The values of spec.valuesFrom are too large to be masked.",
        "Refer to keys that hold credentials alone.",
    ),
)

EVALUATOR_ENTRIES: Final = (
    ConditionEntry(
        Reason.CONNECTION_NOT_FOUND,
        WORKING,
        "The NemoEvaluatorConnection does not exist.",
        "Create it, or correct spec.evaluatorRef in another object.",
    ),
    ConditionEntry(
        Reason.CONNECTION_NOT_ALLOWED,
        STALLED,
        "The NemoEvaluatorConnection of another namespace does not exist or does not allow this namespace.",
        "Its owner adds the namespace to spec.allowedNamespaces.",
    ),
    ConditionEntry(
        Reason.CONNECTION_NOT_READY,
        (ConditionSet.WORKING, ConditionSet.STALLED),
        "The NemoEvaluatorConnection cannot be used: a Secret, certificate or its URL is missing or invalid.",
        "Correct the connection as the message says.",
    ),
    ConditionEntry(
        Reason.CONNECTION_TERMINATING,
        WORKING,
        "The NemoEvaluatorConnection is being deleted, and nothing is started on it.",
        "Create the connection again, or use another one.",
    ),
    ConditionEntry(
        Reason.EVALUATOR_CHANGED,
        STALLED,
        "It was submitted to one URL, and its NemoEvaluatorConnection now has another; or "
        "NVIDIA_EVALUATOR_URL has another, and the evaluator there does not know the run.",
        "Restore the URL until it has ended, or delete the object.",
    ),
    ConditionEntry(
        Reason.EVALUATOR_UNREACHABLE,
        WORKING,
        "The evaluator does not answer.",
        "The object proceeds when it answers; look at the connection or at NVIDIA_EVALUATOR_URL if it stays.",
    ),
    ConditionEntry(
        Reason.EVALUATOR_UNAUTHORIZED,
        WORKING,
        "The evaluator or a gateway before it refuses the operator's credentials (401, 403).",
        "Correct the Secret of the connection, or the operator's token.",
    ),
    ConditionEntry(
        Reason.EVALUATOR_BUSY,
        WORKING,
        "The evaluator answers 429.",
        "",
    ),
    ConditionEntry(
        Reason.EVALUATOR_REFUSING,
        WORKING,
        "The evaluator answers as if it had no such operation or resource (404, 405, 501).",
        "Check that the URL is a NeMo Evaluator's.",
    ),
    ConditionEntry(
        Reason.INTERNAL_ERROR,
        WORKING,
        "A part of the operator failed, was logged with its trace and is retried.",
        "Please report it.",
    ),
)

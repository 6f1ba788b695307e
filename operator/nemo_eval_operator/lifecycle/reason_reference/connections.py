"""Entries of NemoEvaluatorConnection."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.reasons import Reason

from .entries import ConditionEntry
from .shared import SPEC_ENTRIES

__all__ = ["CONNECTION_ENTRIES"]

WORKING: Final = (ConditionSet.WORKING,)
STALLED: Final = (ConditionSet.STALLED,)

RETRIED: Final = "Check that the evaluator runs and can be reached; jobs continue when it answers."

CONNECTION_ENTRIES: Final = (
    ConditionEntry(Reason.REACHABLE, (ConditionSet.READY,), "The evaluator answers.", ""),
    ConditionEntry(Reason.DNS_ERROR, WORKING, "The host name cannot be resolved.", RETRIED),
    ConditionEntry(Reason.CONNECTION_REFUSED, WORKING, "Nothing listens at the address.", RETRIED),
    ConditionEntry(Reason.TIMED_OUT, WORKING, "No answer came in time.", RETRIED),
    ConditionEntry(Reason.UNREACHABLE, WORKING, "The call failed before an answer came.", RETRIED),
    ConditionEntry(Reason.SERVER_ERROR, WORKING, "The evaluator answers 408 or 5xx.", RETRIED),
    ConditionEntry(Reason.BUSY, WORKING, "The evaluator answers 429.", RETRIED),
    ConditionEntry(
        Reason.UNAUTHORIZED,
        STALLED,
        "The credentials are refused (401, 403).",
        "Correct the Secret of spec.auth.",
    ),
    ConditionEntry(
        Reason.TLS_ERROR,
        STALLED,
        "The TLS handshake failed.",
        "Correct spec.tls, or the server's certificate.",
    ),
    ConditionEntry(
        Reason.NOT_AN_EVALUATOR,
        STALLED,
        "What answers is not a NeMo Evaluator, or redirects elsewhere.",
        "Correct spec.url.",
    ),
    ConditionEntry(
        Reason.ADDRESS_FORBIDDEN,
        STALLED,
        "The URL leads to an address that no connection may use, such as link-local ones.",
        "Correct spec.url.",
    ),
    ConditionEntry(
        Reason.CONNECTION_NOT_READY,
        (ConditionSet.WORKING, ConditionSet.STALLED),
        "A Secret, ConfigMap or key is missing or unusable, or the Secret is not released for the operator "
        "(NEMO_REQUIRE_SECRET_LABEL).",
        "Correct the field that the message names.",
    ),
    ConditionEntry(
        Reason.INTERNAL_ERROR,
        WORKING,
        "A loop of the operator failed, was logged with its trace and is restarted; other connections are "
        "not affected.",
        "Please report it.",
    ),
    *SPEC_ENTRIES,
    ConditionEntry(
        Reason.DEFAULT_CONFLICT,
        (),
        "Several connections of the namespace have spec.default true; the oldest is used.",
        "Set spec.default to false on the others.",
    ),
    ConditionEntry(
        Reason.INSECURE_SKIP_VERIFY,
        (),
        "spec.tls.insecureSkipVerify is true: anyone in between can read the credentials.",
        "Name the evaluator's certificate authority in spec.tls.ca instead.",
    ),
    ConditionEntry(
        Reason.CONNECTION_IN_USE,
        (),
        "The connection is being deleted, and objects that the message names still need it.",
        "Wait for them to end, or delete them.",
    ),
)

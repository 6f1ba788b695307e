"""Table of what an evaluator's error means, by the operation that failed: the one place that decides it.

`evaluator/http/answers.py: refusal` maps an HTTP status code to an error class. `meaning_of` maps the class
and the operation to everything else: reason, conditions, retry, circuit breaker, metric label and hint. The
reconcilers, the circuit breaker and the functions that make a status only read it. The row of a 503 to a
"create job" is `CREATE_JOB[Failure.GATEWAY_ERROR]`.

The kinds spell some reasons differently, which is API: a NemoEvaluatorConnection says Busy, Unauthorized and
Unreachable (`CHECK`) where jobs and benchmarks say EvaluatorBusy, EvaluatorUnauthorized and
EvaluatorUnreachable (all other tables).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from nemo_eval_operator.evaluator.model import EvaluatorError, Fault, Unavailable
from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.lifecycle.infrastructure import is_infrastructure
from nemo_eval_operator.reasons import Reason

from .terms import BreakerAction, Failure, Meaning, Operation, Retry, failure_of

__all__ = ["CONFIG_RECHECK_SECONDS", "LOOK_UP_HINT", "meaning_of"]

WORKING: Final = ConditionSet.WORKING
STALLED: Final = ConditionSet.STALLED
NOW: Final = Retry.NOW
BACKOFF: Final = Retry.BACKOFF
NEVER: Final = Retry.NEVER
TRIP: Final = BreakerAction.TRIP
PROBE: Final = BreakerAction.PROBE
LEAVE: Final = BreakerAction.LEAVE

LOOK_UP_HINT: Final = "Looking for the job in the evaluator before submitting again"
WHICH_URL: Final = "Is this URL a NeMo Evaluator?"

CONFIG_RECHECK_SECONDS: Final = 5.0
"""Time for a config that the evaluator has lost to be created again."""

Table = Mapping[Failure, Meaning]

UNCERTAIN: Final = Meaning(Reason.SUBMISSION_UNCERTAIN, WORKING, NOW, LEAVE, LOOK_UP_HINT)

CREATE_JOB: Final[Table] = {
    Failure.NO_CONNECTION: Meaning(Reason.EVALUATOR_UNREACHABLE, WORKING, NOW, TRIP),
    # A refused POST does not trip the breaker: the probe is a read, would succeed, and reset it at once.
    Failure.MISROUTED: Meaning(Reason.EVALUATOR_UNREACHABLE, WORKING, BACKOFF, LEAVE),
    Failure.UNAUTHORIZED: Meaning(Reason.EVALUATOR_UNAUTHORIZED, WORKING, BACKOFF, LEAVE),
    Failure.BUSY: Meaning(Reason.EVALUATOR_BUSY, WORKING, BACKOFF, LEAVE),
    Failure.NO_ANSWER: replace(UNCERTAIN, breaker=PROBE),
    Failure.GATEWAY_ERROR: UNCERTAIN,
    Failure.SERVER_ERROR: UNCERTAIN,
    Failure.MALFORMED: UNCERTAIN,
    Failure.MISSING: Meaning(
        Reason.EVALUATOR_REFUSING,
        WORKING,
        BACKOFF,
        LEAVE,
        "Tried again once the config is there",
        CONFIG_RECHECK_SECONDS,
        rechecks_config=True,
    ),
    Failure.UNSUPPORTED: Meaning(
        Reason.EVALUATOR_REFUSING,
        WORKING,
        BACKOFF,
        LEAVE,
        WHICH_URL,
        CONFIG_RECHECK_SECONDS,
        rechecks_config=True,
    ),
    # What to correct depends on the job: `lifecycle/job/end_status.py` adds it.
    Failure.CONFLICTING: Meaning(Reason.EVALUATOR_REJECTED, ConditionSet.FAILED, NEVER, LEAVE),
    Failure.REJECTED: Meaning(Reason.EVALUATOR_REJECTED, ConditionSet.FAILED, NEVER, LEAVE),
}

CONFIG: Final[Table] = {
    Failure.NO_CONNECTION: Meaning(Reason.EVALUATOR_UNREACHABLE, WORKING, BACKOFF, TRIP),
    Failure.MISROUTED: Meaning(Reason.EVALUATOR_UNREACHABLE, WORKING, BACKOFF, TRIP),
    Failure.UNAUTHORIZED: Meaning(Reason.EVALUATOR_UNAUTHORIZED, WORKING, BACKOFF, TRIP),
    Failure.BUSY: Meaning(Reason.EVALUATOR_BUSY, WORKING, BACKOFF, TRIP),
    Failure.NO_ANSWER: Meaning(Reason.EVALUATOR_FAILING, WORKING, BACKOFF, PROBE),
    Failure.GATEWAY_ERROR: Meaning(Reason.EVALUATOR_FAILING, WORKING, BACKOFF, LEAVE),
    Failure.SERVER_ERROR: Meaning(Reason.EVALUATOR_FAILING, WORKING, BACKOFF, LEAVE),
    Failure.MALFORMED: Meaning(Reason.EVALUATOR_FAILING, WORKING, BACKOFF, LEAVE),
    Failure.MISSING: Meaning(Reason.EVALUATOR_REFUSING, WORKING, BACKOFF, LEAVE, WHICH_URL),
    Failure.UNSUPPORTED: Meaning(Reason.EVALUATOR_REFUSING, WORKING, BACKOFF, LEAVE, WHICH_URL),
    Failure.CONFLICTING: Meaning(Reason.CONFIG_IN_USE, WORKING, BACKOFF, LEAVE),
    Failure.REJECTED: Meaning(Reason.EVALUATOR_REJECTED, STALLED, NEVER, LEAVE, "Correct spec.config"),
}

NOT_AN_EVALUATOR: Final = Meaning(Reason.NOT_AN_EVALUATOR, STALLED, BACKOFF, TRIP, WHICH_URL)

CHECK: Final[Table] = {
    Failure.NO_CONNECTION: Meaning(Reason.UNREACHABLE, WORKING, BACKOFF, TRIP),
    Failure.MISROUTED: NOT_AN_EVALUATOR,
    Failure.UNAUTHORIZED: Meaning(Reason.UNAUTHORIZED, STALLED, BACKOFF, TRIP),
    Failure.BUSY: Meaning(Reason.BUSY, WORKING, BACKOFF, TRIP),
    Failure.NO_ANSWER: Meaning(Reason.UNREACHABLE, WORKING, BACKOFF, TRIP),
    Failure.GATEWAY_ERROR: Meaning(Reason.SERVER_ERROR, WORKING, BACKOFF, TRIP),
    Failure.SERVER_ERROR: Meaning(Reason.SERVER_ERROR, WORKING, BACKOFF, TRIP),
    Failure.MALFORMED: NOT_AN_EVALUATOR,
    Failure.MISSING: NOT_AN_EVALUATOR,
    Failure.UNSUPPORTED: NOT_AN_EVALUATOR,
    Failure.CONFLICTING: NOT_AN_EVALUATOR,
    Failure.REJECTED: NOT_AN_EVALUATOR,
}

FAULTS: Final[Mapping[Fault, ConditionSet]] = {
    Fault.ADDRESS_FORBIDDEN: STALLED,
    Fault.DNS: WORKING,
    Fault.REFUSED: WORKING,
    Fault.TLS: STALLED,
    Fault.TIMEOUT: WORKING,
}
"""Conditions of a connection by what failed on the way to its evaluator; the fault is the reason."""

SERVER_SIDE: Final = frozenset({Failure.NO_ANSWER, Failure.GATEWAY_ERROR, Failure.SERVER_ERROR})

TRIPPING: Final = frozenset({Failure.NO_CONNECTION, Failure.MISROUTED, Failure.UNAUTHORIZED, Failure.BUSY})
"""Failures after which the evaluator surely did nothing; reads of other objects would fail as well."""

NOT_ANSWERED: Final = frozenset({Failure.NO_CONNECTION, Failure.NO_ANSWER})
"""Failures of calls without an answer."""

STATUS_UNCHANGED: Final[Table] = {
    failure: Meaning(
        None,
        None,
        BACKOFF,
        TRIP if failure in TRIPPING else PROBE if failure is Failure.NO_ANSWER else LEAVE,
    )
    for failure in Failure
}
"""Rows of operations whose failure changes no status: the breaker reports an outage to all objects."""

READ_JOB: Final[Table] = {
    failure: meaning
    if failure in {*NOT_ANSWERED, Failure.BUSY, Failure.MISSING}
    else replace(meaning, reason=Reason.REMOTE_STATUS_UNKNOWN, standing=WORKING)
    for failure, meaning in STATUS_UNCHANGED.items()
}
"""The reason is set when it has happened twice in a row. MISSING: the job is gone (`RemoteGone`)."""

CANCEL_JOB: Final[Table] = {
    failure: meaning
    if failure in NOT_ANSWERED
    else replace(meaning, reason=Reason.CANCEL_REFUSED, standing=WORKING)
    for failure, meaning in STATUS_UNCHANGED.items()
}
"""Where cancellation is MISSING, UNSUPPORTED or MISROUTED, the job is deleted instead before this applies."""

POLL_JOBS: Final[Table] = {
    failure: Meaning(None, None, BACKOFF, PROBE if failure in TRIPPING | SERVER_SIDE else LEAVE)
    for failure in Failure
}
"""Applies only where no job of a round was answered, so server errors are probed as well."""

READ_RESULTS: Final[Table] = {
    failure: Meaning(Reason.RESULTS_UNAVAILABLE, WORKING, BACKOFF, LEAVE) for failure in Failure
}
"""After ten failures that are no outage the reason is ResultsNotKept, and the job is stalled."""

TABLES: Final[Mapping[Operation, Table]] = {
    Operation.CREATE_JOB: CREATE_JOB,
    Operation.FIND_JOBS: STATUS_UNCHANGED,
    Operation.READ_JOB: READ_JOB,
    Operation.POLL_JOBS: POLL_JOBS,
    Operation.CANCEL_JOB: CANCEL_JOB,
    Operation.DELETE_JOB: STATUS_UNCHANGED,
    Operation.READ_RESULTS: READ_RESULTS,
    Operation.READ_CONFIG: CONFIG,
    Operation.CREATE_CONFIG: CONFIG,
    Operation.UPDATE_CONFIG: CONFIG,
    Operation.DELETE_CONFIG: CONFIG,
    Operation.CHECK: CHECK,
}

OUTAGES: Final = frozenset({Failure.NO_CONNECTION, Failure.BUSY, Failure.NO_ANSWER, Failure.GATEWAY_ERROR})

UNKNOWN: Final = frozenset(
    {Failure.NO_ANSWER, Failure.GATEWAY_ERROR, Failure.SERVER_ERROR, Failure.MALFORMED}
)
"""Failures after which the evaluator may have done what was asked."""


def meaning_of(error: EvaluatorError, operation: Operation) -> Meaning:
    """Return what `error` means after `operation`."""
    failure = failure_of(error)
    meaning = TABLES[operation][failure]
    if operation is Operation.CHECK and error.fault is not None:
        meaning = Meaning(Reason(error.fault), FAULTS[error.fault], BACKOFF, TRIP)
    if operation is Operation.CREATE_JOB and meaning.retry is NEVER and is_infrastructure(error.detail):
        meaning = replace(meaning, retry=Retry.ATTEMPT)
    wished = error.retry_after if isinstance(error, Unavailable) else None
    return replace(
        meaning,
        retry_seconds=wished or meaning.retry_seconds,
        may_have_acted=failure in UNKNOWN and not operation.is_read,
        is_outage=failure in OUTAGES,
        blames_object=failure in {Failure.CONFLICTING, Failure.REJECTED},
        metric=_metric(failure),
    )


def _metric(failure: Failure) -> str:
    if failure in TRIPPING:
        return "unavailable"
    return "unknown" if failure in UNKNOWN else "refused"

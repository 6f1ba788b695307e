"""Terms of the table: operations, failures, and what a failure can mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

from nemo_eval_operator.evaluator.model import (
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.lifecycle.conditions import ConditionSet, Outcome
from nemo_eval_operator.reasons import Reason

__all__ = ["BreakerAction", "Failure", "Meaning", "Operation", "Retry", "failure_of"]


class Operation(StrEnum):
    """Operation for which the evaluator was called."""

    CREATE_JOB = "create job"
    FIND_JOBS = "find jobs"
    """List jobs and look for the operator's marks."""
    READ_JOB = "read job"
    POLL_JOBS = "poll jobs"
    """Read many jobs in one round; an error here means that none of them was answered."""
    CANCEL_JOB = "cancel job"
    DELETE_JOB = "delete job"
    READ_RESULTS = "read results"
    READ_CONFIG = "read config"
    CREATE_CONFIG = "create config"
    UPDATE_CONFIG = "update config"
    DELETE_CONFIG = "delete config"
    CHECK = "check"
    """Probe whether a NeMo Evaluator answers at all, with the credentials in use."""

    @property
    def is_read(self) -> bool:
        """Return whether the operation changes nothing in the evaluator."""
        return self in READS


READS: Final = frozenset(
    {
        Operation.FIND_JOBS,
        Operation.READ_JOB,
        Operation.POLL_JOBS,
        Operation.READ_RESULTS,
        Operation.READ_CONFIG,
        Operation.CHECK,
    }
)


class Failure(StrEnum):
    """Row of the tables: an error class, or some status codes of one where codes differ in meaning."""

    NO_CONNECTION = auto()
    """The evaluator was not reached: refused, unknown host, TLS."""
    MISROUTED = auto()
    """A redirect, or a 404 that is not in NeMo's words: a gateway without an evaluator behind it."""
    UNAUTHORIZED = auto()
    """401, 403."""
    BUSY = auto()
    """429."""
    NO_ANSWER = auto()
    """A time-out or a closed connection after the request was sent."""
    GATEWAY_ERROR = auto()
    """502, 503, 504."""
    SERVER_ERROR = auto()
    """408, 500 and other codes from 500 on."""
    MALFORMED = auto()
    """A success whose body is not what the API promises, or is too large."""
    MISSING = auto()
    """404 in NeMo's words."""
    UNSUPPORTED = auto()
    """405, 501."""
    CONFLICTING = auto()
    """409."""
    REJECTED = auto()
    """400, 422 and other 4xx codes."""


class Retry(StrEnum):
    """Time at which the operation is repeated."""

    NOW = auto()
    """Decide again at once: what may have been done is looked up, a tripped breaker is waited for."""
    BACKOFF = auto()
    """After the work queue's backoff, and after `Meaning.retry_seconds` at the earliest."""
    ATTEMPT = auto()
    """As another attempt of the job, as far as spec.backoffLimit allows."""
    NEVER = auto()
    """Only when the object has changed."""


class BreakerAction(StrEnum):
    """Consequence of the error for the evaluator's circuit breaker."""

    TRIP = auto()
    """It cannot be used: everything waits for one probe."""
    PROBE = auto()
    """It may be down: probe it once, and trip if the probe fails as well."""
    LEAVE = auto()
    """Nothing: the error is about this call."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Meaning of an error of one operation."""

    reason: Reason | None
    """Reason on the object; None: its status does not change."""
    standing: ConditionSet | None
    """Conditions on the object; None with `reason`."""
    retry: Retry
    breaker: BreakerAction
    hint: str = ""
    """What the user can do or expect, as a sentence without its full stop; follows the error's own text."""
    retry_seconds: float = 0.0
    """Shortest time before a repetition with Retry.BACKOFF."""
    rechecks_config: bool = False
    """True where the job's NemoBenchmark has to verify its config in the evaluator."""
    may_have_acted: bool = False
    """True where the operation may have been carried out all the same."""
    is_outage: bool = False
    """True where the evaluator is away or busy: the wait has no limit and counts as no attempt."""
    blames_object: bool = False
    """True where the evaluator has judged the object itself: the connection's state does not explain that."""
    metric: str = ""
    """Value of the label `outcome` of nemo_eval_operator_submissions_total."""

    def message(self, error: EvaluatorError) -> str:
        """Return the text for a condition: the error's own, then the hint."""
        return f"{error.detail}. {self.hint}" if self.hint else error.detail

    def outcome(self, error: EvaluatorError) -> Outcome:
        """Return the outcome to show on the object, for operations whose errors are shown."""
        if self.reason is None or self.standing is None:
            raise AssertionError(f"an error without a reason: {error}")
        return Outcome(self.standing, self.reason, self.message(error))


def failure_of(error: EvaluatorError) -> Failure:
    """Return the row of an error. An unknown class counts as one after which the evaluator may have acted."""
    match error:
        case Unauthorized():
            return Failure.UNAUTHORIZED
        case Unavailable(status_code=None):
            return Failure.NO_CONNECTION
        case Unavailable(status_code=429):
            return Failure.BUSY
        case Unavailable():
            return Failure.MISROUTED
        case Missing():
            return Failure.MISSING
        case Unsupported():
            return Failure.UNSUPPORTED
        case Conflicting():
            return Failure.CONFLICTING
        case Rejected():
            return Failure.REJECTED
        # One with a fault is a library's exception on the way to the evaluator: nothing was answered.
        case Malformed(fault=None):
            return Failure.MALFORMED
        case EvaluatorError(status_code=None):
            return Failure.NO_ANSWER
        case EvaluatorError(status_code=502 | 503 | 504):
            return Failure.GATEWAY_ERROR
        case _:
            return Failure.SERVER_ERROR

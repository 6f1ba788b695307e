"""Reasons of conditions and events, with the properties that decisions read.

The values are API: scripts, alerts and GitOps tools match them, so they do not change. What a reason means to
a user is in `lifecycle/reason_reference`, from which docs/reference/conditions.md is generated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Self

__all__ = ["EventType", "Reason"]


class EventType(Enum):
    """Type of the event that is posted when an object's conditions change to a reason."""

    WARNING = "Warning"
    """A user should see it although the operator keeps trying."""
    BY_CONDITIONS = ""
    """Warning where the object is Stalled, else Normal."""
    NONE = "None"
    """No event: every job may pass through it, and an event for each would be too many writes."""


WARNING: Final = EventType.WARNING
NONE: Final = EventType.NONE


@dataclass(frozen=True, slots=True)
class _Traits:
    value: str
    event: EventType = EventType.BY_CONDITIONS
    retried: bool = False
    hides_remote_job: bool = False


class Reason(StrEnum):
    """Every reason of a NemoEvalJob, NemoBenchmark, NemoEvaluatorConnection and their events.

    To add one: add a member here, in the order of the alphabet, with the traits that it needs; return it from
    the function that makes the status; describe it in `lifecycle/reason_reference`, for each kind that shows
    it; and run `make generate`. Tests fail while it is not used or not described.
    """

    event: EventType
    """Event of a change to this reason."""
    retried: bool
    """True where the same submission is repeated after it."""
    hides_remote_job: bool
    """True where the remote job cannot be observed; when it can again, status shows its state."""

    def __new__(cls, spelling: str | _Traits) -> Self:
        traits = spelling if isinstance(spelling, _Traits) else _Traits(spelling)
        member = str.__new__(cls, traits.value)
        member._value_ = traits.value
        member.event = traits.event
        member.retried = traits.retried
        member.hides_remote_job = traits.hides_remote_job
        return member

    @classmethod
    def read(cls, spelling: str) -> Self | None:
        """Return the reason that a status gives; None for one that another version of the operator wrote."""
        try:
            return cls(spelling)
        except ValueError:
            return None

    ADDRESS_FORBIDDEN = "AddressForbidden"
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    BACK_OFF = _Traits("BackOff", event=WARNING)
    BENCHMARK_NOT_FOUND = _Traits("BenchmarkNotFound", event=WARNING)
    BENCHMARK_NOT_READY = "BenchmarkNotReady"
    BENCHMARK_RECONCILING = _Traits("BenchmarkReconciling", event=NONE)
    BUSY = "Busy"
    CANCELLED = "Cancelled"
    CANCELLING = "Cancelling"
    CANCEL_REFUSED = _Traits("CancelRefused", event=WARNING)
    CANCEL_UNSUPPORTED = "CancelUnsupported"
    COMPLETED = "Completed"
    CONFIG_EXISTS = "ConfigExists"
    CONFIG_IN_USE = "ConfigInUse"
    CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
    CONFIG_READY = "ConfigReady"
    CONNECTION_IN_USE = "ConnectionInUse"
    CONNECTION_NOT_ALLOWED = _Traits("ConnectionNotAllowed", hides_remote_job=True)
    CONNECTION_NOT_FOUND = _Traits("ConnectionNotFound", event=WARNING, hides_remote_job=True)
    CONNECTION_NOT_READY = _Traits("ConnectionNotReady", event=WARNING, hides_remote_job=True)
    CONNECTION_REFUSED = _Traits("ConnectionRefused", event=WARNING)
    CONNECTION_TERMINATING = "ConnectionTerminating"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    DEFAULT_CONFLICT = "DefaultConflict"
    DNS_ERROR = _Traits("DNSError", event=WARNING)
    DRY_RUN_COMPLETED = "DryRunCompleted"
    DUPLICATES_RUNNING = "DuplicatesRunning"
    DUPLICATE_CANCELLED = "DuplicateCancelled"
    EVALUATION_FAILED = "EvaluationFailed"
    EVALUATOR_BUSY = _Traits("EvaluatorBusy", retried=True)
    EVALUATOR_CHANGED = _Traits("EvaluatorChanged", hides_remote_job=True)
    EVALUATOR_FAILING = _Traits("EvaluatorFailing", event=WARNING)
    EVALUATOR_MISMATCH = "EvaluatorMismatch"
    EVALUATOR_REFUSING = _Traits("EvaluatorRefusing", event=WARNING, retried=True)
    EVALUATOR_REJECTED = "EvaluatorRejected"
    EVALUATOR_UNAUTHORIZED = _Traits("EvaluatorUnauthorized", event=WARNING, retried=True)
    EVALUATOR_UNREACHABLE = _Traits(
        "EvaluatorUnreachable", event=WARNING, retried=True, hides_remote_job=True
    )
    EXTERNAL_JOB_LOST = "ExternalJobLost"
    FINALIZER_REFUSED = "FinalizerRefused"
    GATE_FAILED = "GateFailed"
    GATE_INCONCLUSIVE = "GateInconclusive"
    GATE_PASSED = "GatePassed"
    GATE_PENDING = _Traits("GatePending", event=NONE)
    HOST_NOT_ALLOWED = "HostNotAllowed"
    INSECURE_SKIP_VERIFY = "InsecureSkipVerify"
    INTERNAL_ERROR = _Traits("InternalError", hides_remote_job=True)
    INVALID_DATASET = "InvalidDataset"
    INVALID_SPEC = _Traits("InvalidSpec", hides_remote_job=True)
    LEFT_IN_EVALUATOR = "LeftInEvaluator"
    NOT_AN_EVALUATOR = "NotAnEvaluator"
    OBJECT_TOO_LARGE = _Traits("ObjectTooLarge", hides_remote_job=True)
    PLAIN_TEXT_SECRET = "PlainTextSecret"  # noqa: S105 - a reason
    QUEUED = _Traits("Queued", event=NONE)
    QUEUED_IN_EVALUATOR = _Traits("QueuedInEvaluator", event=NONE)
    REACHABLE = "Reachable"
    REMOTE_STATUS_UNKNOWN = _Traits("RemoteStatusUnknown", event=WARNING)
    RERUN = "Rerun"
    RERUN_IGNORED = "RerunIgnored"
    RESULTS_NOT_KEPT = "ResultsNotKept"
    RESULTS_UNAVAILABLE = _Traits("ResultsUnavailable", event=WARNING)
    RUNNING = "Running"
    SECRET_NOT_ALLOWED = _Traits("SecretNotAllowed", event=WARNING)
    SECRET_NOT_FOUND = _Traits("SecretNotFound", event=WARNING)
    SECRET_TOO_LARGE = _Traits("SecretTooLarge", event=WARNING)
    SERVER_ERROR = _Traits("ServerError", event=WARNING)
    SUBMISSION_UNCERTAIN = _Traits("SubmissionUncertain", event=WARNING)
    SUBMITTING = _Traits("Submitting", event=NONE)
    SUSPENDED = "Suspended"
    TIMED_OUT = _Traits("TimedOut", event=WARNING)
    TLS_ERROR = "TLSError"
    TTL_IGNORED = "TTLIgnored"
    UNAUTHORIZED = "Unauthorized"
    UNKNOWN_FIELD = "UnknownField"
    UNREACHABLE = "Unreachable"
    WAITING_FOR_BASELINE = _Traits("WaitingForBaseline", event=NONE)

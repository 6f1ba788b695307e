"""Wire models, errors and redaction of the NeMo Evaluator's REST API: pure, without HTTP."""

from .errors import (
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Fault,
    Malformed,
    Missing,
    Oversized,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from .known_secrets import MAX_SECRET_CHARACTERS, MAX_SECRET_LINES, KnownSecrets, Redactor, fits
from .parts import parts_of
from .redaction import (
    MASK,
    MAX_TEXT_CHARACTERS,
    escaped,
    one_line,
    printable,
    readable,
    readable_lines,
    redacted,
)
from .wire import CANCELLING, LIVE_STATES, JobPage, JobStatus, RemoteConfig, RemoteJob, Results

__all__ = [
    "CANCELLING",
    "LIVE_STATES",
    "MASK",
    "MAX_SECRET_CHARACTERS",
    "MAX_SECRET_LINES",
    "MAX_TEXT_CHARACTERS",
    "Ambiguous",
    "Conflicting",
    "EvaluatorError",
    "Fault",
    "JobPage",
    "JobStatus",
    "KnownSecrets",
    "Malformed",
    "Missing",
    "Oversized",
    "Redactor",
    "Rejected",
    "RemoteConfig",
    "RemoteJob",
    "Results",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "escaped",
    "fits",
    "one_line",
    "parts_of",
    "printable",
    "readable",
    "readable_lines",
    "redacted",
]

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
from .job_state import CANCELLING, LIVE_STATES, JobState, JobStatus
from .known_secrets import MAX_SECRET_CHARACTERS, MAX_SECRET_LINES, KnownSecrets, Redactor, fits
from .page_parser import parse_page
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
    shortened,
)
from .wire import JobPage, RemoteConfig, RemoteJob, Results

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
    "JobState",
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
    "parse_page",
    "parts_of",
    "printable",
    "readable",
    "readable_lines",
    "redacted",
    "shortened",
]

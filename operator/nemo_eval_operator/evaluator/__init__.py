"""The NeMo Evaluator's REST API: client, answers and errors. Knows nothing of Kubernetes."""

from . import mark_keys
from .access import Access, Certificates, ReplaceableTransport, UnusableCertificate, UnusableUrl
from .addresses import address_of
from .bodies import parts_of
from .client import MAX_RESULTS_BYTES, EvaluatorClient
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
from .redaction import MASK, escaped, one_line, printable, readable, redacted
from .wire import CANCELLING, LIVE_STATES, JobStatus, RemoteConfig, RemoteJob, Results

__all__ = [
    "CANCELLING",
    "LIVE_STATES",
    "MASK",
    "MAX_RESULTS_BYTES",
    "MAX_SECRET_CHARACTERS",
    "MAX_SECRET_LINES",
    "Access",
    "Ambiguous",
    "Certificates",
    "Conflicting",
    "EvaluatorClient",
    "EvaluatorError",
    "Fault",
    "JobStatus",
    "KnownSecrets",
    "Malformed",
    "Missing",
    "Oversized",
    "Redactor",
    "Rejected",
    "RemoteConfig",
    "RemoteJob",
    "ReplaceableTransport",
    "Results",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "UnusableCertificate",
    "UnusableUrl",
    "address_of",
    "escaped",
    "fits",
    "mark_keys",
    "one_line",
    "parts_of",
    "printable",
    "readable",
    "redacted",
]

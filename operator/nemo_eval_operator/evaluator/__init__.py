"""The NeMo Evaluator's REST API: client, answers and errors. Knows nothing of Kubernetes."""

from .access import Access, Certificates, ReplaceableTransport, UnusableCertificate, UnusableUrl
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
from .redaction import MASK, KnownSecrets, escaped, one_line, printable, readable, redacted
from .wire import JobStatus, RemoteConfig, RemoteJob, Results

__all__ = [
    "MASK",
    "MAX_RESULTS_BYTES",
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
    "escaped",
    "one_line",
    "printable",
    "readable",
    "redacted",
]

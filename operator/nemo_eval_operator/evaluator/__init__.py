"""The NeMo Evaluator's REST API: client, answers and errors. Knows nothing of Kubernetes."""

from .client import MAX_RESULTS_BYTES, EvaluatorClient
from .errors import (
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Oversized,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from .redaction import MASK, KnownSecrets, readable
from .wire import JobStatus, RemoteConfig, RemoteJob, Results

__all__ = [
    "MASK",
    "MAX_RESULTS_BYTES",
    "Ambiguous",
    "Conflicting",
    "EvaluatorClient",
    "EvaluatorError",
    "JobStatus",
    "KnownSecrets",
    "Malformed",
    "Missing",
    "Oversized",
    "Rejected",
    "RemoteConfig",
    "RemoteJob",
    "Results",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "readable",
]

"""The NeMo Evaluator's REST API: client, answers and errors. Knows nothing of Kubernetes."""

from .client import EvaluatorClient
from .errors import (
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from .wire import JobStatus, RemoteConfig, RemoteJob, Results

__all__ = [
    "Ambiguous",
    "Conflicting",
    "EvaluatorClient",
    "EvaluatorError",
    "JobStatus",
    "Malformed",
    "Missing",
    "Rejected",
    "RemoteConfig",
    "RemoteJob",
    "Results",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
]

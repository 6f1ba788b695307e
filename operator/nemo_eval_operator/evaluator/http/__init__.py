"""HTTP client of the NeMo Evaluator's REST API. It raises only the errors of `evaluator.model`."""

from .access import (
    Access,
    Certificates,
    ForbiddenAddress,
    UnusableCertificate,
    UnusableUrl,
)
from .addresses import address_of
from .client import EvaluatorClient
from .limits import MAX_RESULTS_BYTES
from .reading import ListedJob
from .replaceable import ReplaceableTransport

__all__ = [
    "MAX_RESULTS_BYTES",
    "Access",
    "Certificates",
    "EvaluatorClient",
    "ForbiddenAddress",
    "ListedJob",
    "ReplaceableTransport",
    "UnusableCertificate",
    "UnusableUrl",
    "address_of",
]

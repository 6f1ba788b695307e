"""HTTP client of the NeMo Evaluator's REST API. It raises only the errors of `evaluator.model`."""

from .access import (
    Access,
    Certificates,
    ForbiddenAddress,
    ReplaceableTransport,
    UnusableCertificate,
    UnusableUrl,
)
from .addresses import address_of
from .client import MAX_RESULTS_BYTES, EvaluatorClient

__all__ = [
    "MAX_RESULTS_BYTES",
    "Access",
    "Certificates",
    "EvaluatorClient",
    "ForbiddenAddress",
    "ReplaceableTransport",
    "UnusableCertificate",
    "UnusableUrl",
    "address_of",
]

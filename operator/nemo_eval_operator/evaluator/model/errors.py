"""Errors of calls to a NeMo Evaluator, sorted by what a caller may do next.

What each means for each operation is one table, `lifecycle/evaluator_errors/table.py`.

EvaluatorError
├── Rejected              terminal: the evaluator understood and said no (4xx)
│   ├── Missing           404 in NeMo's words: no such config, job or result
│   ├── Conflicting       409: the name is taken, or the state forbids it
│   └── Unsupported       405, 501: this server has no such operation
├── Unavailable           retryable: surely not acted; no answer, 429, a redirect, a gateway's 404
│   └── Unauthorized      401, 403: credentials or a gateway, nothing about the request
└── Ambiguous             the evaluator may have acted: look before doing it again
    └── Malformed         it answered 2xx, but not with what the API promises
        └── Oversized     with more than we read
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from nemo_eval_operator.reasons import Reason

from .redaction import readable

__all__ = [
    "Ambiguous",
    "Conflicting",
    "EvaluatorError",
    "Fault",
    "Malformed",
    "Missing",
    "Oversized",
    "Rejected",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
]

MAX_DETAIL_CHARACTERS: Final = 1_000
"""A detail is shown in a condition and an event; an event's message may hold 1,024 characters."""


class Fault(StrEnum):
    """What on the way to an evaluator failed, in words for a condition's reason."""

    ADDRESS_FORBIDDEN = Reason.ADDRESS_FORBIDDEN
    DNS = Reason.DNS_ERROR
    REFUSED = Reason.CONNECTION_REFUSED
    TLS = Reason.TLS_ERROR
    TIMEOUT = Reason.TIMED_OUT


class EvaluatorError(Exception):
    """A call to the evaluator did not do what was asked.

    `detail` is the evaluator's own text where it gave one; `status_code` is None where no answer arrived;
    `fault` is what failed on the way to it, None where an answer arrived or the cause is not known.
    """

    def __init__(self, detail: str, *, status_code: int | None = None, fault: Fault | None = None) -> None:
        self.detail = readable(detail, MAX_DETAIL_CHARACTERS)
        self.status_code = status_code
        self.fault = fault
        super().__init__(self.detail)


class Rejected(EvaluatorError):
    """Terminal: the same request will be refused again."""


class Missing(Rejected):
    """There is no such resource (404)."""


class Conflicting(Rejected):
    """The name is taken or the resource's state forbids the operation (409)."""


class Unsupported(Rejected):
    """This server does not have the operation (405, 501)."""


class Unavailable(EvaluatorError):
    """Retryable: the request did not reach the evaluator, or it said to come back (429).

    `retry_after` is the server's own wish in seconds, if it sent one.
    """

    def __init__(
        self,
        detail: str,
        *,
        status_code: int | None = None,
        fault: Fault | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, status_code=status_code, fault=fault)
        self.retry_after = retry_after


class Unauthorized(Unavailable):
    """The evaluator or a gateway before it refused our credentials (401, 403)."""


class Ambiguous(EvaluatorError):
    """The request may have been carried out: time-out, reset, 408 or 5xx."""


class Malformed(Ambiguous):
    """A 2xx answer whose body is not what the API promises."""


class Oversized(Malformed):
    """A 2xx answer with a body that is longer than we read."""

"""Faults on the way to an evaluator, found among the causes of a library's exception."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from nemo_eval_operator.evaluator.model import Fault

from .access import ForbiddenAddress

__all__ = ["fault_of"]


def fault_of(error: BaseException) -> Fault | None:
    """Return the first fault that is known among `error` and its causes."""
    return next(filter(None, map(_fault, _chain(error))), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _fault(error: BaseException) -> Fault | None:
    match error:
        case ForbiddenAddress():
            return Fault.ADDRESS_FORBIDDEN
        case socket.gaierror() | UnicodeError():
            return Fault.DNS
        case ConnectionRefusedError():
            return Fault.REFUSED
        case ssl.SSLError():
            return Fault.TLS
        case TimeoutError() | httpx.TimeoutException():
            return Fault.TIMEOUT
        case _:
            return None

"""What kept the API server from answering, in words for a person, by the errors of HTTP libraries."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
import httpx

__all__ = ["NoAnswer", "NoAnswerKind", "no_answer"]


class NoAnswerKind(StrEnum):
    """What has to be checked: address, certificate, or whether the server is well."""

    ADDRESS = "Address"
    CERTIFICATE = "Certificate"
    SERVER = "Server"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why a server did not answer; `problem` follows its name in a sentence."""

    kind: NoAnswerKind
    problem: str


def no_answer(error: BaseException) -> NoAnswer:
    """Return why there was no answer, by the first cause that is known."""
    for cause in _causes(error):
        if (found := _of(cause)) is not None:
            return found
    numbers = (cause.errno for cause in _causes(error) if isinstance(cause, OSError))
    number = next((number for number in numbers if number), None)
    why = os.strerror(number) if number else type(error).__name__
    return NoAnswer(NoAnswerKind.ADDRESS, f"cannot be reached: {why}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error from the innermost to itself: libraries wrap what the system says."""
    chain, cause = [error], error
    while (inner := cause.__cause__ or cause.__context__) is not None and inner not in chain:
        chain.append(inner)
        cause = inner
    yield from reversed(chain)


def _of(error: BaseException) -> NoAnswer | None:
    match error:
        case socket.gaierror():
            why = f"cannot be reached: its name cannot be resolved ({error.strerror})"
            return NoAnswer(NoAnswerKind.ADDRESS, why)
        case ssl.SSLCertVerificationError():
            why = f"has a certificate that is not trusted: {error.verify_message.rstrip('.')}"
            return NoAnswer(NoAnswerKind.CERTIFICATE, why)
        case ssl.SSLError():
            return NoAnswer(NoAnswerKind.CERTIFICATE, f"cannot be reached by TLS: {error.reason}")
        case ConnectionRefusedError():
            return NoAnswer(NoAnswerKind.ADDRESS, "cannot be reached: connection refused")
        case aiohttp.ConnectionTimeoutError() | httpx.ConnectTimeout():
            return NoAnswer(NoAnswerKind.ADDRESS, "cannot be reached: connecting timed out")
        case aiohttp.ServerTimeoutError() | httpx.TimeoutException():
            return NoAnswer(NoAnswerKind.SERVER, "did not answer in time")
        case aiohttp.InvalidURL() | httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return NoAnswer(NoAnswerKind.ADDRESS, "cannot be reached: that is not the address of a server")
        case (
            aiohttp.ClientPayloadError()
            | aiohttp.ServerDisconnectedError()
            | ConnectionResetError()
            | httpx.RemoteProtocolError()
        ):
            return NoAnswer(NoAnswerKind.SERVER, "closed the connection before its answer was complete")
        case aiohttp.ClientResponseError() | httpx.DecodingError():
            return NoAnswer(NoAnswerKind.SERVER, "answered with something other than HTTP")
        case _:
            return None

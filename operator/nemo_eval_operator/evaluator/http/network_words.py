"""Descriptions of network failures for users.

HTTP libraries repeat the address, and put their own classes and options around the cause:
`Cannot connect to host a.test:443 ssl:default [Connect call failed ('10.0.0.1', 443)]`.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from itertools import islice
from typing import Final

import aiohttp
import httpx

from .access import ForbiddenAddress
from .replaceable import ClosedByOperator

__all__ = ["words_for"]

MAX_CAUSES: Final = 10
"""Causes that are looked at: an error may have been raised from itself."""

ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
"""Pattern by which asyncio lists the errors of several addresses of one name."""


def words_for(error: Exception) -> str:
    """Return the cause that lies deepest among those that are known; never the HTTP library's own words."""
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return "no connection in time"
        case httpx.TimeoutException():
            return "no answer in time"
        case _:
            pass
    for cause in reversed(list(islice(_chain(error), MAX_CAUSES))):
        if words := _words(cause):
            return words
    return "the connection failed"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Return the error and what it was raised from, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        # Not its context, which may be the error of an earlier call.
        cause = cause.__cause__


def _words(error: BaseException) -> str | None:
    match error:
        case ForbiddenAddress():
            return error.strerror
        case ClosedByOperator():
            return str(error)
        case socket.gaierror():
            return f"the name of the host cannot be resolved ({error.strerror or error})"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | httpx.RemoteProtocolError():
            return "the connection was closed before the answer was complete"
        case httpx.DecodingError() | httpx.StreamError():
            return "the answer could not be read"
        case OSError() | httpx.TransportError():
            return _of_system(error)
        case _:
            return None


def _of_system(error: OSError | httpx.TransportError) -> str | None:
    found = ERRNO.search(str(error))
    known = error.errno if isinstance(error, OSError) else None
    number = known or (int(found[1]) if found else None)
    return None if number is None or number <= 0 else os.strerror(number).lower()

"""Access control: the host names that requests may use, and the bearer token where one is set.

A page in a browser on this machine can have its own host name resolve to 127.0.0.1 (DNS rebinding), and then
reads answers as if they came from its own site. Its requests still carry its own name in `Host`, which is
refused here. /health answers to every caller: probes know neither name nor token.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from hmac import compare_digest
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .answers import Answer

__all__ = ["Guard", "served_hosts"]

_OPEN: Final = "/health"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::\d*)?")
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_MAX_SHOWN: Final = 100
"""Characters of a refused host name that the answer repeats."""


def served_hosts(address: str, allowed: Iterable[str]) -> frozenset[str] | None:
    """Return the host names that requests may carry; None where any is accepted.

    `address` is what the server listens on, `allowed` what the command line added. On loopback the check is
    always on. On any other address the server is meant to be reached by names that it cannot know (Services,
    containers), so it is off unless `allowed` has a name.
    """
    names = {_normalised(name) for name in allowed}
    if not names and not _is_loopback(address):
        return None
    return frozenset(_LOOPBACK | names | {_normalised(address)})


class Guard:
    """ASGI middleware in front of everything else."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] | None, token: str | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in {"http", "websocket"} else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Answer | None:
        if scope["path"] == _OPEN:
            return None
        headers = Headers(scope=scope)
        if self._hosts is not None and (host := _named(headers)) not in self._hosts:
            detail = (
                f"the host name {host[:_MAX_SHOWN]!r} is not served; call the server by localhost or its"
                " address, or start it with --allowed-host"
            )
            return Answer({"detail": detail}, status_code=403)
        if self._token is not None and not _carries(headers, self._token):
            challenge = {"WWW-Authenticate": "Bearer"}
            detail = "a bearer token is needed: send it as Authorization: Bearer TOKEN"
            return Answer({"detail": detail}, status_code=401, headers=challenge)
        return None


def _named(headers: Headers) -> str:
    """The host that a request names, without its port; empty where it names none or several."""
    given = headers.getlist("host")
    match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
    return "" if match is None else _normalised(match["v6"] or match["name"] or "")


def _normalised(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return _normalised(address) == "localhost"


def _carries(headers: Headers, token: str) -> bool:
    match = _BEARER.fullmatch(headers.get("authorization", ""))
    # Bytes: compare_digest refuses text that is not ASCII.
    return compare_digest((match[1] if match else "").encode(), token.encode())

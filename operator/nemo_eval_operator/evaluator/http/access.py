"""A way to one evaluator: its TLS, its credentials, and the addresses that it may lead to.

Credentials are added to each request as it leaves, and connections are made to checked addresses only:
redirects are not followed, and a name that resolves to another address later gets no credentials.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from nemo_eval_operator.fair_turns import FairTurns
from nemo_eval_operator.transport import AiohttpTransport

from .addresses import refusal_of_address, refusal_of_host

__all__ = [
    "Access",
    "Certificates",
    "ForbiddenAddress",
    "UnusableCertificate",
    "UnusableUrl",
]

LAST_PORT: Final = 65535


class ForbiddenAddress(OSError):
    """A connection leads where it must not; says what that is."""

    def __init__(self, refusal: str) -> None:
        # aiohttp shows no more of an OSError than its strerror.
        super().__init__(errno.EACCES, refusal)


class UnusableUrl(Exception):
    """A URL that names no host; says why."""


class UnusableCertificate(Exception):
    """PEM text that TLS cannot use; says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM texts. `ca` None: the public authorities; `own` is a certificate with its private key."""

    ca: str | None = None
    own: tuple[str, str] | None = field(default=None, repr=False)
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to connect to one evaluator. `loopback`: the operator's own machine may be connected to.

    Look-ups of names wait for those of their `group`, a namespace, before they delay those of others.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificates: Certificates = Certificates()
    loopback: bool = False
    group: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show of it."""
        tokens = [value.partition(" ")[2] for value in self.headers.values() if value.startswith("Bearer ")]
        private_key = self.certificates.own[1:] if self.certificates.own else ()
        return (*self.headers.values(), *tokens, *private_key)

    def transport(self, url: str, *, max_connections: int) -> httpx.AsyncBaseTransport:
        """Return a transport to the evaluator at `url`. Raises UnusableUrl, UnusableCertificate.

        A TLS context with the public authorities takes a megabyte, so all connections that bring no
        certificates of their own share one, and connections by http keep none.
        """
        is_https = _scheme(url) == "https"
        # Certificates are checked for http too: a mistake should not first show when the scheme changes.
        checked = _tls(self.certificates) if is_https or self.certificates != Certificates() else None
        return _GuardedTransport(self, checked if is_https else None, max_connections)


class _GuardedTransport(httpx.AsyncBaseTransport):
    def __init__(self, access: Access, context: ssl.SSLContext | None, max_connections: int) -> None:
        self._headers = dict(access.headers)
        self._loopback = access.loopback
        self._connections = AiohttpTransport(context, max_connections, resolver=_GuardedResolver(access))

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            _check(request.url, loopback=self._loopback)
        except ForbiddenAddress as error:
            raise httpx.ConnectError(f"{error.strerror}", request=request) from error
        request.headers.update(self._headers)
        return await self._connections.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._connections.aclose()


def _check(url: httpx.URL, *, loopback: bool) -> None:
    """What can be said without resolving a name. Raises ForbiddenAddress."""
    if url.port is not None and url.port > LAST_PORT:
        raise ForbiddenAddress(f"there is no port {url.port}")
    try:
        refusal = refusal_of_address(url.host, loopback=loopback)
    except ValueError:
        refusal = refusal_of_host(url.host)
    if refusal is not None:
        raise ForbiddenAddress(refusal)


MAX_LOOK_UPS: Final = 3
"""Names of connections that are resolved at a time. Each takes a thread of the event loop's pool, of at least
five, until DNS answers or gives up; the others stay for the operator's own evaluator and for parsing."""

_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, FairTurns]] = WeakKeyDictionary()


class _GuardedResolver(AbstractResolver):
    """aiohttp connects to the addresses that it is given here, and does not ask for the name once more."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError. One forbidden address is enough to refuse a name that has others too."""
        loop = asyncio.get_running_loop()
        try:
            turns, group = _turns.setdefault(loop, FairTurns(MAX_LOOK_UPS)), self._access.group
            await turns.acquire(group)
            look_up = asyncio.ensure_future(
                loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            )
            # Its thread is taken until DNS has answered, also where this call is given up before that.
            look_up.add_done_callback(lambda done: _release(turns, group, done))
            found = await asyncio.shield(look_up)
        except UnicodeError as error:
            raise socket.gaierror(f"{host} is no name of a host: {error}") from error
        addresses = [(kind, protocol, str(sockaddr[0])) for kind, _, protocol, _, sockaddr in found]
        for *_, address in addresses:
            if refusal := refusal_of_address(address, loopback=self._access.loopback):
                raise ForbiddenAddress(f"{host} leads to it: {refusal}")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, protocol, address in addresses
        ]

    @override
    async def close(self) -> None:
        pass


def _release(turns: FairTurns, group: str, look_up: asyncio.Future[Any]) -> None:
    turns.release(group)
    if not look_up.cancelled():
        # Of a look-up that was given up, no other code takes the exception.
        look_up.exception()


def _scheme(url: str) -> str:
    try:
        parsed = httpx.URL(url)
        # Decoded and encoded only now, and not every host that begins with xn-- can be.
        host = parsed.host and parsed.netloc
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UnusableUrl(f"{url} cannot be used: {error}") from error
    if not host:
        raise UnusableUrl(f"{url} names no host")
    return parsed.scheme


@cache
def _public_tls() -> ssl.SSLContext:
    """The context of all connections without certificates of their own; not to be changed."""
    return httpx.create_ssl_context()


def _tls(certificates: Certificates) -> ssl.SSLContext:
    if certificates == Certificates():
        return _public_tls()
    if not certificates.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif certificates.ca is None:
        context = httpx.create_ssl_context()
    else:
        context = _trusting(certificates.ca)
    if certificates.own is not None:
        try:
            _present(context, *certificates.own)
        except (OSError, ValueError) as error:
            raise UnusableCertificate(
                f"the client certificate and its key cannot be used: {error}"
            ) from error
    return context


def _trusting(bundle: str) -> ssl.SSLContext:
    # Bundles name their certificates in comments, in any language; ssl takes ASCII only, and reads what is
    # between BEGIN and END. Empty text would mean the system's authorities to it.
    pem = bundle.encode("ascii", "replace").decode() or "empty"
    try:
        return ssl.create_default_context(cadata=pem)
    except (OSError, ValueError) as error:
        raise UnusableCertificate(f"the CA bundle holds no readable PEM certificate: {error}") from error


def _present(context: ssl.SSLContext, certificate: str, private_key: str) -> None:
    """Load a certificate by way of a private file, in memory where possible: OpenSSL reads files only."""
    pem = f"{certificate}\n{private_key}\n".encode()
    if sys.platform == "linux":
        # A container's disk is read-only.
        with open(os.memfd_create("client-certificate"), "wb", buffering=0) as file:  # noqa: PTH123
            file.write(pem)
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=_no_password)
    else:
        with NamedTemporaryFile() as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name, password=_no_password)


def _no_password() -> str:
    """Else OpenSSL would ask at the terminal."""
    raise ValueError("the private key is encrypted")

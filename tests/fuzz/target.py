"""What is fuzzed: the operator's client of an evaluator, over real sockets, against a server of any bytes.

The first byte of an input says which part of an answer the rest is, the second which call is made. Whatever
it is, the call returns, or raises EvaluatorError and nothing else; a URL is usable or raises UnusableUrl.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import httpx
import trustme
from typing_extensions import override

from nemo_eval_operator.evaluator.http import Access, Certificates, EvaluatorClient, UnusableUrl
from nemo_eval_operator.evaluator.http.addresses import refusal_of_address, refusal_of_host
from nemo_eval_operator.evaluator.model import EvaluatorError
from tests.unit.evaluator.exchanges import CALLS

__all__ = ["Target"]

LOOPBACK: Final = "127.0.0.1"

DEADLINE_SECONDS: Final = 5.0
"""The server closes after each answer, so that no call waits so long."""


class _Offline(asyncio.SelectorEventLoop):
    """An event loop that connects to this process' own servers only, and resolves nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.reachable: set[Any] = set()

    @override
    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if address not in self.reachable:
            raise ConnectionRefusedError(f"not while fuzzing: {address}")
        await super().sock_connect(sock, address)

    @override
    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> Any:
        if host != LOOPBACK:
            # As the real one does it.
            str(host).encode("idna")
            raise socket.gaierror(f"not while fuzzing: {host}")
        return await super().getaddrinfo(host, port, **kwargs)


class Target:
    """Three servers on loopback (HTTP, HTTPS, and bytes in place of a TLS handshake) and a client of each."""

    def __init__(self) -> None:
        self._loop = _Offline()
        # Errors of a broken handshake are not logged.
        self._loop.set_exception_handler(lambda *_: None)
        self._answer = b""
        authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(LOOPBACK).configure_cert(tls)
        trusting = Access(certificates=Certificates(ca=authority.cert_pem.bytes().decode()), loopback=True)
        self._servers: list[asyncio.Server] = []
        self._clients: list[httpx.AsyncClient] = []
        self._plain = self._client("http", Access(loopback=True), self._serve(self._respond, None))
        self._secure = self._client("https", trusting, self._serve(self._respond, tls))
        self._handshake = self._client("https", trusting, self._serve(self._write, None))
        self._parts: list[Callable[[bytes, str], Any]] = [
            lambda rest, call: self._call(self._plain, call, rest),
            lambda rest, call: self._call(self._plain, call, _head(b"200 OK", rest) + rest),
            lambda rest, call: self._call(self._plain, call, _head(rest, b"{}") + b"{}"),
            lambda rest, call: self._call(self._plain, call, b"HTTP/1.1 422 x\r\n" + rest),
            lambda rest, call: self._call(self._secure, call, rest),
            lambda rest, call: self._call(self._handshake, call, rest),
            self._name,
        ]

    def check(self, data: bytes) -> None:
        """Raise where the client raises what it must not."""
        if len(data) < 2:
            return
        part, call = self._parts[data[0] % len(self._parts)], list(CALLS)[data[1] % len(CALLS)]
        self._loop.run_until_complete(part(data[2:], call))

    def close(self) -> None:
        self._loop.run_until_complete(self._aclose())
        self._loop.close()

    async def _aclose(self) -> None:
        for client in self._clients:
            await client.aclose()
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _client(self, scheme: str, access: Access, port: int) -> EvaluatorClient:
        url = f"{scheme}://{LOOPBACK}:{port}"
        client = httpx.AsyncClient(base_url=url, transport=access.transport(url, max_connections=4))
        self._clients.append(client)
        return EvaluatorClient(client, deadline=DEADLINE_SECONDS)

    def _serve(self, talk: Any, tls: ssl.SSLContext | None) -> int:
        server = self._loop.run_until_complete(asyncio.start_server(talk, LOOPBACK, 0, ssl=tls))
        self._servers.append(server)
        address = server.sockets[0].getsockname()
        self._loop.reachable.add(address)
        return int(address[1])

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            await self._write(reader, writer)

    async def _write(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(self._answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def _call(self, client: EvaluatorClient, call: str, answer: bytes) -> None:
        self._answer = answer
        with contextlib.suppress(EvaluatorError):
            await CALLS[call](client)

    async def _name(self, rest: bytes, call: str) -> None:
        """`rest` as a host, in a connection's URL and as what a name resolves to."""
        text = rest.decode("utf-8", "replace")
        refusal_of_host(text)
        with contextlib.suppress(ValueError):
            refusal_of_address(text, loopback=False)
        url = f"http://{text}"
        with contextlib.suppress(UnusableUrl):
            transport = Access().transport(url, max_connections=1)
            async with httpx.AsyncClient(base_url=url, transport=transport) as http:
                with contextlib.suppress(EvaluatorError):
                    await CALLS[call](EvaluatorClient(http, deadline=DEADLINE_SECONDS))


def _head(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(body)

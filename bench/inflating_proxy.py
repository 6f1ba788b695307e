"""A Kubernetes API server as it looks with very large objects, in front of one that keeps small ones.

A real API server needs some 50 MB of memory for each object of 1.3 MB, so a thousand of them do not fit on
one machine. This proxy passes everything on to a real one, which keeps the objects with the string MARKER in
place of the large value. In the answers that carry specs (reads, lists and writes) it puts the value in while
it sends them; nothing large is kept. Watches and lists as tables have no specs and pass unchanged.

Started as `python -m bench.inflating_proxy KUBECONFIG PORT`. It serves HTTP on loopback, without
authentication.
"""

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from nemo_eval_operator.kube import Credentials

MARKER: Final = "@large@"
EMPTY_LISTS: Final = 430_000

LARGE_VALUE: Final = b"[" + b"[]," * (EMPTY_LISTS - 1) + b"[]]"
"""1.3 MB of JSON that takes some 30 MB as Python objects."""

QUOTED_MARKER: Final = f'"{MARKER}"'.encode()
PIECE_BYTES: Final = 64 * 1024
PASSED_ON: Final = ("Accept", "Content-Type")


class InflatingProxy:
    """Passes requests on to the API server of `credentials`."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._ssl = ssl.create_default_context(cafile=credentials.ca_path)
        if credentials.certificate:
            self._ssl.load_cert_chain(*credentials.certificate)

    async def run_with(self, _app: web.Application) -> AsyncIterator[None]:
        """Keep the connections to the API server open while the server runs."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._ssl)
        async with aiohttp.ClientSession(
            self._credentials.server, connector=connector, timeout=aiohttp.ClientTimeout(total=None)
        ) as self._session:
            yield

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as the API server does, with the large values in place of their markers."""
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        if (authorization := self._credentials.authorization()) is not None:
            headers["Authorization"] = authorization
        async with self._session.request(
            request.method,
            request.rel_url,
            data=await request.read() or None,
            headers=headers,
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            # A client that has read enough closes the connection.
            with suppress(ConnectionResetError):
                await response.prepare(request)
                if "watch" in request.query:
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                else:
                    await _write_inflated(response, await answer.read())
                await response.write_eof()
            return response


async def _write_inflated(response: web.StreamResponse, body: bytes) -> None:
    """Send piece by piece, so that only what the client takes is made."""
    first, *others = body.split(QUOTED_MARKER)
    await response.write(first)
    for other in others:
        for start in range(0, len(LARGE_VALUE), PIECE_BYTES):
            await response.write(LARGE_VALUE[start : start + PIECE_BYTES])
        await response.write(other)


def main() -> None:
    kubeconfig, port = sys.argv[1:]
    proxy = InflatingProxy(Credentials.find(Path(kubeconfig)))
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.cleanup_ctx.append(proxy.run_with)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    web.run_app(app, host="127.0.0.1", port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main()

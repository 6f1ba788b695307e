"""A proxy between operator and evaluator that loses, delays or spoils chosen exchanges."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum, auto

import httpx
from typing_extensions import override

from tests.e2e.loopback import LoopbackServer, QuietHandler

HOP_BY_HOP = {"connection", "content-encoding", "content-length", "transfer-encoding", "date", "server"}


class Fault(Enum):
    """What happens to a request that a rule picks."""

    DROP_BEFORE = auto()  # the evaluator never sees it; the connection breaks
    DROP_AFTER = auto()  # the evaluator acts; its answer is lost
    ERROR_AFTER = auto()  # the evaluator acts; a gateway answers 503
    HOLD_AFTER = auto()  # the evaluator acts; its answer is kept back until `release`
    UNAUTHORIZED = auto()  # a gateway says 401; the evaluator never sees it
    NOT_ALLOWED = auto()  # the server says 405; it has no such operation
    GARBAGE = auto()  # the evaluator acts; the body is spoiled


Rule = Callable[[str, str], Fault | None]
"""From method and path to the fault, or None to let the exchange through."""


class Proxy(LoopbackServer):
    """Forwards to `upstream`. `rule` decides about each request, `count` says how often it struck."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.rule: Rule = lambda _method, _path: None
        self.count = 0
        self.bodies: list[tuple[str, str, bytes]] = []
        self._released = threading.Event()
        super().__init__()

    @override
    def release(self) -> None:
        self._released.set()

    @override
    def handler(self) -> type[QuietHandler]:
        proxy = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                proxy.bodies.append((self.command, self.path, body))
                fault = proxy.rule(self.command, self.path.partition("?")[0])
                proxy.count += fault is not None
                if fault is Fault.DROP_BEFORE:
                    self.close_connection = True
                    return
                if fault in {Fault.UNAUTHORIZED, Fault.NOT_ALLOWED}:
                    self.respond(401 if fault is Fault.UNAUTHORIZED else 405, {}, b'{"detail": "no"}')
                    return
                headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP_BY_HOP}
                answer = httpx.request(
                    self.command, proxy.upstream + self.path, content=body, headers=headers, timeout=30
                )
                if fault is Fault.HOLD_AFTER:
                    proxy._released.wait()
                if fault in {Fault.DROP_AFTER, Fault.HOLD_AFTER}:
                    self.close_connection = True
                elif fault is Fault.ERROR_AFTER:
                    self.respond(503, {}, b"upstream went away")
                elif fault is Fault.GARBAGE:
                    self.respond(answer.status_code, dict(answer.headers), b'{"surprise": [')
                else:
                    self.respond(answer.status_code, dict(answer.headers), answer.content)

            def respond(self, code: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(code)
                for key, value in headers.items():
                    if key.lower() not in HOP_BY_HOP:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_DELETE = forward  # noqa: N815 - http.server's names

        return Handler

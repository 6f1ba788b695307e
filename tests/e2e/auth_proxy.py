"""A proxy in front of an evaluator that requires credentials and records every request."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from typing_extensions import override

from tests.e2e.loopback import LoopbackServer, QuietHandler


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; names of headers in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: str = ""
    at: float = field(default_factory=time.monotonic)


class AuthProxy(LoopbackServer):
    """Forwards to the evaluator at `behind`; without one it answers every request with `code` and `body`.

    `password`: the headers that a request needs, else it gets 401 and its own headers in the body.
    """

    def __init__(
        self,
        behind: str | None = None,
        *,
        password: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        code: int = 503,
        body: str = "",
        location: str | None = None,
    ) -> None:
        self.behind, self.password = behind, password or {}
        self.code, self.body, self.location = code, body, location
        self.received: list[ReceivedRequest] = []
        super().__init__()
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")

    @property
    def posted(self) -> list[dict[str, Any]]:
        """The jobs that were submitted through this proxy."""
        return [json.loads(one.body) for one in self.received if one.method == "POST" and is_jobs(one.path)]

    def answer(self, request: ReceivedRequest) -> tuple[int, str]:
        if any(request.headers.get(name.lower()) != value for name, value in self.password.items()):
            return 401, json.dumps({"detail": f"not with {request.headers}"})
        if self.behind is None:
            return self.code, self.body
        reply = httpx.request(
            request.method,
            self.behind + request.path,
            content=request.body.encode(),
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        return reply.status_code, reply.text

    @override
    def release(self) -> None:
        pass

    @override
    def handler(self) -> type[QuietHandler]:
        auth_proxy = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = ReceivedRequest(self.command, self.path, headers, sent)
                auth_proxy.received.append(request)
                code, text = auth_proxy.answer(request)
                self.send_response(code)
                self.send_header("Content-Length", str(len(text.encode())))
                if auth_proxy.location is not None:
                    self.send_header("Location", auth_proxy.location)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = do_DELETE = pass_on  # noqa: N815 - http.server's names

        return Handler


def is_jobs(path: str) -> bool:
    return path.partition("?")[0] == "/v1/evaluation/jobs"

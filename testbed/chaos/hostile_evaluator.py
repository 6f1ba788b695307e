"""An evaluator at a tenant's connections whose answers are odd in every way that HTTP has room for.

It is a raw TCP server, because no HTTP server would send most of these answers. Plausible ones are mixed
in, so that the operator gets far enough to request jobs and results.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import re
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, Self

from typing_extensions import override

__all__ = ["ODD_ANSWERS", "HostileEvaluator"]

_TARPIT_SECONDS: Final = 10.0
"""Longer than the operator's time-out in a run of chaos, 3 s."""

_ENDLESS_BYTES: Final = 64 * 1024**2
"""After which an endless body ends all the same, if the client does not hang up."""

_CHUNK: Final = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
_LENGTH: Final = re.compile(rb"content-length: *([0-9]{1,9})", re.IGNORECASE)
_PLAUSIBLE_SHARE: Final = 0.6
_IDS: Final = ("eval-1", "eval-2", "eval-3")
"""Few, so that jobs of different objects get the same one."""


def _json(document: Any, status: str = "200 OK", headers: str = "") -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _raw(body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


ODD_ANSWERS: Final[dict[str, bytes]] = {
    "a status line that is not text": b"HTTP/1.1 200 \xff\r\nContent-Length: 2\r\n\r\n{}",
    "a status line of another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status of 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "a status that is informational": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\n\r\n",
    "no answer": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a body that is too short": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}",
    "a length that is negative": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    "a header of control characters": _raw(b"{}", "Retry-After: \x1b[31m\r\n"),
    "a retry in a thousand years": _json({}, "503 Busy", "Retry-After: 99999999999999999999\r\n"),
    "a redirect to a metadata service": _json({}, "307 Away", "Location: http://169.254.169.254/latest\r\n"),
    "another coding than it says": _raw(b"\x00\x01", "Content-Encoding: gzip\r\n"),
    "a compressed bomb": _raw(gzip.compress(b"[" + b" " * 50_000_000), "Content-Encoding: gzip\r\n"),
    "a page": _raw(b"<html>Welcome</html>", "Content-Type: text/html\r\n"),
    "deep lists": _raw(b"[" * 200_000),
    "many lists": _raw(b'{"data": [' + b"[]," * 600_000 + b"[]]}"),
    "a number": _json(7),
    "nothing": _json(None),
    "an id of two lines": _json(
        {"id": "eval-1\nERROR all is lost \x1b[31m", "status": "running"}, "201 Created"
    ),
    "an id that is a path": _json({"id": "../configs/other", "status": "running"}, "201 Created"),
    "an id without end": _json({"id": "x" * 100_000, "status": "running"}, "201 Created"),
    "an unknown state": _json({"id": "eval-1", "status": "\x00" * 1_000}),
    "progress beyond all numbers": _raw(
        b'{"id": "eval-1", "status": "running", "status_details": {"progress": 1e999}}'
    ),
    "half a surrogate": _raw(b'{"id": "\\ud800", "status": "running"}'),
    "a score that is an object": _json(
        {"job": "eval-1", "tasks": {"t": {"metrics": {"m": {"scores": {"s": {}}}}}}}
    ),
}
"""Whole answers by what is odd about them."""


class HostileEvaluator:
    """Listens on this machine until the context ends. `answered` counts the answers, odd and plausible.

    `always`: the only answer, where one is to be tried by itself.
    """

    def __init__(self, seed: int, *, always: bytes | None = None) -> None:
        self._always = always
        self._dice = random.Random(seed)  # noqa: S311 - guards nothing
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.answered = 0
        evaluator = self

        class Handler(socketserver.BaseRequestHandler):
            @override
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    self.request.settimeout(_TARPIT_SECONDS)
                    evaluator._answer(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="hostile-evaluator", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, connection: Any) -> None:
        method, path, body = _read_request(connection)
        with self._lock:
            self.answered += 1
            plausible = self._dice.random() < _PLAUSIBLE_SHARE
            odd = self._dice.choice([*ODD_ANSWERS.values(), "tarpit", "endless"])
            job_id = self._dice.choice(_IDS)
        if self._always is not None:
            connection.sendall(self._always)
        elif plausible:
            connection.sendall(_plausible(method, path, body, job_id))
        elif odd == "tarpit":
            self._over.wait(_TARPIT_SECONDS)
        elif odd == "endless":
            for part in _endless():
                connection.sendall(part)
        else:
            connection.sendall(odd)


def _read_request(connection: Any) -> tuple[str, str, Any]:
    """Method, path and body, where that is JSON."""
    data = b""
    deadline = time.monotonic() + _TARPIT_SECONDS
    while time.monotonic() < deadline:
        head, end, body = data.partition(b"\r\n\r\n")
        length = int(found[1]) if (found := _LENGTH.search(head)) else 0
        if end and len(body) >= length:
            break
        received = connection.recv(65536)
        if not received:
            break
        data += received
    method, _, rest = data.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    try:
        document = json.loads(data.partition(b"\r\n\r\n")[2] or b"{}")
    except ValueError:
        document = {}
    return method, rest.partition(" ")[0].partition("?")[0], document


def _plausible(method: str, path: str, body: Any, job_id: str) -> bytes:
    now = "2026-01-01T00:00:00"
    match method, path.removeprefix("/v1/evaluation/").split("/"):
        case "POST", ["jobs"]:
            return _json({**body, "id": job_id, "status": "created", "created_at": now}, "201 Created")
        case "POST" | "PATCH", ["configs", *_]:
            return _json({**body, "id": "eval-config-1", "created_at": now}, "201 Created")
        case "GET", ["jobs", _]:
            return _json({"id": job_id, "status": "completed", "status_details": {}, "created_at": now})
        case "GET", ["jobs", _, "results"]:
            return _json({"job": job_id, "tasks": {}})
        case "GET", ["configs", _, _]:
            return _json({"detail": "not found"}, "404 Not Found")
        case _:
            return _json({"data": [], "pagination": {"page": 1, "total_pages": 1, "total_results": 0}})


def _endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(_ENDLESS_BYTES // 0x10000):
        yield _CHUNK

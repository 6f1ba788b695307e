"""An HTTP server on loopback that runs in a thread for the duration of a `with` block."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from typing_extensions import override


class QuietHandler(BaseHTTPRequestHandler):
    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


class LoopbackServer(ABC):
    """Serves requests by the handler that `handler()` returns; `url` is where."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @abstractmethod
    def handler(self) -> type[QuietHandler]:
        """What answers the requests."""

    @abstractmethod
    def release(self) -> None:
        """Let requests go that are being held, so that the server can stop."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

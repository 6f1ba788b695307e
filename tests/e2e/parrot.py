"""A chat model for tests: answers from a list, remembers what it was asked, and can be silenced."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

ANSWERS = {"Capital of France?": "Paris", "Capital of Italy?": "Milan"}


class Parrot:
    """An OpenAI-compatible endpoint on loopback. While `silent`, no answer comes."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._may_speak = threading.Event()
        self._may_speak.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def hush(self) -> None:
        self._may_speak.clear()

    def speak(self) -> None:
        self._may_speak.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.speak()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        parrot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                parrot.requests.append(request)
                parrot.authorizations.append(self.headers.get("Authorization"))
                parrot._may_speak.wait()
                text = ANSWERS.get(request["messages"][-1]["content"], "?")
                choice = {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
                body = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    return  # whoever asked was cancelled meanwhile

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

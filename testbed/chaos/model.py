"""A chat model that takes its time: `steady` answers after a while, `endless` never does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from typing_extensions import override

from testbed.model import ModelEndpoint

__all__ = ["ENDLESS", "STEADY", "SlowModel"]

STEADY: Final = "steady"
ENDLESS: Final = "endless"
_STEADY_SECONDS: Final = 1.5
_ANSWER: Final = {"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}


class SlowModel:
    """An OpenAI-compatible endpoint on loopback for the duration of a `with` block."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        ending = self._ending

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ending.wait(None if asked["model"] == ENDLESS else _STEADY_SECONDS)
                body = json.dumps({"object": "chat.completion", "choices": [_ANSWER]}).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    return  # the job was cancelled meanwhile

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def endpoints(self) -> dict[str, ModelEndpoint]:
        url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return {name: ModelEndpoint(url, name) for name in (STEADY, ENDLESS)}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

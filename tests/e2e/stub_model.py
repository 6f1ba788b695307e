"""A chat model for tests: answers from a list, records its requests, and can stop answering."""

from __future__ import annotations

import json
import threading
from typing import Any

from typing_extensions import override

from tests.e2e.loopback import LoopbackServer, QuietHandler

ANSWERS = {"Capital of France?": "Paris", "Capital of Italy?": "Milan"}


class StubModel(LoopbackServer):
    """An OpenAI-compatible endpoint on loopback. After `stop_answering`, requests wait for `answer_again`."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._may_answer = threading.Event()
        self._may_answer.set()
        super().__init__()
        self.url += "/v1"

    def stop_answering(self) -> None:
        self._may_answer.clear()

    def answer_again(self) -> None:
        self._may_answer.set()

    @override
    def release(self) -> None:
        self.answer_again()

    @override
    def handler(self) -> type[QuietHandler]:
        stub_model = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub_model.requests.append(request)
                stub_model.authorizations.append(self.headers.get("Authorization"))
                stub_model._may_answer.wait()
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
                    return  # the request was cancelled

        return Handler

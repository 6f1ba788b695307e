"""An evaluator with scripted responses, as a transport of httpx."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import KnownSecrets

BASE_URL = "http://evaluator.test:7331"

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Scripted:
    """Keeps every request; `answer` may also raise, as a broken connection does."""

    answer: Answer
    base_url: str = BASE_URL
    requests: list[httpx.Request] = field(default_factory=list)
    known: KnownSecrets = field(default_factory=KnownSecrets)
    deadline: float = 60.0

    @property
    def client(self) -> EvaluatorClient:
        http = httpx.AsyncClient(base_url=self.base_url, transport=httpx.MockTransport(self._handle))
        return EvaluatorClient(http, known=self.known, deadline=self.deadline)

    @property
    def only_request(self) -> httpx.Request:
        (request,) = self.requests
        return request

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


def answering(status_code: int = 200, body: object = None, **headers: str) -> Scripted:
    """Always the same JSON answer; header names are written with underscores."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(lambda _: httpx.Response(status_code, json=body, headers=names))


def answering_raw(content: bytes, status_code: int = 200) -> Scripted:
    return Scripted(lambda _: httpx.Response(status_code, content=content))


def breaking(error: Exception) -> Scripted:
    """The connection breaks before an answer arrives."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return Scripted(answer)


def sent(request: httpx.Request) -> Any:
    """The JSON body of a request; None where it has none."""
    return json.loads(request.content) if request.content else None

"""Calls of endpoints with OpenAI's API: time-outs, bounded retries, no redirects, no streaming."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from nemo_local_evaluator.templating import Generates
from nemo_local_evaluator.wire.depth import TOO_DEEP, is_too_deep
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed
from nemo_local_evaluator.wire.masking import MASK

from .http import HttpClients
from .prompt import ModelPrompt

__all__ = [
    "DEFAULT_RETRIES",
    "DEFAULT_TIMEOUT",
    "Endpoint",
    "ModelClient",
    "call_url",
    "kind_of_url",
    "parse_url",
]

DEFAULT_TIMEOUT: Final = 60.0
DEFAULT_RETRIES: Final = 2
_LAST_PORT: Final = 65_535
_CONNECT_TIMEOUT: Final = 5.0
_MAX_WAIT: Final = 8.0
_LOOKS: Final = 8
"""Connections tried at the start of a run before an endpoint counts as out of reach."""
_MAX_SHOWN: Final = 300
_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_PATHS: dict[Generates, str] = {"chat-completion": "/chat/completions", "completion": "/completions"}
_NOT_LET_IN: Final = frozenset({401, 403})
_TRANSIENT: Final = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    url: str
    model_id: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for one call, from connecting to the last byte."""
    retries: int = DEFAULT_RETRIES
    prompt: ModelPrompt = field(default_factory=ModelPrompt, compare=False)


def call_url(url: str, kind: Generates) -> httpx.URL:
    """The URL as given, or the usual path beneath it where it ends with the API's version."""
    parsed = parse_url(url)
    path = parsed.path.rstrip("/")
    return parsed.copy_with(path=path + _PATHS[kind]) if path.endswith("/v1") else parsed


def kind_of_url(url: str) -> Generates | None:
    """Return what the path says the endpoint takes; None where it does not say. Raises EvaluationError."""
    path = parse_url(url).path.rstrip("/")
    if path.endswith(_PATHS["chat-completion"]):
        return "chat-completion"
    return "completion" if path.endswith(_PATHS["completion"]) else None


def parse_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise EvaluationError(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise EvaluationError(f"{url!r} is not an http:// or https:// URL")
    if parsed.port is not None and parsed.port > _LAST_PORT:
        raise EvaluationError(f"{url!r} has a port beyond {_LAST_PORT}")
    return parsed


class ModelClient:
    def __init__(self, http: HttpClients, *, retry_base: float) -> None:
        self._http = http
        self._retry_base = retry_base

    async def check(self, endpoint: Endpoint) -> None:
        """Raise EvaluationError if the endpoint refuses the API key.

        An endpoint that is busy or cannot be reached passes: that may be over when the job runs, and a run
        waits for it (`ready`) and repeats its calls.
        """
        try:
            status = await self._look(endpoint)
        except httpx.RequestError:
            return
        # Not every endpoint lists its models: any other answer says that a server is there.
        if status in _NOT_LET_IN:
            raise EvaluationError(f"model endpoint {endpoint.url!r} answered {status}: check its api_key")

    async def ready(self, endpoint: Endpoint, log: Callable[[str], None]) -> None:
        """Wait for the endpoint to accept connections, about half a minute (more where connecting times out).

        Raises EvaluationError if it does not.
        """
        for attempt in range(_LOOKS):
            try:
                await self._look(endpoint)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                fault = f"model endpoint {endpoint.url!r} cannot be reached: {_shown(error, endpoint)}"
            except httpx.RequestError:
                return  # connected, and busy with other calls
            else:
                return
            if attempt == 0:
                log(f"{fault}; waiting for it")
            if attempt + 1 < _LOOKS:
                await asyncio.sleep(self._wait(attempt, None))
        raise EvaluationError(f"{fault} (attempts: {_LOOKS})")

    async def _look(self, endpoint: Endpoint) -> int:
        """Return the status with which the endpoint answers for its list of models. Raises RequestError."""
        url = parse_url(endpoint.url)
        models = url.copy_with(
            path=url.path.rstrip("/").removesuffix("/completions").removesuffix("/chat") + "/models"
        )
        async with self._http.next().stream(
            "GET", models, headers=_headers(endpoint), timeout=_CONNECT_TIMEOUT
        ) as response:
            return response.status_code

    async def generate(self, endpoint: Endpoint, kind: Generates, body: Mapping[str, Any]) -> dict[str, Any]:
        """The variable `sample` of templates: prompt, text, and the whole response."""
        attempt = 0
        body = endpoint.prompt.applied_to(body)
        while True:
            try:
                response = await self._post(endpoint, kind, body)
            except _Retryable as error:
                if attempt >= endpoint.retries:
                    raise SampleFailed(f"{error} (attempts: {attempt + 1})") from error
                await asyncio.sleep(self._wait(attempt, error.retry_after))
                attempt += 1
            else:
                text = endpoint.prompt.answer_in(_answer_text(kind, response))
                prompt = body.get("prompt", body.get("messages"))
                return {"output_text": text, "response": response, "prompt": prompt}

    async def _post(self, endpoint: Endpoint, kind: Generates, body: Mapping[str, Any]) -> Any:
        try:
            # httpx bounds each read; an endpoint that trickles bytes needs a bound on the whole.
            async with (
                asyncio.timeout(endpoint.timeout),
                self._http.next().stream(
                    "POST",
                    call_url(endpoint.url, kind),
                    # Not json=, which writes UTF-8: a row may hold half a surrogate pair.
                    content=json.dumps({"model": endpoint.model_id, **body, "stream": False}),
                    headers=_headers(endpoint),
                    timeout=httpx.Timeout(endpoint.timeout, connect=min(endpoint.timeout, _CONNECT_TIMEOUT)),
                ) as response,
            ):
                answer = await _read(response)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _Retryable(f"model endpoint did not answer within {endpoint.timeout:g} s") from error
        except httpx.RequestError as error:
            raise _Retryable(f"model endpoint cannot be reached: {_shown(error, endpoint)}") from error
        if response.is_success:
            try:
                document = json.loads(answer)
            except (ValueError, RecursionError) as error:
                raise SampleFailed("model endpoint did not answer with JSON") from error
            if is_too_deep(document):
                raise SampleFailed(f"model endpoint answered with {TOO_DEEP}")
            return document
        message = f"model endpoint answered {response.status_code}: {_shown(_text(answer), endpoint)}"
        if response.status_code in _TRANSIENT or response.is_server_error:
            raise _Retryable(message, retry_after=response.headers.get("Retry-After"))
        raise SampleFailed(message)

    def _wait(self, attempt: int, retry_after: str | None) -> float:
        if retry_after is not None and retry_after.isdecimal():
            return min(float(retry_after), _MAX_WAIT)
        # Jitter keeps parallel calls, which failed together, from coming back together.
        return float(min(self._retry_base * 2**attempt, _MAX_WAIT) * random.uniform(0.5, 1.0))  # noqa: S311


class _Retryable(Exception):
    def __init__(self, message: str, *, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    return headers


async def _read(response: httpx.Response) -> bytes:
    answer = bytearray()
    async for chunk in response.aiter_bytes():
        answer += chunk
        if len(answer) > _MAX_ANSWER_BYTES:
            raise SampleFailed(f"model endpoint's answer is larger than {_MAX_ANSWER_BYTES // 2**20} MiB")
    return bytes(answer)


def _text(answer: bytes) -> str:
    return answer.decode(errors="replace")


def _answer_text(kind: Generates, response: Any) -> str:
    try:
        choice = response["choices"][0]
        return _said(choice["message"].get("content") if kind == "chat-completion" else choice["text"])
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise SampleFailed(
            f"the model endpoint's response is not a {kind}: {str(response)[:_MAX_SHOWN]}"
        ) from error


def _said(content: Any) -> str:
    """The text of an answer: whole, in parts, or none where tools are called. Raises TypeError, KeyError."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "".join(part["text"] for part in content if part["type"] == "text")
        case _:
            raise TypeError


def _shown(said: str | Exception, endpoint: Endpoint) -> str:
    # Some of httpx's errors say nothing but their name.
    text = said if isinstance(said, str) else str(said) or type(said).__name__
    if endpoint.api_key:
        text = text.replace(endpoint.api_key, MASK)
    return text[:_MAX_SHOWN]

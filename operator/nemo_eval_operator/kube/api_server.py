"""One HTTP exchange with the Kubernetes API: parts of paths, bounds of answers, and what a refusal means."""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, JsonValue, ValidationError

from nemo_eval_operator.json_types import JsonObject

from .errors import KubeError, KubeForbidden, KubeRefused, KubeUnavailable, ObjectGone, Outdated
from .weighing import parts_at_most

__all__ = ["MERGE_PATCH", "AnswerTooLarge", "ApiServer", "read", "segment"]

MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}

FIELD_MANAGER: Final = "nemo-eval-operator"
"""The operator's name in metadata.managedFields."""

WRITES: Final = frozenset({"PATCH", "POST", "PUT"})

SMALL_BYTES: Final = 256 * 1024
"""Bytes of an answer that any number of calls may hold at the same time."""

LARGE_ANSWERS: Final = 2
"""Answers beyond that which are read at the same time, by one client."""

MAX_ANSWER_PARTS: Final = 50_000
"""Parts of one document that is parsed as a whole. A Secret of 1 MiB could have 150,000 names."""


class AnswerTooLarge(Exception):
    """The answer has more bytes than asked for; what was read of it is dropped."""


class _Details(BaseModel):
    causes: list[JsonValue] = Field(default_factory=list)


class _Refusal(BaseModel):
    """The fields of metav1.Status that distinguish refusals."""

    message: str = ""
    details: _Details = _Details()


class ApiServer:
    """Client of the API server over `http`. Raises only KubeError."""

    def __init__(self, http: httpx.AsyncClient, *, field_manager: str = FIELD_MANAGER) -> None:
        self._http = http
        self._field_manager = field_manager
        self._large = asyncio.Semaphore(LARGE_ANSWERS)

    async def get(self, path: str) -> JsonObject | None:
        """The document at `path`; None where there is none."""
        try:
            return read(await self.send("GET", path))
        except ObjectGone:
            return None

    async def content(self, path: str, *, limit: int, headers: dict[str, str] | None = None) -> bytes | None:
        """The bytes of the document at `path`; None where there is none. Raises AnswerTooLarge."""
        try:
            async with self._http.stream("GET", path, headers=headers) as response:
                if response.is_success:
                    return await self._body(response, limit)
                await response.aread()
                raise _refusal(response)
        except httpx.HTTPError as error:
            raise KubeUnavailable(f"GET {path}: {str(error) or type(error).__name__}") from error
        except ObjectGone:
            return None

    async def _body(self, response: httpx.Response, limit: int) -> bytes:
        body, chunks = bytearray(), response.aiter_bytes()
        async for chunk in chunks:
            body += chunk
            if len(body) > SMALL_BYTES:
                break
        else:
            return bytes(body)
        async with self._large:
            async for chunk in chunks:
                body += chunk
                if len(body) > limit:
                    raise AnswerTooLarge
        return bytes(body)

    async def send(
        self, method: str, path: str, *, body: JsonValue = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """The answer, which is a success."""
        # managedFields then name the program, not its HTTP library.
        params = {"fieldManager": self._field_manager} if method in WRITES else None
        try:
            response = await self._http.request(method, path, params=params, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise KubeUnavailable(f"{method} {path}: {str(error) or type(error).__name__}") from error
        if response.is_success:
            return response
        raise _refusal(response)


def segment(name: str) -> str:
    """A name as one segment of a path: names come from specs, and `..` would be a way up."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _refusal(response: httpx.Response) -> KubeError:
    try:
        status = _Refusal.model_validate_json(response.content)
    except ValidationError:
        status = _Refusal(message=response.reason_phrase)
    request = response.request
    text = f"{request.method} {request.url.path} answered {response.status_code}: {status.message}"
    match response.status_code:
        case 401 | 403:
            return KubeForbidden(text)
        case 404:
            return ObjectGone(text)
        case 409 | 410:
            return Outdated(text)
        case 422 if not status.details.causes:
            # A failed `test` of a JSON patch; an object that fails validation comes with its causes.
            return ObjectGone(text)
        case 429 | 500 | 502 | 503 | 504:
            return KubeUnavailable(text)
        case _:
            return KubeRefused(text)


def read(response: httpx.Response) -> JsonObject:
    """The answer as an object. Raises KubeUnavailable where it is none, KubeRefused where it is too large."""
    if (parts := parts_at_most(response.content)) > MAX_ANSWER_PARTS:
        raise KubeRefused(f"{response.request.url.path} has about {parts:,} values: too many to be read")
    # Not pydantic's parser, which ends at a depth of 200: a deeper object has to be reported.
    try:
        document: JsonValue = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise KubeUnavailable(f"{response.request.url.path} answered something other than JSON") from error
    if not isinstance(document, dict):
        raise KubeUnavailable(f"{response.request.url.path} answered something other than an object")
    return document

"""One HTTP exchange with the Kubernetes API: parts of paths, bounds of answers, and what a refusal means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

from pydantic import BaseModel, Field, JsonValue, ValidationError

from nemo_eval_operator.json_types import JsonObject

from .errors import (
    KubeError,
    KubeForbidden,
    KubeRefused,
    KubeUnanswered,
    KubeUnauthorized,
    KubeUnavailable,
    ObjectGone,
    Outdated,
)
from .http import HttpAnswer, KubeHttp, NotAnswered
from .weighing import parts_at_most

__all__ = ["MERGE_PATCH", "AnswerTooLarge", "ApiServer", "read", "segment", "shown_path"]

MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
ACCEPT: Final = {"Accept": "application/json"}
PLAIN: Final = {"Content-Type": "application/json", **ACCEPT}

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


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read whole."""

    method: str
    path: str
    status: int
    reason: str
    content: bytes
    date: str = ""
    """The header Date."""

    @property
    def is_success(self) -> bool:
        return _is_success(self.status)

    @property
    def shown_path(self) -> str:
        """The path as messages show it."""
        return shown_path(self.path)


class ApiServer:
    """Client of the API server over `http`. Raises only KubeError."""

    def __init__(self, http: KubeHttp, *, field_manager: str = FIELD_MANAGER) -> None:
        self._http = http
        self._manager = f"fieldManager={field_manager}"
        self._large = asyncio.Semaphore(LARGE_ANSWERS)

    async def get(self, path: str) -> JsonObject | None:
        """The document at `path`; None where there is none."""
        try:
            return read(await self.send("GET", path))
        except ObjectGone:
            return None

    async def content(
        self, path: str, *, limit: int, headers: Mapping[str, str] | None = None
    ) -> bytes | None:
        """The bytes of the document at `path`; None where there is none. Raises AnswerTooLarge."""
        try:
            async with self._http.exchange("GET", path, headers={**ACCEPT, **(headers or {})}) as answer:
                if _is_success(answer.status):
                    return await self._body(answer, limit)
                refused = Answer("GET", path, answer.status, answer.reason, await answer.read())
        except NotAnswered as error:
            raise self._unanswered("GET", path, error) from error
        refusal = _refusal(refused, self._http.server)
        if isinstance(refusal, ObjectGone):
            return None
        raise refusal

    async def _body(self, answer: HttpAnswer, limit: int) -> bytes:
        body, chunks = bytearray(), answer.chunks()
        async for chunk in chunks:
            body += chunk
            if len(body) > SMALL_BYTES:
                break
        else:
            return bytes(body)
        async with self._large:
            # The first chunk may be larger already.
            if len(body) > limit:
                raise AnswerTooLarge
            async for chunk in chunks:
                body += chunk
                if len(body) > limit:
                    raise AnswerTooLarge
        return bytes(body)

    async def send(
        self, method: str, path: str, *, body: JsonValue = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, which is a success."""
        target = path
        if method in WRITES:
            # managedFields then name the program, not its HTTP library.
            target += ("&" if "?" in path else "?") + self._manager
        encoded = None if body is None else _encoded(body)
        sent = {**(ACCEPT if body is None else PLAIN), **(headers or {})}
        try:
            async with self._http.exchange(method, target, headers=sent, content=encoded) as answered:
                content = await answered.read()
                answer = Answer(method, path, answered.status, answered.reason, content, answered.date)
        except NotAnswered as error:
            raise self._unanswered(method, path, error) from error
        if answer.is_success:
            return answer
        raise _refusal(answer, self._http.server)

    def _unanswered(self, method: str, path: str, error: NotAnswered) -> KubeUnanswered:
        text = f"{method} {shown_path(path)}: {error}"
        return KubeUnanswered(text, server=self._http.server, cause=error.cause)


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _encoded(body: JsonValue) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def shown_path(path: str) -> str:
    """A path as messages show it: decoded, without the query."""
    return unquote(path.partition("?")[0])


def segment(name: str) -> str:
    """A name as one segment of a path: names come from specs, and `..` would be a way up."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _refusal(answer: Answer, server: str) -> KubeError:
    try:
        status = _Refusal.model_validate_json(answer.content)
    except ValidationError:
        status = _Refusal(message=answer.reason)
    text = f"{answer.method} {answer.shown_path} answered {answer.status}: {status.message}"
    match answer.status:
        case 401:
            return KubeUnauthorized(text, server=server)
        case 403:
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


def read(answer: Answer) -> JsonObject:
    """The answer as an object. Raises KubeUnavailable where it is none, KubeRefused where it is too large."""
    if (parts := parts_at_most(answer.content)) > MAX_ANSWER_PARTS:
        raise KubeRefused(f"{answer.shown_path} has about {parts:,} values: too many to be read")
    # Not pydantic's parser, which ends at a depth of 200: a deeper object has to be reported.
    try:
        document: JsonValue = json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise KubeUnavailable(f"{answer.shown_path} answered something other than JSON") from error
    if not isinstance(document, dict):
        raise KubeUnavailable(f"{answer.shown_path} answered something other than an object")
    return document

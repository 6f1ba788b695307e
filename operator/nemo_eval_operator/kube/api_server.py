"""One HTTP exchange with the Kubernetes API: the paths' parts, what an answer is, what a refusal means."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, JsonValue, ValidationError

from nemo_eval_operator.nemo import JsonObject

from .errors import KubeError, KubeRefused, KubeUnavailable, ObjectGone, Outdated

__all__ = ["MERGE_PATCH", "ApiServer", "read", "segment"]

MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}


class _Details(BaseModel):
    causes: list[JsonValue] = Field(default_factory=list)


class _Refusal(BaseModel):
    """metav1.Status, as far as it tells one refusal from another."""

    message: str = ""
    details: _Details = _Details()


class ApiServer:
    """Asked by way of `http`. Raises KubeError and nothing else."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str) -> JsonObject | None:
        """The document at `path`; None where there is none."""
        try:
            return read(await self.send("GET", path))
        except ObjectGone:
            return None

    async def send(
        self, method: str, path: str, *, body: JsonValue = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """The answer, which is a success."""
        try:
            response = await self._http.request(method, path, json=body, headers=headers)
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
    """The answer as an object. Raises KubeUnavailable where it is none."""
    # Not pydantic's parser, which ends at a depth of 200: what is deeper has to be told so, not passed over.
    try:
        document: JsonValue = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise KubeUnavailable(f"{response.request.url.path} answered something other than JSON") from error
    if not isinstance(document, dict):
        raise KubeUnavailable(f"{response.request.url.path} answered something other than an object")
    return document

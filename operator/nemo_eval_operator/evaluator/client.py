"""NeMo Evaluator's v1 REST API, one method a route that the operator needs.

Nothing here retries: whether a call may be made again is the caller's decision
(`errors`), above all for the POST that starts a job. Redirects are not followed,
so credentials stay with the host that they were meant for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError

from nemo_eval_operator.nemo import JsonObject

from .errors import (
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from .wire import JobPage, RemoteConfig, RemoteJob, Results

__all__ = ["EvaluatorClient"]

CONFIGS: Final = "/v1/evaluation/configs"
JOBS: Final = "/v1/evaluation/jobs"

PAGE_SIZE: Final = 100
"""Jobs asked for at once. The default of v1 servers is unknown, so it is always sent."""

MAX_PAGES: Final = 10_000
"""Where a list is given up as endless: a million jobs at our page size."""

_json_object = TypeAdapter(JsonObject)


class EvaluatorClient:
    """A NeMo Evaluator behind `http`, whose base URL, time-outs and headers are its own.

    `deadline` is how many seconds a whole call may take: httpx's time-outs are for
    each read, so that an answer which trickles would never end.

    Every method raises EvaluatorError and nothing else.
    """

    def __init__(self, http: httpx.AsyncClient, *, deadline: float = 60.0) -> None:
        self._http = http
        self._deadline = deadline

    async def create_config(self, config: JsonObject) -> RemoteConfig:
        return _remote_config(await self._send("POST", CONFIGS, body=config))

    async def get_config(self, namespace: str, name: str) -> RemoteConfig:
        return _remote_config(await self._send("GET", _config_path(namespace, name)))

    async def update_config(self, namespace: str, name: str, config: JsonObject) -> RemoteConfig:
        return _remote_config(await self._send("PATCH", _config_path(namespace, name), body=config))

    async def delete_config(self, namespace: str, name: str) -> None:
        await self._send("DELETE", _config_path(namespace, name))

    async def create_job(self, job: JsonObject) -> RemoteJob:
        """Start a job. There is no idempotency key: after Ambiguous, look before calling again."""
        return _remote_job(await self._send("POST", JOBS, body=job))

    async def get_job(self, job_id: str) -> RemoteJob:
        return _remote_job(await self._send("GET", _job_path(job_id)))

    async def check(self) -> None:
        """Whether the API answers us, by the cheapest call that also needs our credentials."""
        await self._send("GET", JOBS, params={"page": "1", "page_size": "1"})

    async def cancel_job(self, job_id: str) -> None:
        """Ask for cancellation. The reply is untyped in the API: only its code is read."""
        await self._send("POST", _job_path(job_id) + "/cancel", body={})

    async def delete_job(self, job_id: str) -> None:
        await self._send("DELETE", _job_path(job_id))

    async def get_results(self, job_id: str) -> Results:
        response = await self._send("GET", _job_path(job_id) + "/results")
        document = _document(response)
        try:
            return Results.model_validate({**document, "document": document})
        except ValidationError as error:
            raise _malformed(response, error) from error

    async def list_jobs(
        self, *, created_since: datetime | None = None, status: str | None = None
    ) -> AsyncIterator[RemoteJob]:
        """All jobs that match, each once, newest first where the server sorts.

        Servers may ignore the filters, the order or the page number: callers
        check what they get. Without a count of pages, one that brings nothing new is the end.
        """
        seen: set[str] = set()
        for page_number in range(1, MAX_PAGES + 1):
            page = await self._job_page(page_number, created_since, status)
            fresh = [job for job in page.data if job.id not in seen]
            for job in fresh:
                seen.add(job.id)
                yield job
            last = page.pagination.total_pages if page.pagination else None
            # A page of known jobs is no end where the server counts: new ones may have pushed them on.
            if not fresh if last is None else page_number >= last:
                return
        raise Malformed(f"GET {JOBS}: still new jobs after {MAX_PAGES} pages")

    async def _job_page(self, number: int, created_since: datetime | None, status: str | None) -> JobPage:
        params = {"page": str(number), "page_size": str(PAGE_SIZE), "sort": "-created_at"}
        if created_since is not None:
            params["filter[created_at][gte]"] = created_since.astimezone(UTC).replace(tzinfo=None).isoformat()
        if status is not None:
            params["filter[status]"] = status
        response = await self._send("GET", JOBS, params=params)
        try:
            return JobPage.model_validate_json(response.content)
        except ValidationError as error:
            raise _malformed(response, error) from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: JsonObject | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(self._deadline):
                response = await self._http.request(
                    method, path, json=body, params=params, follow_redirects=False
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unavailable(f"cannot connect to {self._http.base_url}: {_reason(error)}") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Unavailable(f"{self._http.base_url} is not a usable URL: {error}") from error
        except TimeoutError as error:
            raise Ambiguous(f"{method} {path}: no whole answer within {self._deadline:g} s") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Ambiguous(f"{method} {path}: {_reason(error)}") from error
        if not response.is_success:
            raise _refusal(response)
        return response


def _config_path(namespace: str, name: str) -> str:
    return f"{CONFIGS}/{_segment(namespace)}/{_segment(name)}"


def _job_path(job_id: str) -> str:
    return f"{JOBS}/{_segment(job_id)}"


def _segment(name: str) -> str:
    """A name as one segment of a path, also if it is a way up (`..`) to those who resolve paths."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _remote_job(response: httpx.Response) -> RemoteJob:
    try:
        return RemoteJob.model_validate_json(response.content)
    except ValidationError as error:
        raise _malformed(response, error) from error


def _remote_config(response: httpx.Response) -> RemoteConfig:
    document = _document(response)
    try:
        return RemoteConfig.model_validate({**document, "document": document})
    except ValidationError as error:
        raise _malformed(response, error) from error


def _document(response: httpx.Response) -> JsonObject:
    try:
        return _json_object.validate_json(response.content)
    except ValidationError as error:
        raise _malformed(response, error) from error


def _malformed(response: httpx.Response, error: ValidationError) -> Malformed:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    request = response.request
    return Malformed(
        f"{request.method} {request.url.path} answered {response.status_code}, but {where}: {first['msg']}",
        status_code=response.status_code,
    )


def _refusal(response: httpx.Response) -> EvaluatorError:
    code = response.status_code
    detail = f"{response.request.method} {response.request.url.path} answered {code}: {_detail(response)}"
    match code:
        case 401 | 403:
            return Unauthorized(detail, status_code=code)
        case 404 if _speaks_nemo(response):
            return Missing(detail, status_code=code)
        case 404:
            return Unavailable(detail, status_code=code)
        case 405 | 501:
            return Unsupported(detail, status_code=code)
        case 408:
            return Ambiguous(detail, status_code=code)
        case 409:
            return Conflicting(detail, status_code=code)
        case 429:
            return Unavailable(detail, status_code=code, retry_after=_retry_after(response))
        case _ if response.is_redirect:
            return Unavailable(f"{detail} (redirects are not followed)", status_code=code)
        case _ if response.is_client_error:
            return Rejected(detail, status_code=code)
        case _:
            return Ambiguous(detail, status_code=code)


def _speaks_nemo(response: httpx.Response) -> bool:
    """Whether the evaluator itself said 404: an ingress without an evaluator behind it says so too."""
    try:
        return "detail" in _json_object.validate_json(response.content)
    except ValidationError:
        return False


def _detail(response: httpx.Response) -> str:
    """NeMo's own words: FastAPI's `detail`, a text or a list of field errors; else the body's beginning."""
    try:
        body = _json_object.validate_json(response.content)
    except ValidationError:
        return " ".join(response.text.split())[:200] or response.reason_phrase
    match body.get("detail"):
        case str(text):
            return text
        case [*problems]:
            return "; ".join(_field_error(problem) for problem in problems)
        case _:
            return " ".join(response.text.split())[:200]


def _field_error(problem: JsonValue) -> str:
    match problem:
        case {"loc": [*location], "msg": str(message)}:
            path = ".".join(str(part) for part in location if part != "body")
            return f"{path}: {message}" if path else message
        case _:
            return str(problem)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds from a Retry-After header; its date form is rare here and counts as not sent."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__

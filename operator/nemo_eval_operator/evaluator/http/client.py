"""NeMo Evaluator's v1 REST API, one method a route that the operator needs.

Nothing here retries: whether a call may be made again is the caller's decision
(`errors`), above all for the POST that starts a job. Redirects are not followed, so credentials stay with
their host. No answer is trusted to be short, to be JSON, or to keep what was sent to itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from math import inf
from typing import Final

import httpx

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    KnownSecrets,
    Oversized,
    Redactor,
    RemoteConfig,
    RemoteJob,
    Results,
    Unavailable,
)
from nemo_eval_operator.json_types import JsonObject

from .answers import Answer
from .bodies import Bounds
from .boundary import only_evaluator_errors
from .faults import fault_of
from .limits import (
    ARCHIVE_BOUNDS,
    DOWNLOAD_SECONDS,
    MAX_RESULTS_BYTES,
    ONE_BOUNDS,
    PAGE_BOUNDS,
    PLAIN,
    RESULTS_PARTS,
)
from .listing import listed_jobs
from .network_words import words_for
from .paths import CONFIGS, JOBS, config_path, job_path, route_of
from .reading import ListedJob, read_form, results_in

__all__ = ["EvaluatorClient"]

PAGE_SIZES: Final = (100, 10, 2)
"""Jobs of a page; fewer where a page is too large. The default of v1 servers is not known."""

OnCall = Callable[[str, str, str, float], None]
"""Takes method, route without names, status code ("none" without a whole answer) and seconds."""


class EvaluatorClient:
    """A NeMo Evaluator behind `http`, whose base URL, time-outs and headers are its own.

    `deadline` is how many seconds a whole call may take: httpx's time-outs are for
    each read, so that an answer which trickles would never end.

    `known` are the values that this evaluator was given: none is shown, though a server echoes it.

    `on_call` is called after each call. `owner` is the object that the calls are about (`about`).

    Every method raises EvaluatorError and nothing else.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        deadline: float = 60.0,
        known: KnownSecrets | None = None,
        on_call: OnCall | None = None,
        owner: Hashable = None,
    ) -> None:
        # httpx keeps cookies and sends them again: an odd one would make every later request fail.
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._http = http
        self._deadline = deadline
        self.known = known or KnownSecrets()
        self._owner = owner
        self._on_call = on_call

    def about(self, owner: Hashable) -> EvaluatorClient:
        """The same client for calls about one object, whose own values are masked in their errors too."""
        return EvaluatorClient(
            self._http, deadline=self._deadline, known=self.known, on_call=self._on_call, owner=owner
        )

    @property
    def _redactor(self) -> Redactor:
        """As of now: credentials and values may be new since the last call."""
        return self.known.of(self._owner)

    async def create_config(self, config: JsonObject) -> RemoteConfig:
        return read_form(RemoteConfig.of, await self._send("POST", CONFIGS, body=config))

    async def get_config(self, namespace: str, name: str) -> RemoteConfig:
        return read_form(RemoteConfig.of, await self._send("GET", config_path(namespace, name)))

    async def update_config(self, namespace: str, name: str, config: JsonObject) -> RemoteConfig:
        answer = await self._send("PATCH", config_path(namespace, name), body=config)
        return read_form(RemoteConfig.of, answer)

    async def delete_config(self, namespace: str, name: str) -> None:
        await self._send("DELETE", config_path(namespace, name))

    async def create_job(self, job: JsonObject) -> RemoteJob:
        """Start a job. There is no idempotency key: after Ambiguous, look before calling again."""
        return read_form(RemoteJob.model_validate, await self._send("POST", JOBS, body=job))

    async def get_job(self, job_id: str) -> RemoteJob:
        return read_form(RemoteJob.model_validate, await self._send("GET", job_path(job_id)))

    async def check(self) -> None:
        """Whether the API answers us, by the cheapest call that also needs our credentials.

        Raises Malformed where what answers is something else, such as a proxy's page.
        """
        answer = await self._send("GET", JOBS, params={"page": "1", "page_size": "1"})
        with suppress(Oversized), only_evaluator_errors(answer.request):
            if "data" not in answer.document():
                raise answer.malformed("data: Field required")

    async def cancel_job(self, job_id: str) -> None:
        """Ask for cancellation. The reply is untyped in the API: only its code is read."""
        await self._send("POST", job_path(job_id) + "/cancel", body={})

    async def delete_job(self, job_id: str) -> None:
        await self._send("DELETE", job_path(job_id))

    async def get_results(self, job_id: str, *, limit: int = MAX_RESULTS_BYTES) -> Results:
        """Return the results of a job. Raises Malformed also where these are the results of another job."""
        return (await self.fetch_results(job_id, limit=limit))()

    async def fetch_results(self, job_id: str, *, limit: int = MAX_RESULTS_BYTES) -> Callable[[], Results]:
        """Return what parses the results of a job: parsed, they take five times the memory."""
        bounds = Bounds(size=limit, parts=RESULTS_PARTS)
        answer = await self._send("GET", job_path(job_id) + "/results", bounds=bounds)
        return lambda: results_in(answer, job_id)

    async def download_results(self, job_id: str) -> bytes:
        """Return the files that the job left, as a ZIP archive; not every evaluator offers them."""
        return await self._download(f"{job_path(job_id)}/download-results")

    async def download_logs(self, job_id: str) -> bytes:
        """Return the log of a job in any state, as a ZIP archive; not every evaluator offers it."""
        return await self._download(f"{job_path(job_id)}/logs")

    async def _download(self, path: str) -> bytes:
        return (await self._send("GET", path, bounds=ARCHIVE_BOUNDS, left=DOWNLOAD_SECONDS)).content

    def results_url(self, job_id: str) -> str:
        """Where the evaluator answers with a job's results; without credentials that its URL may hold."""
        return self._address + job_path(job_id) + "/results"

    @property
    def _address(self) -> str:
        """The evaluator's URL, without credentials that it may hold."""
        return str(self._http.base_url.copy_with(userinfo=b"")).rstrip("/")

    def list_jobs(
        self,
        *,
        created_since: datetime | None = None,
        status: str | None = None,
        page_sizes: Sequence[int] = PAGE_SIZES,
        wanted: Callable[[dict[str, str]], bool] = lambda _: False,
        on_page: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[ListedJob]:
        """All jobs that match, each once, newest first where the server sorts.

        Raises Malformed for a job that is `wanted` by its marks and has no usable id: it would be
        taken for absent, and started once more. Other jobs without an id are left out.

        Of `page_sizes` the next is tried where a page of the last was too large to be read.
        Servers may ignore the filters, the order or the page number: callers
        check what they get. Without a count of pages, one that brings nothing new is the end.

        `on_page` is called for each page that has come, also if no job is on it.
        """
        query = {"sort": "-created_at"}
        if created_since is not None:
            query["filter[created_at][gte]"] = created_since.astimezone(UTC).replace(tzinfo=None).isoformat()
        if status is not None:
            query["filter[status]"] = status

        async def send(page: dict[str, str], left: float) -> Answer:
            return await self._send("GET", JOBS, params=query | page, bounds=PAGE_BOUNDS, left=left)

        return listed_jobs(send, page_sizes=page_sizes, wanted=wanted, on_page=on_page)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: JsonObject | None = None,
        params: dict[str, str] | None = None,
        bounds: Bounds = ONE_BOUNDS,
        left: float = inf,
    ) -> Answer:
        """Raises EvaluatorError, also after `left` seconds where these are fewer than a call may take."""
        with only_evaluator_errors(f"{method} {path}"):
            exchange = self._http.stream(
                method, path, json=body, params=params, headers=PLAIN, follow_redirects=False
            )
            return await self._exchange(method, path, exchange, bounds, min(self._deadline, left))

    async def _exchange(
        self,
        method: str,
        path: str,
        exchange: AbstractAsyncContextManager[httpx.Response],
        bounds: Bounds,
        deadline: float,
    ) -> Answer:
        begun, code = time.monotonic(), "none"
        try:
            async with asyncio.timeout(deadline), exchange as response:
                name = f"{method} {response.request.url.path}"
                code = str(response.status_code)
                return await Answer.read(response, request=name, bounds=bounds, known=self._redactor)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            detail = f"cannot connect to {self._address}: {words_for(error)}"
            raise Unavailable(detail, fault=fault_of(error)) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Unavailable(f"{self._address} is not a usable URL", fault=fault_of(error)) from error
        except TimeoutError as error:
            detail = f"{method} {self._address}{path}: no whole answer within {deadline:g} s"
            raise Ambiguous(detail, fault=fault_of(error)) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            detail = f"{method} {self._address}{path}: {words_for(error)}"
            raise Ambiguous(detail, fault=fault_of(error)) from error
        finally:
            if self._on_call is not None:
                self._on_call(method, route_of(path), code, time.monotonic() - begun)

"""A list of jobs is complete and each job comes once, whatever the server makes of the query."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator import app
from nemo_eval_operator.evaluator.http import EvaluatorClient, listing
from nemo_eval_operator.evaluator.model import Ambiguous, Malformed, Oversized, Unavailable
from nemo_eval_operator.reconcile.job import job_finder
from tests.unit.evaluator.exchanges import JOB
from tests.unit.evaluator.scripted import Scripted, answering

Jobs = list[dict[str, Any]]


def jobs(count: int) -> Jobs:
    return [JOB | {"id": f"eval-{number}"} for number in range(count)]


def served(
    stored: Jobs,
    *,
    page_size: int | None = None,
    paged: bool = True,
    pagination: bool = True,
) -> Callable[[httpx.Request], httpx.Response]:
    """A server with `stored` jobs; `page_size` caps the one asked for, `paged` False ignores the number."""

    def answer(request: httpx.Request) -> httpx.Response:
        size = min(int(request.url.params["page_size"]), page_size or 1_000)
        number = int(request.url.params["page"]) if paged else 1
        data = stored[(number - 1) * size : number * size]
        body: dict[str, Any] = {"object": "list", "data": data, "sort": "-created_at"}
        if pagination:
            pages = -(-len(stored) // size)
            body["pagination"] = {"page": number, "page_size": size, "total_pages": pages}
        return httpx.Response(200, json=body)

    return answer


async def listed(client: EvaluatorClient) -> list[str]:
    return [job.id async for job in client.list_jobs()]


def ids(stored: Sequence[dict[str, Any]]) -> list[str]:
    return [job["id"] for job in stored]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
@pytest.mark.parametrize("pagination", [True, False])
@pytest.mark.parametrize("page_size", [None, 10, 100])
async def test_every_page_is_read(count: int, pagination: bool, page_size: int | None) -> None:
    evaluator = Scripted(served(jobs(count), page_size=page_size, pagination=pagination))
    assert await listed(evaluator.client) == ids(jobs(count))


@pytest.mark.parametrize(
    ("count", "pagination", "requests"),
    [(0, True, 1), (0, False, 1), (100, True, 1), (100, False, 2), (250, True, 3), (250, False, 4)],
)
async def test_no_page_is_asked_for_in_vain(count: int, pagination: bool, requests: int) -> None:
    evaluator = Scripted(served(jobs(count), pagination=pagination))
    await listed(evaluator.client)
    pages = [request.url.params["page"] for request in evaluator.requests]
    assert pages == [str(number) for number in range(1, requests + 1)]
    assert {request.url.params["page_size"] for request in evaluator.requests} == {"100"}


@pytest.mark.parametrize("pagination", [True, False])
async def test_a_server_that_ignores_the_page_number_does_not_loop(pagination: bool) -> None:
    evaluator = Scripted(served(jobs(150), paged=False, pagination=pagination))
    assert await listed(evaluator.client) == ids(jobs(100))
    assert len(evaluator.requests) == 2


async def test_a_job_that_moves_to_the_next_page_comes_once() -> None:
    stored = jobs(150)
    answer = served(stored)

    def growing(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        stored.insert(0, JOB | {"id": f"new-{request.url.params['page']}"})
        return response

    found = await listed(Scripted(growing).client)
    assert found == ids(jobs(150))


async def test_a_page_of_known_jobs_in_between_does_not_hide_the_older_ones() -> None:
    """As many new jobs as a page holds push it on to the next one; the oldest are still to come."""
    stored = jobs(30)
    answer = served(stored, page_size=10)

    def rushing(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        if request.url.params["page"] == "1":
            stored[:0] = [JOB | {"id": f"new-{number}"} for number in range(10)]
        return response

    assert set(await listed(Scripted(rushing).client)) >= set(ids(jobs(30)))


async def test_a_server_that_ignores_filters_is_left_to_the_caller() -> None:
    evaluator = Scripted(served([JOB | {"status": "failed", "created_at": None}]))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    found = [job async for job in evaluator.client.list_jobs(created_since=since, status="running")]
    assert [job.read().status for job in found] == ["failed"]


async def test_a_last_page_without_a_total_is_asked_past() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        data = jobs(1) if request.url.params["page"] == "1" else []
        return httpx.Response(200, json={"data": data, "pagination": {"page": 1}})

    evaluator = Scripted(answer)
    assert await listed(evaluator.client) == ["eval-0"]
    assert len(evaluator.requests) == 2


async def test_an_endless_list_is_given_up() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"id": request.url.params["page"], "status": "running"}]})

    with pytest.raises(Malformed, match="still new jobs after 10000 pages"):
        await listed(Scripted(answer).client)


class SlowEvaluator:
    """Takes `seconds` for each page by the client's clock, and brings a new job on each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float, *, oversized_at: int = 0) -> None:
        self.now, self.seconds, self.oversized_at = 0.0, seconds, oversized_at
        monkeypatch.setattr(listing, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.scripted = Scripted(self._answer, deadline=600)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.now += self.seconds
        number = len(self.scripted.requests)
        if self.oversized_at and int(request.url.params["page"]) == self.oversized_at:
            return httpx.Response(200, content=b"[" * 2_000_000)
        return httpx.Response(200, json={"data": [{"id": f"eval-{number}", "status": "running"}]})


async def test_a_list_that_takes_too_long_is_given_up_whatever_one_call_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = SlowEvaluator(monkeypatch, 100)
    with pytest.raises(Ambiguous, match="not read to the end within 900s: 9 pages"):
        await listed(slow.scripted.client)
    assert len(slow.scripted.requests) == 9


async def test_pages_that_are_too_large_do_not_give_a_list_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowEvaluator(monkeypatch, 100, oversized_at=6)
    with pytest.raises(Ambiguous, match="not read to the end within 900s"):
        await listed(slow.scripted.client)
    sizes = [request.url.params["page_size"] for request in slow.scripted.requests]
    assert sizes == ["100"] * 6 + ["10"] * 3


async def test_a_page_that_does_not_come_ends_with_the_time_of_its_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent(httpx.AsyncByteStream):
        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

    monkeypatch.setattr(listing, "MAX_LIST_SECONDS", 0.05)
    scripted = Scripted(lambda _: httpx.Response(200, stream=Silent()), deadline=600)
    with pytest.raises(Ambiguous, match="no whole answer within"):
        await listed(scripted.client)


def test_a_look_up_takes_less_time_than_a_worker_may() -> None:
    longest = 2 * listing.MAX_LIST_SECONDS + job_finder.MAX_CANCELLING_SECONDS
    assert longest < 0.6 * app.RECONCILIATION_SECONDS


@pytest.mark.parametrize("pagination", [True, False])
async def test_each_page_is_reported_when_it_has_come(pagination: bool) -> None:
    evaluator = Scripted(served(jobs(250), pagination=pagination))
    reported: list[int] = []
    pages = evaluator.client.list_jobs(on_page=lambda: reported.append(len(evaluator.requests)))
    assert len([job async for job in pages]) == 250
    assert reported == list(range(1, len(evaluator.requests) + 1))


async def test_pages_are_reported_that_have_no_job_to_yield() -> None:
    """Else a loop that lives looks stuck while an evaluator turns pages without end."""

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        return httpx.Response(
            200, json={"data": [{"id": None}], "pagination": {"total_pages": 7 + page // 7}}
        )

    evaluator = Scripted(answer)
    reported: list[int] = []
    pages = evaluator.client.list_jobs(on_page=lambda: reported.append(len(evaluator.requests)))
    assert [job async for job in pages] == []
    assert reported == list(range(1, 9))


async def test_a_list_of_more_jobs_than_are_kept_in_mind_is_malformed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = request.url.params["page"]
        return httpx.Response(200, json={"data": [{"id": f"{page}-{n}"} for n in range(100)]})

    evaluator = Scripted(answer)
    monkeypatch.setattr(listing, "MAX_JOBS", 1_000)
    with pytest.raises(Malformed, match="more than 1,000 jobs"):
        await listed(evaluator.client)
    assert len(evaluator.requests) == 11


@pytest.mark.parametrize("pages", [10_001, 10**15])
async def test_more_pages_than_are_read_are_malformed_at_once(pages: int) -> None:
    evaluator = answering(200, {"data": [JOB], "pagination": {"page": 1, "total_pages": pages}})
    with pytest.raises(Malformed, match=f"{pages:,} pages"):
        await listed(evaluator.client)
    assert len(evaluator.requests) == 1


async def test_pages_without_a_new_job_are_not_turned_without_end() -> None:
    evaluator = answering(200, {"data": [JOB], "pagination": {"page": 1, "total_pages": 10_000}})
    with pytest.raises(Malformed, match="100 pages in a row without another job"):
        await listed(evaluator.client)
    assert len(evaluator.requests) == 101


async def test_a_page_of_very_many_jobs_is_too_large() -> None:
    everything = [{"id": f"eval-{number}"} for number in range(20_001)]

    with pytest.raises(Oversized, match="20,001 jobs on one page"):
        await listed(answering(200, {"data": everything}).client)


async def test_a_list_that_breaks_off_says_so() -> None:
    answer = served(jobs(150))

    def breaking_off(request: httpx.Request) -> httpx.Response:
        if request.url.params["page"] == "2":
            raise httpx.ConnectError("gone")
        return answer(request)

    seen: list[str] = []

    async def read(client: EvaluatorClient) -> None:
        async for job in client.list_jobs():
            seen.append(job.id)  # noqa: PERF401 - what came before the failure is looked at below

    with pytest.raises(Unavailable):
        await read(Scripted(breaking_off).client)
    assert seen == ids(jobs(100))


async def test_what_is_no_job_does_not_hide_the_others() -> None:
    """One item that a server or a stranger has spoiled must not stop all look-ups and all polling."""
    spoiled = [None, 7, {"id": None}, {"status": "running"}, {"id": 3}]
    odd: dict[str, object] = {
        "id": "odd",
        "status": None,
        "created_at": "soon",
        "status_details": [],
        "custom_fields": "x",
    }
    page = {"data": [*spoiled, odd, JOB]}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=page if request.url.params["page"] == "1" else {"data": []})

    found = [job.read() async for job in Scripted(answer).client.list_jobs()]
    assert [job.id for job in found] == ["odd", JOB["id"]]
    assert (found[0].status, found[0].created_at, found[0].custom_fields) == ("unknown", None, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [("progress", 1e400), ("progress", "half"), ("samples_processed", -1), ("raw_message", {})],
)
async def test_an_odd_number_is_no_number(field: str, value: object) -> None:
    item = JOB | {"status_details": {field.removeprefix("raw_"): value}}
    content = json.dumps({"data": [item]}).encode()
    (job,) = [
        job async for job in Scripted(lambda _: httpx.Response(200, content=content)).client.list_jobs()
    ]
    assert getattr(job.read().status_details, field) is None


async def test_a_message_without_end_is_cut() -> None:
    item = JOB | {"status": "failed", "status_details": {"message": "x" * 40_000}}
    job = await answering(200, item).client.get_job("eval-1")
    assert len(job.readable_message or "") == 1_000


@pytest.mark.parametrize("odd", ["eval-1\n", "", "a/b", 7, None, "x" * 129])
async def test_a_wanted_job_without_a_usable_id_is_not_taken_for_absent(odd: object) -> None:
    """A job that is not found is submitted once more."""
    ours = JOB | {"id": odd, "custom_fields": {"k8s-uid": "u-1"}}
    evaluator = answering(200, {"data": [JOB | {"id": "eval-2"}, ours]})

    def wanted(custom_fields: dict[str, Any]) -> bool:
        return custom_fields.get("k8s-uid") == "u-1"

    with pytest.raises(Malformed, match="the job that was looked for has no usable id"):
        [job async for job in evaluator.client.list_jobs(wanted=wanted)]
    others = evaluator.client.list_jobs(wanted=lambda fields: not wanted(fields))
    assert [job.id async for job in others] == ["eval-2"], "those of others are passed over"

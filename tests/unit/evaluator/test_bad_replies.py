"""Whatever an evaluator answers, a caller gets what it asked for or an error that says what was wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import Ambiguous, EvaluatorError, Oversized, RemoteJob, Unavailable
from tests.corpus.replies import MIB, REPLIES, Reply
from tests.unit.evaluator.exchanges import CALLS
from tests.unit.evaluator.scripted import Scripted

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]")


def evaluator(reply: Reply) -> Scripted:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(reply.code, headers=reply.headers, stream=Body([reply.body]))

    return Scripted(answer)


class Body(httpx.AsyncByteStream):
    """A body that comes in chunks, and is counted."""

    def __init__(self, chunks: list[bytes], *, then: Exception | None = None, endless: bool = False) -> None:
        self._chunks = chunks
        self._then = then
        self._endless = endless
        self.sent = 0
        self.closed = False

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            for chunk in self._chunks:
                self.sent += len(chunk)
                yield chunk
            if self._then:
                raise self._then
            if not self._endless:
                return

    @override
    async def aclose(self) -> None:
        self.closed = True


def test_the_corpus_is_large_and_each_of_it_has_a_name() -> None:
    assert len(REPLIES) >= 100
    assert len({reply.name for reply in REPLIES}) == len(REPLIES)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.name)
async def test_a_bad_reply_is_used_or_named(reply: Reply) -> None:
    scripted = evaluator(reply)
    call = CALLS[reply.call](scripted.client)
    if reply.error is None:
        found = await call
        if isinstance(found, RemoteJob):
            assert found.id == "eval-1"
            assert not CONTROLS.search(found.readable_message or "")
            assert len(found.readable_message or "") <= 1_000
            assert not found.is_terminal or found.status == "failed"
        return
    with pytest.raises(EvaluatorError) as caught:
        await call
    assert type(caught.value) is reply.error
    assert reply.said in caught.value.detail
    assert len(caught.value.detail) <= 1_000
    assert not CONTROLS.search(caught.value.detail)
    assert {request.url.host for request in scripted.requests} == {"evaluator.test"}
    if isinstance(caught.value, Unavailable):
        assert 0 <= (caught.value.retry_after or 0) <= 300


SMALL = [reply for reply in REPLIES if len(reply.body) < MIB]
"""The bounds of size are the same for all calls."""


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("reply", SMALL, ids=lambda reply: reply.name)
async def test_no_call_is_brought_down_by_a_reply_that_was_meant_for_another(name: str, reply: Reply) -> None:
    try:
        await CALLS[name](evaluator(reply).client)
    except EvaluatorError as error:
        assert not CONTROLS.search(error.detail)  # noqa: PT017 - either way is fine, nothing else may come


@pytest.mark.parametrize("code", [200, 400, 500])
async def test_of_a_body_without_end_only_the_beginning_is_read(code: int) -> None:
    body = Body([b"x" * 65_536], endless=True)
    scripted = Scripted(lambda _: httpx.Response(code, stream=body))
    with pytest.raises(EvaluatorError) as caught:
        await scripted.client.get_job("eval-1")
    assert isinstance(caught.value, Oversized) is (code == 200)
    assert body.sent <= (9 * MIB if code == 200 else 3 * 65_536)
    assert body.closed


async def test_a_body_that_breaks_off_may_stand_for_a_job() -> None:
    body = Body([b'{"id": "eval-'], then=httpx.RemoteProtocolError("peer closed connection"))
    scripted = Scripted(lambda _: httpx.Response(201, stream=body))
    with pytest.raises(Ambiguous, match="the connection was closed before"):
        await scripted.client.create_job({})
    assert body.closed


async def test_a_body_that_trickles_is_given_up() -> None:
    class Trickle(Body):
        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

    body = Trickle([])
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    http = httpx.AsyncClient(base_url="http://evaluator.test", transport=transport)
    with pytest.raises(Ambiguous, match=r"no whole answer within 0\.05 s"):
        await EvaluatorClient(http, deadline=0.05).get_results("eval-1")
    assert body.closed


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones() -> None:
    """Each job brings its rows along: a look-up must not fail over that, or a job is never found again."""
    sizes = []

    def answer(request: httpx.Request) -> httpx.Response:
        page, size = (int(request.url.params[name]) for name in ("page", "page_size"))
        sizes.append(size)
        numbers = range(25)[(page - 1) * size : page * size]
        data = [{"id": f"eval-{number}", "rows": "x" * MIB} for number in numbers]
        return httpx.Response(200, json={"data": data})

    found = [job.id async for job in Scripted(answer).client.list_jobs()]
    assert found == [f"eval-{number}" for number in range(25)]
    assert sizes[:3] == [100, 10, 2]


async def test_a_server_that_ignores_the_page_size_says_that_it_is_too_large() -> None:
    content = b'{"data": ["' + b"x" * 9 * MIB + b'"]}'
    scripted = Scripted(lambda _: httpx.Response(200, content=content))
    with pytest.raises(Oversized):
        _ = [job async for job in scripted.client.list_jobs()]
    assert len(scripted.requests) == 3

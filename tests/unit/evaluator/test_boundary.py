"""Whatever comes over a socket or is raised by a library: a caller gets an answer or an EvaluatorError."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from nemo_eval_operator.evaluator.http import Access, EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError, Malformed
from tests.unit.evaluator.exchanges import CALLS
from tests.unit.evaluator.scripted import Scripted
from tests.unit.raw_server import Answer, saying, serving

BODY = b'Content-Length: 12\r\n\r\n{"data": []}'
CANARY = "sk-canary-5f2e"


def client(url: str) -> httpx.AsyncClient:
    access = Access(headers={"Authorization": f"Bearer {CANARY}"}, loopback=True)
    return httpx.AsyncClient(base_url=url, transport=access.transport(url, max_connections=2))


async def check(answer: Answer) -> None:
    async with serving(answer) as server, client(server.url) as http:
        await EvaluatorClient(http, deadline=0.5).check()


@pytest.mark.parametrize("reason", [b"\xff", b"\xed\xa0\x80", b"", b"OK \xe9\xe8"])
async def test_a_reason_phrase_in_any_bytes_is_no_trouble(reason: bytes) -> None:
    await check(saying(b"HTTP/1.1 200 " + reason + b"\r\n" + BODY))


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 503 \xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 \xff OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/\xff 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \xff\xfe\x00\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\n\xff: x\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: \xff\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \xff, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 429 x\r\nRetry-After: \xb2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 x\r\nLocation: http://xn--\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 x\r\nLocation: \xff\xff://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 x\r\nWWW-Authenticate: \xff=\r\nSet-Cookie: \xff\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x00" * 9000,
    ],
)
async def test_an_odd_answer_is_an_error_of_the_evaluator(content: bytes) -> None:
    try:
        await check(saying(content))
    except EvaluatorError:
        return
    # aiohttp takes some of them for an answer, which is as well.
    assert content.endswith(BODY)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("ascii", CANARY, 0, 1, CANARY), KeyError(CANARY), RecursionError()]
)
async def test_an_unexpected_exception_is_malformed_and_logged_without_the_text_it_quotes(
    name: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    with caplog.at_level(logging.ERROR), pytest.raises(Malformed) as caught:
        await CALLS[name](Scripted(answer).client)
    assert type(error).__name__ in caught.value.detail
    assert type(error).__name__ in caplog.text
    assert "in answer" in caplog.text, "the trace leads to where it was raised"
    assert CANARY not in caught.value.detail + caplog.text


@pytest.mark.parametrize("cookie", [b"\xff=;", b"session=1", b"a=b; Domain=127.0.0.1; Path=/"])
async def test_no_cookie_of_an_evaluator_is_sent_again(cookie: bytes) -> None:
    """httpx would keep it, and fail to send it in every later request where it is not ASCII."""
    answer = saying(b"HTTP/1.1 200 OK\r\nSet-Cookie: " + cookie + b"\r\n" + BODY)
    async with serving(answer) as server, client(server.url) as http:
        evaluator = EvaluatorClient(http, deadline=5)
        await evaluator.check()
        await evaluator.check()
    assert "cookie" not in server.heads[1].lower()


async def test_what_is_cancelled_is_not_an_error_of_the_evaluator() -> None:
    async with serving(saying(b"")) as server, client(server.url) as http:
        call = asyncio.create_task(EvaluatorClient(http, deadline=5).check())
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

"""What can go wrong, and what a caller may conclude from it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
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
from tests.unit.evaluator.exchanges import CALLS, CONFIG, JOB, READING
from tests.unit.evaluator.scripted import Scripted, answering, answering_raw, breaking


async def failure(evaluator: Scripted, name: str = "create_job") -> EvaluatorError:
    with pytest.raises(EvaluatorError) as caught:
        await CALLS[name](evaluator.client)
    return caught.value


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (301, Unavailable),
        (302, Unavailable),
        (307, Unavailable),
        (308, Unavailable),
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, Missing),
        (405, Unsupported),
        (408, Ambiguous),
        (409, Conflicting),
        (413, Rejected),
        (422, Rejected),
        (429, Unavailable),
        (500, Ambiguous),
        (501, Unsupported),
        (502, Ambiguous),
        (503, Ambiguous),
        (504, Ambiguous),
        (599, Ambiguous),
    ],
)
@pytest.mark.parametrize("name", CALLS)
async def test_a_refusal_is_sorted_by_its_code_and_never_repeated(
    name: str, code: int, error: type[EvaluatorError]
) -> None:
    evaluator = answering(code, {"detail": "no"}, Retry_After="1", Location="http://elsewhere.test/")
    caught = await failure(evaluator, name)
    assert type(caught) is error
    assert caught.status_code == code
    assert len(evaluator.requests) == 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (httpx.ConnectError("connection refused"), Unavailable),
        (httpx.ConnectTimeout("no route"), Unavailable),
        (httpx.PoolTimeout("all connections in use"), Unavailable),
        (httpx.UnsupportedProtocol("ftp"), Unavailable),
        (httpx.InvalidURL("port"), Unavailable),
        (httpx.ReadTimeout("no answer in 30 s"), Ambiguous),
        (httpx.WriteTimeout(""), Ambiguous),
        (httpx.ReadError("connection reset by peer"), Ambiguous),
        (httpx.WriteError("broken pipe"), Ambiguous),
        (httpx.RemoteProtocolError("server disconnected"), Ambiguous),
        (httpx.DecodingError("not gzip"), Ambiguous),
        (httpx.StreamClosed(), Ambiguous),
    ],
)
async def test_a_broken_call_is_surely_undone_only_before_the_connection_stands(
    name: str, broken: Exception, error: type[EvaluatorError]
) -> None:
    evaluator = breaking(broken)
    caught = await failure(evaluator, name)
    assert type(caught) is error
    assert caught.status_code is None
    assert caught.__cause__ is broken
    assert len(evaluator.requests) == 1


async def test_an_answer_that_cannot_be_decoded_is_ambiguous() -> None:
    headers = {"Content-Encoding": "gzip"}
    evaluator = Scripted(lambda _: httpx.Response(201, headers=headers, content=b"not gzip"))
    assert type(await failure(evaluator)) is Ambiguous


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (
            httpx.ConnectError("refused"),
            "cannot connect to http://evaluator.test:7331: the connection failed",
        ),
        (httpx.ConnectTimeout(""), "cannot connect to http://evaluator.test:7331: no connection in time"),
        (httpx.UnsupportedProtocol("ftp"), "http://evaluator.test:7331 is not a usable URL"),
        (
            httpx.ReadTimeout("Timeout on reading data"),
            "POST http://evaluator.test:7331/v1/evaluation/jobs: no answer in time",
        ),
        (
            httpx.RemoteProtocolError("peer closed connection (received 0 bytes, expected 5)"),
            (
                "POST http://evaluator.test:7331/v1/evaluation/jobs: "
                "the connection was closed before the answer was complete"
            ),
        ),
        (
            httpx.DecodingError("Error -3 while decompressing data"),
            "POST http://evaluator.test:7331/v1/evaluation/jobs: the answer could not be read",
        ),
        (
            httpx.ReadError("[Errno 104] Connection reset by peer"),
            "POST http://evaluator.test:7331/v1/evaluation/jobs: connection reset by peer",
        ),
        (
            httpx.WriteError("Cannot write to closing transport"),
            "POST http://evaluator.test:7331/v1/evaluation/jobs: the connection failed",
        ),
    ],
)
async def test_the_detail_says_what_broke(broken: Exception, detail: str) -> None:
    assert (await failure(breaking(broken))).detail == detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "Job cannot be launched: no such file"}, "Job cannot be launched: no such file"),
        (
            {
                "detail": [
                    {"loc": ["body", "type"], "msg": "Field required", "type": "missing", "input": "hf_x"},
                    {"loc": ["body", "tasks", 0, "metrics"], "msg": "too many", "input": {"key": "hf_x"}},
                ]
            },
            "type: Field required; tasks.0.metrics: too many",
        ),
        ({"detail": [{"loc": ["body"], "msg": "not an object"}]}, "not an object"),
        ({"detail": ["as it comes", 3]}, "as it comes; 3"),
        ({"detail": None}, '{"detail":null}'),
        ({"message": "no"}, '{"message":"no"}'),
        (["no"], '["no"]'),
    ],
)
async def test_the_detail_is_the_evaluators_own_text(body: object, said: str) -> None:
    caught = await failure(answering(422, body))
    assert caught.detail == f"POST /v1/evaluation/jobs answered 422: {said}"
    assert str(caught) == caught.detail


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>\n  <h1>502 Bad\tGateway</h1>\n</html>", "<html> <h1>502 Bad Gateway</h1> </html>"),
        (b"", "Bad Gateway"),
        (b"\xff\xfe not utf-8", "\N{REPLACEMENT CHARACTER}" * 2 + " not utf-8"),
        (b"x" * 5_000, "x" * 200),
    ],
)
async def test_a_gateways_page_is_shown_by_its_beginning(content: bytes, said: str) -> None:
    caught = await failure(answering_raw(content, 502))
    assert caught.detail == f"POST /v1/evaluation/jobs answered 502: {said}"


async def test_a_detail_fits_into_an_event() -> None:
    assert len((await failure(answering(400, {"detail": "long " * 1_000}))).detail) == 1_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
async def test_retry_after_is_read_in_seconds(headers: Mapping[str, str], seconds: float | None) -> None:
    caught = await failure(Scripted(lambda _: httpx.Response(429, headers=headers)))
    assert isinstance(caught, Unavailable)
    assert caught.retry_after == seconds


async def test_a_retry_after_in_superscript_is_no_number() -> None:
    caught = await failure(Scripted(lambda _: httpx.Response(429, headers=[(b"Retry-After", b"\xb2")])))
    assert isinstance(caught, Unavailable)
    assert caught.retry_after is None


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", CALLS)
async def test_credentials_do_not_follow_a_redirect(name: str, code: int) -> None:
    evaluator = answering(code, None, Location="http://elsewhere.test/v1/evaluation/jobs")
    assert type(await failure(evaluator, name)) is Unavailable
    assert evaluator.only_request.url.host == "evaluator.test"


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'"created"', b"{", b"<html></html>", b"{}"])
async def test_a_success_without_the_promised_body_may_have_acted(name: str, content: bytes) -> None:
    evaluator = answering_raw(content, 201)
    caught = await failure(evaluator, name)
    assert type(caught) is Malformed
    assert isinstance(caught, Ambiguous)
    assert caught.status_code == 201
    assert len(evaluator.requests) == 1


@pytest.mark.parametrize(
    ("name", "body", "detail"),
    [
        ("create_job", JOB | {"id": None}, "POST /v1/evaluation/jobs answered 200, but id: "),
        ("create_job", JOB | {"id": ""}, "POST /v1/evaluation/jobs answered 200, but id: "),
        ("get_config", CONFIG | {"name": None}, "but name: "),
        ("get_results", {"tasks": {}}, "but job: "),
        ("get_results", {"job": "eval-1", "tasks": []}, "but tasks: "),
        ("list_jobs", {"data": 7}, "but data: "),
        ("list_jobs", {"data": None}, "but data: "),
        ("get_job", "a text", "but body: "),
    ],
)
async def test_a_malformed_answer_is_named_by_its_place_and_not_shown(
    name: str, body: object, detail: str
) -> None:
    caught = await failure(answering(200, body), name)
    assert type(caught) is Malformed
    assert detail in caught.detail
    assert "soon" not in caught.detail


async def test_a_progress_that_is_no_number_is_not_known() -> None:
    """Python servers write NaN; it must not reach the arithmetic of those who read it."""
    details = b'{"id": "eval-1", "status": "running", "status_details": {"progress": NaN}}'
    job = await answering_raw(details).client.get_job("eval-1")
    assert job.status_details.progress is None


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (Missing, {Rejected}),
        (Conflicting, {Rejected}),
        (Unsupported, {Rejected}),
        (Unauthorized, {Unavailable}),
        (Malformed, {Ambiguous}),
        (Rejected, set()),
        (Unavailable, set()),
        (Ambiguous, set()),
    ],
)
def test_an_error_belongs_to_one_family(
    error: type[EvaluatorError], parents: set[type[EvaluatorError]]
) -> None:
    families = {Rejected, Unavailable, Ambiguous}
    assert {family for family in families if issubclass(error, family)} - {error} == parents


@pytest.mark.parametrize("name", CALLS)
async def test_a_404_that_is_not_nemos_is_a_gateways(name: str) -> None:
    """An ingress whose evaluator is being rolled out must not make a job count as lost."""
    caught = await failure(answering_raw(b"default backend - 404", 404), name)
    assert type(caught) is Unavailable
    assert caught.status_code == 404


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Incorrect API key provided: sk-CANARY123", "Incorrect API key provided: ******"),
        ("Authorization: Bearer abc.def was refused", "Authorization: Bearer ****** was refused"),
        ("token hf_CANARY123 has no access", "token ****** has no access"),
        ("nvapi-CANARY_123 expired", "****** expired"),
        ("cannot reach http://user:canary@host/v1", "cannot reach http://******host/v1"),
    ],
)
async def test_what_looks_like_a_credential_is_not_shown(said: str, shown: str) -> None:
    caught = await failure(answering(400, {"detail": said}))
    assert caught.detail.endswith(shown)


async def test_an_answer_that_never_ends_is_given_up() -> None:
    async def trickle(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    http = httpx.AsyncClient(base_url="http://evaluator.test", transport=httpx.MockTransport(trickle))
    with pytest.raises(Ambiguous, match=r"no whole answer within 0\.05 s"):
        await EvaluatorClient(http, deadline=0.05).get_job("eval-1")

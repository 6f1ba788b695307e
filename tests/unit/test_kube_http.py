"""Exchanges with the API server on real sockets, by aiohttp and, as behind a proxy, by httpx's API."""

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import pytest

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import Credentials, KubeUnavailable, OverHttpx, http_client, httpx_client
from nemo_eval_operator.kube import http as kube_http
from nemo_eval_operator.kube.api_server import AnswerTooLarge, ApiServer
from tests.unit.raw_server import OK, Answer, saying, serving

pytestmark = pytest.mark.usefixtures("no_proxy")

Opened = Callable[[str], Any]


def directly(url: str) -> Any:
    return http_client(Credentials(server=url, authorization=lambda: None))


def behind_a_proxy(url: str) -> Any:
    return OverHttpx(httpx_client(Credentials(server=url, authorization=lambda: None)))


both = pytest.mark.parametrize("opened", [directly, behind_a_proxy])


@both
async def test_a_write_arrives_as_it_was_meant_and_connections_are_used_again(opened: Opened) -> None:
    async with serving(saying(OK)) as server, opened(server.url + "/k8s/clusters/a/") as http:
        for _ in range(3):
            body: JsonObject = {"name": "ü", "value": None}
            await ApiServer(http).send("PATCH", "/a/%2E%2E/b%2Fc?x=%5B1", body=body, headers={"X-Own": "yes"})
        assert await ApiServer(http).get("/plain") == {}
    line = "PATCH /k8s/clusters/a/a/%2E%2E/b%2Fc?x=%5B1&fieldManager=nemo-eval-operator HTTP/1.1\r\n"
    assert server.heads[0].startswith(line)
    assert server.heads[3].startswith("GET /k8s/clusters/a/plain HTTP/1.1\r\n")
    sent = server.heads[0].lower().splitlines()
    assert sum(header.startswith("user-agent: nemo-eval-operator") for header in sent) == 1
    assert {"x-own: yes", "content-type: application/json", "accept: application/json"} <= set(sent)
    assert server.bodies == ['{"name":"ü","value":null}'.encode()] * 3 + [b""]
    assert server.connections == 1


@both
async def test_user_name_and_password_of_the_url_are_not_sent(opened: Opened) -> None:
    async with serving(saying(OK)) as server, opened(server.url.replace("://", "://me:secret@")) as http:
        await ApiServer(http).get("/")
    assert "authorization" not in server.heads[0].lower()


@both
async def test_an_answer_may_be_compressed(opened: Opened) -> None:
    packed = gzip.compress(b'{"a":1}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with serving(saying(head + packed)) as server, opened(server.url) as http:
        assert await ApiServer(http).get("/") == {"a": 1}
        assert await ApiServer(http).content("/", limit=10) == b'{"a":1}'


@both
async def test_a_large_answer_is_given_up_at_its_limit(opened: Opened) -> None:
    large = 2_000_000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {large}\r\n\r\n".encode()
    async with serving(saying(head + b"x" * large)) as server, opened(server.url) as http:
        with pytest.raises(AnswerTooLarge):
            await ApiServer(http).content("/", limit=1_000_000)
        assert len(await ApiServer(http).content("/", limit=large) or b"") == large


async def test_redirects_are_refused_and_their_cookies_not_kept() -> None:
    elsewhere = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    )
    async with serving(saying(elsewhere)) as server, directly(server.url) as http:
        for _ in range(2):
            with pytest.raises(Exception, match="POST /a answered 307: Temporary Redirect"):
                await ApiServer(http).send("POST", "/a", body={})
    assert len(server.heads) == 2
    assert "cookie" not in "".join(server.heads).lower()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def cut_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.close()


FAILURES = {
    "hangs up": hang_up,
    "cuts off": cut_off,
    "garbage": saying(b"garbage\r\n\r\n"),
    "odd code": saying(b"HTTP/1.1 999999 x\r\n\r\n"),
    "odd chunk": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "odd gzip": saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
}


@both
@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES.keys())
async def test_whatever_is_no_complete_answer_is_retryable_and_a_write_sent_once(
    answer: Answer, opened: Opened
) -> None:
    async with serving(answer) as server, opened(server.url) as http:
        with pytest.raises(KubeUnavailable, match="PATCH /a: "):
            await ApiServer(http).send("PATCH", "/a", body={})
        assert len(server.heads) == 1
        with pytest.raises(KubeUnavailable, match="GET /a: "):
            await ApiServer(http).content("/a", limit=100)


async def test_an_answer_that_does_not_come_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_http, "READ_SECONDS", 0.1)
    async with serving(saying(b"")) as server, directly(server.url) as http:
        with pytest.raises(KubeUnavailable):
            await ApiServer(http).send("PATCH", "/a", body={})


@both
async def test_where_nothing_listens_or_a_name_has_no_address_it_is_retryable(opened: Opened) -> None:
    async with serving(saying(OK)) as server:
        pass
    for url in (server.url, "http://nowhere.invalid"):
        async with opened(url) as http:
            with pytest.raises(KubeUnavailable):
                await ApiServer(http).get("/")


def test_behind_a_proxy_httpx_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(directly("https://kube.test"), OverHttpx)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    assert isinstance(directly("https://kube.test"), OverHttpx)

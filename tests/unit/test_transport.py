"""httpx over aiohttp, on real sockets: above all, which errors say that nothing was sent."""

import asyncio
import socket
import ssl

import httpx
import pytest

from nemo_eval_operator.transport import transport_to
from tests.unit.raw_server import OK, Answer, saying, serving

pytestmark = pytest.mark.usefixtures("no_proxy")


def client(url: str, *, connections: int = 4, seconds: float = 5.0, pool: float = 5.0) -> httpx.AsyncClient:
    transport = transport_to(url, ssl.create_default_context(), connections=connections)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=httpx.Timeout(seconds, pool=pool))


async def test_a_request_arrives_as_httpx_built_it_and_connections_are_used_again() -> None:
    async with serving(saying(OK)) as server, client(server.url) as http:
        for _ in range(3):
            answer = await http.patch(
                "/a/%2E%2E/b%2Fc?filter[status]=x&q=1%2B1", json={"a": 1}, headers={"X-Own": "yes"}
            )
            assert (answer.status_code, answer.json()) == (200, {})
    assert server.heads[0].startswith("PATCH /a/%2E%2E/b%2Fc?filter[status]=x&q=1%2B1 HTTP/1.1\r\n")
    assert "x-own: yes" in server.heads[0].lower()
    assert server.heads[0].lower().count("content-type: application/json") == 1
    assert server.bodies == [b'{"a":1}'] * 3
    assert server.connections == 1


async def test_without_time_outs_an_answer_is_waited_for() -> None:
    async with serving(saying(OK)) as server, client(server.url) as http:
        assert (await http.get("/", timeout=None)).json() == {}


async def test_credentials_in_a_url_are_sent_as_a_header() -> None:
    async with serving(saying(OK)) as server:
        url = server.url.replace("://", "://me:secret@")
        async with client(url) as http:
            assert (await http.get("/")).status_code == 200
    assert "authorization: basic" in server.heads[0].lower()


async def test_redirects_are_not_followed_and_cookies_of_them_not_kept() -> None:
    elsewhere = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(elsewhere)) as server, client(server.url) as http:
        answer = await http.post("/", json={})
    assert (answer.status_code, answer.reason_phrase) == (307, "Temporary Redirect")
    assert len(server.heads) == 1


async def test_a_refused_connection_sent_nothing() -> None:
    async with serving(saying(OK)) as server:
        url = server.url
    async with client(url) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("/", json={})


async def test_where_no_connection_is_free_in_time_nothing_was_sent() -> None:
    async with (
        serving(saying(b"")) as server,
        client(server.url, connections=1, seconds=0.2, pool=0.1) as http,
    ):
        first = asyncio.create_task(http.post("/first", json={}, timeout=httpx.Timeout(5)))
        await server.asked.wait()
        with pytest.raises(httpx.ConnectTimeout):
            await http.post("/second", json={})
        first.cancel()
    assert len(server.heads) == 1


async def test_a_name_without_an_address_is_no_connection() -> None:
    async with client("http://nowhere.invalid") as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("/", json={})


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"


async def cut_off(writer: asyncio.StreamWriter) -> None:
    writer.write(CUT)
    writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        cut_off,
        saying(b""),
        saying(CUT),
        saying(b"garbage\r\n\r\n"),
        saying(b"HTTP/1.1 999999 x\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=["hangs up", "cuts off", "silent", "stops", "garbage", "odd code", "odd chunk"],
)
async def test_after_a_request_was_sent_no_error_says_that_it_was_not(answer: Answer) -> None:
    async with serving(answer) as server, client(server.url, seconds=0.3) as http:
        with pytest.raises(httpx.HTTPError) as raised:
            await http.post("/jobs", json={})
    assert isinstance(raised.value, httpx.ReadError | httpx.ReadTimeout)
    assert len(server.heads) == 1, "a POST is never sent twice"


async def test_a_post_on_a_connection_that_is_closed_meanwhile_is_not_repeated() -> None:
    answers = iter([saying(OK), hang_up])

    async def answer(writer: asyncio.StreamWriter) -> None:
        await next(answers)(writer)

    async with serving(answer) as server, client(server.url) as http:
        await http.post("/first", json={})
        with pytest.raises(httpx.ReadError):
            await http.post("/second", json={})
    assert server.connections == 1
    assert len(server.heads) == 2


async def test_an_answer_that_is_not_read_to_its_end_costs_its_connection_only() -> None:
    async with serving(saying(OK)) as server, client(server.url, connections=1) as http:
        async with http.stream("GET", "/large") as answer:
            assert answer.status_code == 200
        assert (await http.get("/next")).json() == {}


async def test_an_idle_connection_is_not_reset() -> None:
    ending: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        try:
            ending.set_result(await reader.read())
        except OSError as error:
            ending.set_exception(error)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listening:
        async with client(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}") as http:
            await http.get("/")
        assert await ending == b""


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs an option that can be refused")
async def test_a_connection_whose_options_cannot_be_set_sent_nothing_and_is_given_back() -> None:
    async with serving(saying(OK)) as server, client(server.url, connections=1) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("/first", json={}, timeout=httpx.Timeout(5, read=-5))
        assert (await http.post("/second", json={})).json() == {}
    assert len(server.heads) == 1


@pytest.mark.parametrize("location", ["http:jobs/1", "foo:bar", "mailto:x", "http://[::1", "//"])
async def test_an_odd_location_is_no_error_of_a_request_that_was_answered(location: str) -> None:
    elsewhere = f"HTTP/1.1 303 See Other\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(elsewhere.encode())) as server, client(server.url) as http:
        assert (await http.post("/", json={})).status_code == 303

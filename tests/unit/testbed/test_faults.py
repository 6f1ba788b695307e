"""The fault proxy does to an exchange what its rule says, and nothing to the others."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from typing_extensions import override

from testbed.faults import BadRule, Exchange, Fault, FaultProxy, Moment, Rule, Upstream, parse_rule


class Server:
    """Echo every request, /slow when the test releases it; /watch sends a line, and another then."""

    def __init__(self) -> None:
        self.acted: list[tuple[str, str, bytes]] = []
        self.go_on = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.startswith("/slow"):
                    server.go_on.wait()
                server.acted.append((self.command, self.path, body))
                if self.path.startswith("/watch"):
                    self.watch()
                    return
                document = json.dumps({"got": body.decode(), "from": self.headers.get("Authorization")})
                self.send_response(201 if self.command == "POST" else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document.encode())

            def watch(self) -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"6\r\nfirst\n\r\n")
                server.go_on.wait()
                self.wfile.write(b"7\r\nsecond\n\r\n0\r\n\r\n")

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.go_on.set()
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.url, seed=1) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=20, trust_env=False) as client:
        yield client


def test_without_rules_everything_passes_through(client: httpx.Client, server: Server) -> None:
    for number in range(3):
        answer = client.post("/jobs?dry=1", content=str(number), headers={"Authorization": "Bearer t"})
        assert (answer.status_code, answer.json()) == (201, {"got": str(number), "from": "Bearer t"})
    assert server.acted[0] == ("POST", "/jobs?dry=1", b"0")


def test_a_request_without_credentials_has_those_of_the_upstream(server: Server) -> None:
    with FaultProxy(Upstream(server.url, authorization="Bearer own")) as proxy:
        assert httpx.get(proxy.url, trust_env=False).json()["from"] == "Bearer own"
        theirs = httpx.get(proxy.url, headers={"Authorization": "Bearer t"}, trust_env=False)
        assert theirs.json()["from"] == "Bearer t"


def test_a_stream_is_passed_on_as_it_comes(client: httpx.Client, server: Server) -> None:
    with client.stream("GET", "/watch") as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "first\n"
        server.go_on.set()
        assert next(pieces) == "second\n"


@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE, Fault.RESET_BEFORE])
def test_what_is_lost_before_never_reaches_the_server(
    client: httpx.Client, proxy: FaultProxy, server: Server, fault: Fault
) -> None:
    proxy.rules = [Rule("POST", "/jobs", fault)]
    with pytest.raises(httpx.TransportError):
        client.post("/jobs")
    assert server.acted == []


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.RESET_AFTER])
def test_what_is_lost_after_was_done(
    client: httpx.Client, proxy: FaultProxy, server: Server, fault: Fault
) -> None:
    proxy.rules = [Rule("POST", "/jobs", fault)]
    with pytest.raises(httpx.TransportError):
        client.post("/jobs")
    assert len(server.acted) == 1


@pytest.mark.parametrize(
    ("rule", "code", "acted"),
    [
        (Rule("GET", "/x", Fault.ERROR_BEFORE), 503, 0),
        (Rule("GET", "/x", Fault.ERROR_BEFORE, 405), 405, 0),
        (Rule("GET", "/x", Fault.ERROR_AFTER, 502), 502, 1),
        (Rule("GET", "/x", Fault.BUSY, 7), 429, 0),
    ],
)
def test_a_gateway_answers_in_the_servers_place(
    client: httpx.Client, proxy: FaultProxy, server: Server, rule: Rule, code: int, acted: int
) -> None:
    proxy.rules = [rule]
    answer = client.get("/x")
    assert (answer.status_code, len(server.acted)) == (code, acted)
    assert answer.headers.get("Retry-After") == ("7" if code == 429 else None)


def test_a_gateway_does_not_wait_for_a_server_that_acts_later(
    client: httpx.Client, proxy: FaultProxy, server: Server
) -> None:
    answered = threading.Event()

    def note(_exchange: Exchange, moment: Moment) -> bool:
        if moment is Moment.ANSWERED:
            answered.set()
        return False

    proxy.rules = [Rule("POST", "/*", Fault.GATEWAY_TIMEOUT, 0.2)]
    proxy.observers.append(note)
    assert client.post("/slow").status_code == 504
    assert server.acted == []

    server.go_on.set()
    assert answered.wait(10)
    assert len(server.acted) == 1
    proxy.rules = [Rule("POST", "/*", Fault.GATEWAY_TIMEOUT, 10)]
    assert client.post("/fast").status_code == 201


def test_garbage_has_the_servers_status_and_is_no_json(client: httpx.Client, proxy: FaultProxy) -> None:
    proxy.rules = [Rule("POST", "/x", Fault.GARBAGE)]
    answer = client.post("/x")
    assert answer.status_code == 201
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DELAY])
def test_what_takes_time_arrives_whole(client: httpx.Client, proxy: FaultProxy, fault: Fault) -> None:
    proxy.rules = [Rule("POST", "/x", fault, 0.3)]
    begun = time.monotonic()
    assert client.post("/x", content="hello").json()["got"] == "hello"
    assert time.monotonic() - begun >= 0.3


def test_an_answer_is_held_until_it_is_released(
    client: httpx.Client, proxy: FaultProxy, server: Server
) -> None:
    proxy.rules = [Rule("POST", "/x", Fault.HOLD_AFTER)]
    with pytest.raises(httpx.ReadTimeout):
        client.post("/x", timeout=0.5)
    assert len(server.acted) == 1
    proxy.release()
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/x")


def test_a_severed_watch_ends_and_the_next_request_is_served(client: httpx.Client, proxy: FaultProxy) -> None:
    with client.stream("GET", "/watch") as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "first\n"
        proxy.disable()
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)
    assert client.get("/x").status_code == 200


def test_chance_is_repeatable_and_times_are_counted(server: Server) -> None:
    def struck(seed: int) -> list[bool]:
        with FaultProxy(server.url, seed=seed) as proxy, httpx.Client(base_url=proxy.url) as client:
            proxy.rules = [Rule("*", "/x", Fault.BUSY, probability=0.5)]
            return [client.get("/x").status_code == 429 for _ in range(20)]

    assert struck(4) == struck(4)
    assert 0 < sum(struck(4)) < 20

    with FaultProxy(server.url) as proxy, httpx.Client(base_url=proxy.url) as client:
        proxy.rules = [Rule("*", "/x", Fault.BUSY, times=2)]
        assert [client.get("/x").status_code for _ in range(3)] == [429, 429, 200]
        assert proxy.struck == 2


def test_an_observer_sees_every_moment_and_may_break_the_connection(
    client: httpx.Client, proxy: FaultProxy, server: Server
) -> None:
    seen: list[tuple[str, Moment, int | None]] = []

    def observe(exchange: Exchange, moment: Moment) -> bool:
        seen.append((exchange.path, moment, exchange.status))
        return exchange.path == "/fatal" and moment is Moment.ANSWERED

    proxy.observers.append(observe)
    client.get("/fine")
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/fatal")
    assert seen == [
        ("/fine", Moment.ARRIVED, None),
        ("/fine", Moment.ANSWERED, 200),
        ("/fine", Moment.FORWARDED, 200),
        ("/fatal", Moment.ARRIVED, None),
        ("/fatal", Moment.ANSWERED, 200),
    ]
    assert len(server.acted) == 2


def test_a_server_that_is_not_there_looks_like_a_broken_connection() -> None:
    with FaultProxy("http://127.0.0.1:9") as proxy, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(proxy.url, trust_env=False)


def test_rules_are_written_as_text() -> None:
    assert parse_rule("post /v1/jobs busy=3 p=0.1 times=2") == Rule(
        "POST", "/v1/jobs", Fault.BUSY, 3, probability=0.1, times=2
    )
    assert parse_rule("* * drop-after") == Rule("*", "*", Fault.DROP_AFTER)
    for broken in ("GET", "GET /x explode", "GET /x delay=soon", "GET /x delay q=1", "GET /x delay p"):
        with pytest.raises(BadRule):
            parse_rule(broken)

"""Answers that break HTTP itself, and bodies without end: the operator survives them and loses no job."""

import gzip
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from typing_extensions import override

from testbed.cluster import Cluster
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.loopback import LoopbackServer, QuietHandler
from tests.e2e.scenario import Scenario, data_benchmark, data_job

MIB = 1024**2
MAX_MEMORY_MIB = 400
"""Of the operator's, which starts at about 100; its pod may have 512."""

HASTY = {"NEMO_REQUEST_TIMEOUT_SECONDS": "3", "NEMO_SETTLE_SECONDS": "4"}

OK = b"HTTP/1.1 200 OK\r\n"


def endless() -> Iterator[bytes]:
    yield OK + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"10000\r\n" + b" " * 65_536 + b"\r\n"


def trickling() -> Iterator[bytes]:
    yield OK + b"Content-Length: 1000\r\n\r\n"
    for _ in range(300):
        time.sleep(0.1)
        yield b" "


def answer(body: bytes, *headers: bytes) -> Iterator[bytes]:
    yield OK + b"".join(header + b"\r\n" for header in headers)
    yield b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def oddities(elsewhere: str) -> list[Iterator[bytes]]:
    bomb = gzip.compress(b" " * 100 * MIB)
    return [
        iter(
            [
                b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
                % elsewhere.encode()
            ]
        ),
        endless(),
        answer(bomb, b"Content-Encoding: gzip"),
        answer(b" " * 40 * MIB),
        trickling(),
        iter([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 50]),
        iter([b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}"]),
        iter([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"]),
        iter([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"]),
        iter([b"HTTP/1.1 200 OK\r\n", *(b"X-%d: %s\r\n" % (n, b"x" * 1_000) for n in range(1_000)), b"\r\n"]),
        iter([b"SSH-2.0-OpenSSH_9.6\r\n"]),
        iter([b"HTTP/1.1 999999 Odd\r\n\r\n"]),
        iter([b"\x16\x03\x01\x02\x00"]),
        iter([b""]),
    ]


class Spoiler(LoopbackServer):
    """Forwards, but answers reads of jobs and results with oddities first, one after the other."""

    def __init__(self, upstream: str, elsewhere: str) -> None:
        self.upstream = upstream
        self.oddities = {"job": oddities(elsewhere), "results": oddities(elsewhere)[1:5]}
        super().__init__()

    @override
    def release(self) -> None:
        pass

    def next_for(self, path: str) -> Iterator[bytes] | None:
        kind = "results" if path.endswith("/results") else "job" if "/jobs/eval-" in path else ""
        left = self.oddities.get(kind, [])
        return left.pop(0) if left else None

    @override
    def handler(self) -> type[QuietHandler]:
        spoiler = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                oddity = spoiler.next_for(self.path)
                if oddity is None:
                    self.forward()
                    return
                self.close_connection = True
                try:
                    for part in oddity:
                        self.wfile.write(part)
                except OSError:
                    return  # the client has closed the connection

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {"Content-Type": "application/json"}
                answer = httpx.request(
                    self.command, spoiler.upstream + self.path, content=body, headers=headers, timeout=30
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_POST = do_PATCH = do_DELETE = forward  # noqa: N815 - http.server's names

        return Handler


class Elsewhere(LoopbackServer):
    """A host that no request should reach."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        super().__init__()

    @override
    def release(self) -> None:
        pass

    @override
    def handler(self) -> type[QuietHandler]:
        elsewhere = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                elsewhere.visits.append(self.path)
                self.send_error(404)

        return Handler


def test_a_job_is_followed_to_its_results_through_every_oddity(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    with Elsewhere() as elsewhere, Spoiler(evaluator_url, elsewhere.url) as spoiler, Processes() as processes:
        start_operator(
            processes,
            tmp_path,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=spoiler.url,
            namespaces=[namespace],
            env={
                "NEMO_REQUEST_TIMEOUT_SECONDS": "3",
                "NEMO_SETTLE_SECONDS": "4",
                "NEMO_POLL_INTERVAL_SECONDS": "0.2",
            },
        )
        scenario.apply(data_benchmark(), data_job("survivor"))
        scenario.until_phase("survivor", "Succeeded", seconds=120)

        assert spoiler.oddities == {"job": [], "results": []}, "all of them were met"
        assert elsewhere.visits == []
        (operator,) = processes
        status = Path(f"/proc/{operator.pid}/status").read_text()
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        assert int(peak) / 1024 < MAX_MEMORY_MIB
        processes.check()
    assert len(scenario.remote_jobs("survivor")) == 1

"""A Kubernetes API that cannot be reached, or knows no such user: one line that says where and what to do."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from nemo_eval_operator.kube import http as kube_http
from nemo_eval_operator.plugin.main import run_command_line
from tests.unit.raw_server import saying, serving

pytestmark = pytest.mark.usefixtures("no_proxy")

Get = Callable[..., Any]

CHECK_CONTEXT = (
    "Check the context with `kubectl config current-context`, and the server with `kubectl cluster-info`"
)

TRY_AGAIN = "Try again later, or check it with `kubectl cluster-info`"


@pytest.fixture
def get(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Get:
    """`kubectl nemoeval get` against this server; returns exit code and error output."""

    async def command(server: str, *words: str, **cluster: str) -> tuple[int, str]:
        document = {
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(document))
        line = [*(words or ["get"]), "--kubeconfig", str(path)]
        code = await asyncio.to_thread(run_command_line, line)
        printed = capsys.readouterr()
        assert printed.out == ""
        return code, printed.err

    return command


def host_of(url: str) -> str:
    return url.rpartition("/")[2]


async def test_a_refused_connection_names_the_server_and_what_to_check(get: Get) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{closed.getsockname()[1]}"
        line = (
            f"error: the Kubernetes API at {server} cannot be reached: connection refused. {CHECK_CONTEXT}\n"
        )
        for words in (["get"], ["why", "qa"], ["doctor"]):
            assert await get(f"https://{server}/k8s/clusters/c-1", *words) == (5, line)


async def test_a_proxy_of_the_environment_is_mentioned(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    _, err = await get("https://192.0.2.1:6443")
    server = "192.0.2.1:6443 through the proxy of the environment"
    assert (
        err
        == f"error: the Kubernetes API at {server} cannot be reached: connection refused. {CHECK_CONTEXT}\n"
    )


async def test_a_host_name_that_is_unknown_is_named(get: Get) -> None:
    code, err = await get("https://k8s.nowhere.invalid")
    start = (
        "error: the Kubernetes API at k8s.nowhere.invalid:443 cannot be reached: its name cannot be resolved"
    )
    assert (code, err.count("\n")) == (5, 1)
    assert err.startswith(f"{start} (")
    assert err.endswith(f"). {CHECK_CONTEXT}\n")


async def test_a_server_that_does_not_answer_in_time(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_http, "READ_SECONDS", 0.05)
    async with serving(saying(b"")) as server:
        code, err = await get(server.url)
    assert code == 5
    assert err == f"error: the Kubernetes API at {host_of(server.url)} did not answer in time. {TRY_AGAIN}\n"


async def test_a_certificate_that_is_not_trusted(get: Get, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("kubernetes.test").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    async with serving(saying(b""), tls=context) as server:
        start = f"error: the Kubernetes API at {host_of(server.url)} has a certificate that is not trusted: "
        advice = (
            "Check certificate-authority and server in the kubeconfig with `kubectl config view --minify`\n"
        )
        for cluster, why in (
            ({}, "unable to get local issuer certificate. "),
            (
                {"certificate-authority": str(tmp_path / "ca.crt")},
                "IP address mismatch, certificate is not valid for '127.0.0.1'. ",
            ),
        ):
            assert await get(server.url, **cluster) == (5, f"{start}{why}{advice}")


async def test_a_server_without_tls(get: Get) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listening:
        server = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        code, err = await get(f"https://{server}")
    assert (code, err.count("\n")) == (5, 1)
    assert err.startswith(f"error: the Kubernetes API at {server} cannot be reached by TLS: ")


async def test_a_connection_that_is_not_made_in_time(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_http, "CONNECT_SECONDS", 0.05)
    # The handshake of TLS is part of the connection, and this server never begins it.
    async with serving(saying(b"")) as server:
        code, err = await get(server.url.replace("http:", "https:"))
    assert code == 5
    start = f"error: the Kubernetes API at {host_of(server.url)} cannot be reached"
    assert err == f"{start}: connecting timed out. {CHECK_CONTEXT}\n"


async def test_an_answer_that_is_not_http_or_not_complete(get: Get) -> None:
    for answer, problem in (
        (b"garbage\r\n\r\n", "answered with something other than HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "closed the connection before its answer was complete",
        ),
    ):

        async def cut_off(writer: asyncio.StreamWriter, answer: bytes = answer) -> None:
            writer.write(answer)
            writer.close()

        async with serving(cut_off) as server:
            code, err = await get(server.url)
        assert (code, err.partition(". ")[0]) == (
            5,
            f"error: the Kubernetes API at {host_of(server.url)} {problem}",
        )


@pytest.mark.parametrize(
    ("server", "cluster", "problem"),
    [
        ("kube.test:6443", {}, "the server 'kube.test:6443' is not a URL"),
        ("", {}, "the server '' is not a URL"),
        (
            "https://127.0.0.1:1",
            {"certificate-authority-data": "bm8gY2VydGlmaWNhdGU="},
            "the certificate-authority cannot be used: no certificate or crl found",
        ),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_says_why(
    get: Get, server: str, cluster: dict[str, str], problem: str
) -> None:
    advice = "Set --kubeconfig, --context or KUBECONFIG"
    assert await get(server, **cluster) == (5, f"error: no access to a cluster: {problem}. {advice}\n")


def test_a_kubeconfig_that_is_not_yaml_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("clusters: [")
    assert run_command_line(["get", "--kubeconfig", str(path)]) == 5
    err = capsys.readouterr().err
    assert err.startswith("error: no access to a cluster: the kubeconfig is not YAML: ")
    assert (err.count("\n"), str(path) in err) == (1, True)


def refusal(status: str, message: str) -> bytes:
    body = json.dumps({"kind": "Status", "message": message}).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


LOG_IN = "log in again, or name another context with --context\n"


@pytest.mark.parametrize("words", [["get"], ["why", "qa"], ["cancel", "qa"]])
async def test_credentials_that_are_not_accepted(get: Get, words: list[str]) -> None:
    async with serving(saying(refusal("401 Unauthorized", "Unauthorized"))) as server:
        code, err = await get(server.url, *words)
    assert code == 4
    where = f"the Kubernetes API at {host_of(server.url)}"
    assert err.removeprefix("error: ").removeprefix("qa: ") == (
        f"{where} does not accept the credentials of the kubeconfig (401): {LOG_IN}"
    )


async def test_no_right_is_suggested_for_a_request_without_credentials(get: Get) -> None:
    message = (
        'nemoevaljobs.evaluator.nemo.dev is forbidden: User "system:anonymous" cannot list resource '
        '"nemoevaljobs" in API group "evaluator.nemo.dev" in the namespace "default"'
    )
    async with serving(saying(refusal("403 Forbidden", message))) as server:
        code, err = await get(server.url)
    assert (code, err) == (4, f"error: the kubeconfig has no credentials (system:anonymous): {LOG_IN}")

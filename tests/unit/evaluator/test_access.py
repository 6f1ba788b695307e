"""Where a connection may lead, and by which certificates: real sockets, real TLS, a CA of the test's own."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import trustme

from nemo_eval_operator.evaluator.http import (
    Access,
    Certificates,
    EvaluatorClient,
    UnusableCertificate,
    UnusableUrl,
)
from nemo_eval_operator.evaluator.http.access import MAX_LOOK_UPS
from nemo_eval_operator.evaluator.http.addresses import refusal_of_address, refusal_of_host
from nemo_eval_operator.evaluator.model import EvaluatorError, Fault

PAGE = b'{"data": []}'
WELCOME = b"<h1>Welcome to nginx!</h1>"


@dataclass
class Server:
    """Answers every request with `body`; `received` are the requests' heads."""

    body: bytes = PAGE
    code: int = 200
    port: int = 0
    received: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            self.received.append((await reader.readuntil(b"\r\n\r\n")).decode())
            head = f"HTTP/1.1 {self.code} X\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + self.body)
            await writer.drain()


@contextmanager
def closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()


async def check(url: str, access: Access) -> None:
    async with httpx.AsyncClient(base_url=url, transport=access.transport(url, max_connections=4)) as http:
        await EvaluatorClient(http, deadline=5).check()


async def fault_of(url: str, access: Access) -> EvaluatorError:
    with pytest.raises(EvaluatorError) as caught:
        await check(url, access)
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::23",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",  # noqa: S104 - refused
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "0.1.2.3",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:ffff::a00:1",
        "::169.254.169.254",
        "::10.0.0.1",
        "::ffff:0:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "2001:0:a9fe:a9fe::1",
        "2001::5601:5601",
        "2002:a00:1::1",
        "fec0::1",
        "feff::1",
        "fd00:42::42",
        "ff02::1",
        "fd00::5efe:a9fe:a9fe",
        "fd00::5efe:169.254.169.254",
        "2606:4700::200:5efe:169.254.169.254",
        "2001:db8:1:2:0:5efe:7f00:1",
        "fd00::5efe:0.0.0.0",
        "fd00::200:5efe:100.100.100.200",
        "fd00::5efe:224.0.0.1",
    ],
)
def test_addresses_that_no_connection_may_lead_to(address: str) -> None:
    assert refusal_of_address(address, loopback=False)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "192.168.1.1",
        "93.184.215.14",
        "fd00::1",
        "2606:4700::1",
        "64:ff9b::a00:1",
        "fd00::5efe:a00:1",
        "fd00::5eff:a9fe:a9fe",
        "fd00::300:5efe:a9fe:a9fe",
    ],
)
def test_private_and_public_addresses_are_fine(address: str) -> None:
    assert refusal_of_address(address, loopback=False) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "fd00::5efe:127.0.0.1"])
def test_loopback_is_allowed_by_a_setting_and_nothing_else_with_it(address: str) -> None:
    assert refusal_of_address(address, loopback=True) is None
    assert refusal_of_address("169.254.169.254", loopback=True)


@pytest.mark.parametrize("host", ["metadata.google.internal", "Metadata.Google.Internal.", "metadata"])
def test_metadata_services_are_refused_by_name(host: str) -> None:
    assert refusal_of_host(host)
    assert refusal_of_host(f"evaluator.{host}.example.com") is None


async def test_what_a_name_resolves_to_is_what_counts() -> None:
    """localhost stands for any name that an attacker points at our own network: it resolves to loopback."""
    async with Server().serving() as server:
        url = f"http://localhost:{server.port}"
        error = await fault_of(url, Access())
        assert error.fault is Fault.ADDRESS_FORBIDDEN
        assert "localhost leads to it" in error.detail
        assert server.received == []
        await check(url, Access(loopback=True))
    assert len(server.received) == 1


async def test_a_name_that_resolves_otherwise_a_moment_later_gets_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async with Server().serving() as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        url, access = f"http://rebound.test:{server.port}", Access(loopback=True)
        await check(url, access)
        assert (asked, len(server.received)) == (["rebound.test"], 1)
        assert (await fault_of(url, access)).fault is Fault.ADDRESS_FORBIDDEN


async def test_names_that_do_not_resolve_take_few_threads_also_after_their_calls_were_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered, asked = asyncio.Event(), 0

    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        nonlocal asked
        asked += 1
        await answered.wait()
        raise socket.gaierror("no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    for _ in range(2):
        calls = [asyncio.create_task(fault_of(f"http://x{n}.test/", Access())) for n in range(10)]
        await asyncio.wait(calls, timeout=0.2)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert asked == MAX_LOOK_UPS - 1, "one look-up is left to others"
    other = asyncio.create_task(fault_of("http://y.test/", Access(group="team-b")))
    await asyncio.wait([other], timeout=0.2)
    assert asked == MAX_LOOK_UPS
    answered.set()
    await other
    assert (await fault_of("http://x.test/", Access())).fault is Fault.DNS


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "metadata.google.internal", "0xa9fea9fe"])
async def test_a_forbidden_place_is_not_connected_to(host: str) -> None:
    """The last is 169.254.169.254 as one number, which resolvers understand."""
    error = await fault_of(f"http://{host}/", Access(loopback=True))
    assert error.fault is Fault.ADDRESS_FORBIDDEN


async def test_credentials_are_on_the_request_and_a_redirect_takes_them_nowhere() -> None:
    async with Server().serving() as elsewhere, Server(code=307).serving() as server:
        server.body = b""
        access = Access(headers={"Authorization": "Bearer hush-hush"}, loopback=True)
        with pytest.raises(EvaluatorError, match="redirects are not followed"):
            await check(f"http://127.0.0.1:{server.port}", access)
        assert "authorization: bearer hush-hush" in server.received[0].lower()
    assert elsewhere.received == []
    assert "hush-hush" not in repr(access)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


async def test_a_private_authority_is_trusted_where_it_is_named_and_no_other_then(
    authority: trustme.CA,
) -> None:
    async with Server().serving(server_side(authority)) as server:
        url = f"https://127.0.0.1:{server.port}"
        await check(url, Access(certificates=Certificates(ca=pem(authority)), loopback=True))
        for certificates in (Certificates(), Certificates(ca=pem(trustme.CA()))):
            error = await fault_of(url, Access(certificates=certificates, loopback=True))
            assert error.fault is Fault.TLS
        await check(url, Access(certificates=Certificates(verify=False), loopback=True))


async def test_a_certificate_for_another_host_is_refused(authority: trustme.CA) -> None:
    async with Server().serving(server_side(authority, "evaluator.example.com")) as server:
        access = Access(certificates=Certificates(ca=pem(authority)), loopback=True)
        assert (await fault_of(f"https://127.0.0.1:{server.port}", access)).fault is Fault.TLS


async def test_comments_of_a_ca_bundle_may_be_in_any_language(authority: trustme.CA) -> None:
    bundle = f"# Autorité de certification nº 1: 認証局\n{pem(authority)}\n# Ende, größer als nötig\n"
    async with Server().serving(server_side(authority)) as server:
        access = Access(certificates=Certificates(ca=bundle), loopback=True)
        await check(f"https://127.0.0.1:{server.port}", access)


def contexts() -> int:
    # Those of other tests may be garbage that is collected between two counts.
    gc.collect()
    return sum(isinstance(thing, ssl.SSLContext) for thing in gc.get_objects())


def test_connections_without_certificates_share_one_tls_context_and_http_has_none() -> None:
    shared = Access().transport("https://evaluator.test", max_connections=1)
    before = contexts()
    transports = [
        Access(certificates=certificates).transport(f"{scheme}://evaluator.test", max_connections=1)
        for scheme, certificates in [
            ("https", Certificates()),
            ("http", Certificates()),
            ("http", Certificates(verify=False)),
        ]
        for _ in range(10)
    ]
    assert contexts() == before
    own = Access(certificates=Certificates(verify=False)).transport(
        "https://evaluator.test", max_connections=1
    )
    assert contexts() == before + 1, "one that verifies nothing is never shared"
    assert len({shared, own, *transports}) == 32


async def test_a_client_certificate_is_presented(authority: trustme.CA) -> None:
    context = server_side(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    own = authority.issue_cert("operator.example.com")
    pair = (own.cert_chain_pems[0].bytes().decode(), own.private_key_pem.bytes().decode())
    async with Server().serving(context) as server:
        url = f"https://127.0.0.1:{server.port}"
        await check(url, Access(certificates=Certificates(ca=pem(authority), own=pair), loopback=True))
        stranger = Access(certificates=Certificates(ca=pem(authority)), loopback=True)
        # By an alert or a reset, as the server likes it.
        with pytest.raises(EvaluatorError):
            await check(url, stranger)
        assert len(server.received) == 1


@pytest.mark.parametrize(
    ("certificates", "problem"),
    [
        (Certificates(ca="no pem"), "CA bundle"),
        (Certificates(ca=""), "CA bundle"),
        (Certificates(ca="é"), "CA bundle"),
        (Certificates(ca="\0"), "CA bundle"),
        (Certificates(own=("no pem", "neither")), "client certificate"),
        (Certificates(own=("é", "\0")), "client certificate"),
    ],
)
def test_what_is_no_certificate_is_named(certificates: Certificates, problem: str) -> None:
    with pytest.raises(UnusableCertificate, match=problem):
        Access(certificates=certificates).transport("https://evaluator.test", max_connections=1)


@pytest.mark.parametrize(
    "url",
    [
        "http://a..b",
        "http://..",
        f"http://{'a' * 70}",
        "http://-x",
        "http://127.0.0.1:99999",
        "http://%",
        "http://2852039166",
    ],
)
async def test_whatever_a_tenant_writes_as_a_url_is_an_error_of_that_evaluator(url: str) -> None:
    """And never one that ends the operator."""
    with pytest.raises(EvaluatorError):
        await check(url, Access(loopback=True))


@pytest.mark.parametrize("url", ["http://xn--", "https://xn--/a", "http://xn--a.example.com", "http://:80"])
def test_a_url_without_a_usable_host_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UnusableUrl, match="http"):
        Access().transport(url, max_connections=1)


async def test_network_faults_are_distinguished() -> None:
    access = Access(loopback=True)
    assert (await fault_of("http://no-such-host.invalid", access)).fault is Fault.DNS
    async with Server().serving() as server:
        port = server.port
    assert (await fault_of(f"http://127.0.0.1:{port}", access)).fault is Fault.REFUSED


@pytest.mark.parametrize(("body", "code"), [(WELCOME, 200), (b"{}", 200), (WELCOME, 404)])
async def test_what_is_no_evaluator_does_not_pass_for_one(body: bytes, code: int) -> None:
    async with Server(body=body, code=code).serving() as server:
        error = await fault_of(f"http://127.0.0.1:{server.port}", Access(loopback=True))
    assert error.fault is None

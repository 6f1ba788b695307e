"""What failed on the way to an evaluator is reported without the words of HTTP libraries."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from nemo_eval_operator.evaluator.http.access import Access, ForbiddenAddress
from nemo_eval_operator.evaluator.http.network_words import words_for


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = Access(loopback=True).transport("http://127.0.0.1", max_connections=1)
    async with httpx.AsyncClient(transport=transport) as client:
        yield client


async def test_a_port_without_a_server_refuses_the_connection(http: httpx.AsyncClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(httpx.ConnectError) as caught:
        await http.get(f"http://127.0.0.1:{port}")
    assert words_for(caught.value) == "connection refused"


async def test_an_unknown_host_cannot_be_resolved(http: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        await http.get("http://nowhere.invalid")
    assert words_for(caught.value).startswith("the name of the host cannot be resolved (")
    assert "nowhere.invalid" not in words_for(caught.value)


async def test_a_forbidden_address_is_named_by_its_own_words(http: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        await http.get("http://169.254.169.254")
    assert isinstance(caught.value.__cause__, ForbiddenAddress)
    assert words_for(caught.value) == caught.value.__cause__.strerror


def test_several_addresses_of_a_name_have_one_reason() -> None:
    both = "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect call failed"
    assert words_for(OSError(both)) == "connection refused"


def test_the_error_of_an_earlier_call_is_not_the_reason() -> None:
    error = httpx.ReadError("the answer ended early")
    error.__context__ = ConnectionRefusedError(111, "earlier")
    assert words_for(error) == "the connection failed"

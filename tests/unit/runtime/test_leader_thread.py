"""The lease is renewed whatever the event loop of the work does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from nemo_eval_operator.runtime.leader import Election, LeaseLost
from nemo_eval_operator.runtime.leader_thread import leading
from tests.unit.runtime.lease_server import LeaseServer, terms


def electing(server: LeaseServer) -> Callable[[], AbstractAsyncContextManager[Election]]:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Election]:
        yield Election(server.kube, terms())

    return connect


async def test_the_lease_is_renewed_while_the_event_loop_of_the_work_stands_still() -> None:
    server = LeaseServer()
    async with leading(electing(server)) as leadership:
        before, deadline = server.version, time.monotonic() + 30
        # Ten renewals take longer than the lease lasts without one.
        while server.version < before + 10 and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251 - what this test is about

        assert leadership.election.held
        assert server.version >= before + 10


async def test_a_lease_that_another_has_taken_ends_the_work() -> None:
    server = LeaseServer()
    async with leading(electing(server)) as leadership:
        server.take("another")
        with pytest.raises(LeaseLost, match="another"):
            await asyncio.wait_for(leadership.lost(), 30)

        assert not leadership.election.held
    assert server.holder == "another"


async def test_nothing_is_sent_once_the_lease_cannot_be_renewed() -> None:
    async def refuse(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(503) if away else None

    server, away = LeaseServer(interfere=refuse), False
    async with leading(electing(server)) as leadership:
        away = True
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(leadership.lost(), 30)
        with pytest.raises(httpx.ConnectError):
            await leadership.election.refuse_unless_held(httpx.Request("POST", "http://evaluator.test"))
        away = False


async def test_the_lease_is_released_at_the_end() -> None:
    server = LeaseServer()
    async with leading(electing(server)):
        assert server.holder == "me"

    assert server.holder is None


async def test_a_standby_can_be_ended() -> None:
    server = LeaseServer()
    server.take("another")

    async def stand_by() -> None:
        async with leading(electing(server)):
            pytest.fail("the lease is another's")

    standing_by = asyncio.create_task(stand_by())
    await asyncio.sleep(0)
    standing_by.cancel()
    with pytest.raises(asyncio.CancelledError):
        await standing_by

    assert server.holder == "another"

"""Election on a Lease that is kept in memory: who may lead, and when a leader must not go on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from nemo_eval_operator.kube import LeaseSpec
from nemo_eval_operator.runtime.leader import Election, LeaseLost, claim
from tests.unit.runtime.lease_server import Interference, LeaseServer, terms

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def held_by(identity: str | None, *, transitions: int | None = 3) -> LeaseSpec:
    time = "2026-03-01T11:00:00.000000Z"
    return LeaseSpec(
        holder_identity=identity,
        lease_duration_seconds=10,
        acquire_time=time,
        renew_time=time,
        lease_transitions=transitions,
    )


def on_writes(answer: Interference) -> Interference:
    async def interfere(request: httpx.Request) -> httpx.Response | None:
        return await answer(request) if request.method == "PATCH" else None

    return interfere


def test_a_lease_that_does_not_exist_is_created() -> None:
    spec = claim(None, terms(), expired=True, now=NOW)

    assert spec is not None
    assert spec.model_dump(by_alias=True) == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 3,
        "acquireTime": "2026-03-01T12:00:00.000000Z",
        "renewTime": "2026-03-01T12:00:00.000000Z",
        "leaseTransitions": 0,
    }


def test_another_ones_lease_is_left_alone_until_it_expires() -> None:
    assert claim(held_by("another"), terms(), expired=False, now=NOW) is None


@pytest.mark.parametrize(("holder", "expired"), [("another", True), (None, False), ("", False)])
def test_an_expired_or_released_lease_is_taken_over(holder: str | None, expired: bool) -> None:
    spec = claim(held_by(holder), terms(), expired=expired, now=NOW)

    assert spec is not None
    assert (spec.holder_identity, spec.lease_transitions) == ("me", 4)
    assert spec.acquire_time == spec.renew_time == "2026-03-01T12:00:00.000000Z"


def test_renewing_keeps_since_when_it_is_ours() -> None:
    spec = claim(held_by("me"), terms(), expired=True, now=NOW)

    assert spec == held_by("me").model_copy(update={"renew_time": "2026-03-01T12:00:00.000000Z"})


async def test_the_second_leads_when_the_first_has_released_it() -> None:
    server = LeaseServer()
    first, second = Election(server.kube, terms("first")), Election(server.kube, terms("second"))
    looked = asyncio.Event()

    async def note(request: httpx.Request) -> httpx.Response | None:
        looked.set()
        return None

    async def lead_second() -> str | None:
        async with second.leading():
            return server.holder

    async with first.leading():
        server.interfere = note
        waiting = asyncio.create_task(lead_second())
        await looked.wait()
        assert (server.holder, second.held) == ("first", False)

    assert await waiting == "second"
    assert server.holder is None, "it released it too"


async def test_the_second_leads_when_the_first_renews_no_more() -> None:
    server = LeaseServer()
    server.take("dead")
    assert server.spec is not None
    server.spec["leaseDurationSeconds"] = 1

    async with Election(server.kube, terms()).leading():
        assert server.holder == "me"


async def test_a_leader_that_renews_goes_on() -> None:
    server = LeaseServer()
    election = Election(server.kube, terms())

    async with election.leading():
        renewing = asyncio.create_task(election.renew())
        for _ in range(3):
            server.written.clear()
            await server.written.wait()
        assert election.held
        renewing.cancel()


async def hang(_request: httpx.Request) -> httpx.Response | None:
    await asyncio.Event().wait()
    return None


async def refuse(_request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(500, json={"message": "etcd is down"})


async def break_off(request: httpx.Request) -> httpx.Response | None:
    raise httpx.ReadError("reset", request=request)


@pytest.mark.parametrize("trouble", [hang, refuse, break_off])
async def test_a_leader_that_cannot_renew_stops_before_the_lease_expires(trouble: Interference) -> None:
    server = LeaseServer()
    election = Election(server.kube, terms())
    async with election.leading():
        acquired = asyncio.get_running_loop().time()
        server.interfere = on_writes(trouble)
        with pytest.raises(LeaseLost, match="not renewed"):
            await election.renew()
        assert not election.held
        assert asyncio.get_running_loop().time() - acquired < terms().duration, "safety, not speed"


async def test_each_renewal_postpones_the_time_at_which_another_may_take_over() -> None:
    server = LeaseServer()
    times: list[float | None] = []
    election = Election(server.kube, terms(), on_held=times.append)

    before = asyncio.get_running_loop().time()
    async with election.leading():
        renewing = asyncio.create_task(election.renew())
        while len(times) < len(("acquired", "renewed")):
            server.written.clear()
            await server.written.wait()
        renewing.cancel()

    acquired, renewed, *_, released = times
    assert acquired is not None
    assert renewed is not None
    assert before + terms().duration < acquired < renewed
    assert released is None


async def test_a_lease_that_is_not_renewed_keeps_its_time() -> None:
    server = LeaseServer()
    times: list[float | None] = []
    election = Election(server.kube, terms(), on_held=times.append)

    async with election.leading():
        server.interfere = on_writes(refuse)
        with pytest.raises(LeaseLost):
            await election.renew()

    assert len(times) == 1, "neither postponed nor cancelled"


async def test_a_leader_whose_lease_was_taken_stops_at_once() -> None:
    server = LeaseServer()
    election = Election(server.kube, terms())
    async with election.leading():
        server.take("another")
        with pytest.raises(LeaseLost, match="held by another"):
            await election.renew()

    assert server.holder == "another", "what is not ours is not released"


async def test_a_renewal_whose_answer_was_lost_counts_for_nothing_and_breaks_nothing() -> None:
    server = LeaseServer()
    election = Election(server.kube, terms())
    lost: list[httpx.Response] = []

    async def lose_once(request: httpx.Request) -> httpx.Response | None:
        if lost:
            return None
        lost.append(server.act(request))
        raise httpx.ReadError("reset", request=request)

    async with election.leading():
        server.interfere = on_writes(lose_once)
        renewing = asyncio.create_task(election.renew())
        while not lost:
            server.written.clear()
            await server.written.wait()
        server.written.clear()
        await server.written.wait()
        assert election.held
        renewing.cancel()


async def test_a_deleted_lease_is_created_again() -> None:
    server = LeaseServer()
    election = Election(server.kube, terms())

    async with election.leading():
        server.spec = None
        renewing = asyncio.create_task(election.renew())
        server.written.clear()
        await server.written.wait()
        assert server.holder == "me"
        renewing.cancel()


async def test_without_the_lease_no_request_is_sent() -> None:
    server = LeaseServer()
    election = Election(server.kube, terms())
    arrived: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        arrived.append(request)
        return httpx.Response(200)

    guarded = httpx.AsyncClient(
        base_url="http://evaluator.test",
        transport=httpx.MockTransport(answer),
        event_hooks={"request": [election.refuse_unless_held]},
    )
    async with guarded as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("/jobs")
        async with election.leading():
            await http.post("/jobs")
        with pytest.raises(httpx.ConnectError):
            await http.post("/jobs")

    assert len(arrived) == 1

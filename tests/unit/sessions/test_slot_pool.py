"""Who gets a place at the evaluator, and what those in line are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import Admitted, Counting, Queued, Run, rounded_position
from nemo_eval_operator.resources import NemoEvalJob
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import SharedSlots, SlotPool, Slots, server_of
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.lifecycle.objects import evaljob, followed


def job(name: str, *, namespace: str = "a", second: int = 0, **more: Any) -> NemoEvalJob:
    created = f"2026-03-01T12:00:{second:02}Z"
    meta = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return evaljob(meta=meta, status=more.pop("status", None), **more)


def key(of: NemoEvalJob) -> ObjectKey:
    return ObjectKey("nemoevaljobs", of.metadata.namespace, of.metadata.name)


class Stage:
    """One evaluator's places, counted from the start."""

    def __init__(self, limit: int | None) -> None:
        self.queue = WorkQueue()
        self.slot_pool = SlotPool(self.queue, limit=limit)
        self.slot_pool.open()

    async def woken(self, *expected: NemoEvalJob) -> list[str]:
        """The jobs that a worker was told to look at, in order: as many as are expected."""
        return await woken(self.queue, expected)


async def woken(queue: WorkQueue, expected: Sequence[NemoEvalJob]) -> list[str]:
    taken: list[str] = []
    enough = asyncio.Event()

    async def look(key: ObjectKey) -> float | None:
        taken.append(key.name)
        if len(taken) >= len(expected):
            enough.set()
        return None

    worker = asyncio.create_task(queue.work(look, heartbeat=Heartbeat(60)))
    await asyncio.wait_for(enough.wait(), 10)
    worker.cancel()
    return taken


async def test_without_a_limit_everybody_has_a_place() -> None:
    stage = Stage(None)

    assert {stage.slot_pool.ask(job(f"job-{number}")) for number in range(100)} == {Admitted()}


async def test_places_are_given_until_there_are_none_and_again_when_a_job_ends() -> None:
    stage = Stage(2)
    first, second, third, fourth = (job(f"job-{number}", second=number) for number in range(4))

    assert [stage.slot_pool.ask(one) for one in (first, second)] == [Admitted(), Admitted()]
    assert stage.slot_pool.ask(third) == Queued(place=1, limit=2)
    assert stage.slot_pool.ask(fourth) == Queued(place=3, limit=2)

    stage.slot_pool.release(key(second))
    assert await stage.woken(third) == ["job-2"]
    assert stage.slot_pool.ask(third) == Admitted()
    assert isinstance(stage.slot_pool.ask(fourth), Queued)
    assert (stage.slot_pool.running, stage.slot_pool.waiting) == (2, 1)


async def test_a_job_asks_again_without_a_second_place() -> None:
    stage = Stage(2)

    for _ in range(3):
        assert stage.slot_pool.ask(job("one")) == Admitted()

    assert stage.slot_pool.running == 1


async def test_in_line_higher_priority_goes_first_then_the_older_whoever_asked_first() -> None:
    stage = Stage(1)
    running = job("running")
    stage.slot_pool.ask(running)
    young, old = job("young", second=50), job("old", second=10)
    important, modest = job("important", second=59, priority=5), job("modest", second=1, priority=-5)
    for one in (modest, young, important, old):
        stage.slot_pool.ask(one)

    order = []
    for last in (running, important, old, young):
        stage.slot_pool.release(key(last))
        order += await stage.woken(last)

    assert order == ["important", "old", "young", "modest"]


async def test_namespaces_take_turns_in_line() -> None:
    stage = Stage(1)
    running = job("running")
    stage.slot_pool.ask(running)
    large = [job(f"large-{number:04}") for number in range(1000)]
    for one in large:
        stage.slot_pool.ask(one)
    small = job("small", namespace="b", second=59)
    stage.slot_pool.ask(small)

    stage.slot_pool.release(key(running))
    assert await stage.woken(large[0]) == ["large-0000"]
    stage.slot_pool.release(key(large[0]))
    assert await stage.woken(small) == ["small"]


async def test_a_job_that_wants_no_place_any_more_holds_up_nobody() -> None:
    stage = Stage(1)
    running, gone, third = job("running"), job("gone", second=1), job("third", second=2)
    for one in (running, gone, third):
        stage.slot_pool.ask(one)

    stage.slot_pool.leave(key(gone))
    stage.slot_pool.release(key(running))

    assert await stage.woken(third) == ["third"]


async def test_nobody_is_admitted_before_the_running_jobs_are_counted() -> None:
    queue = WorkQueue()
    slot_pool = SlotPool(queue, limit=2)
    new = job("new")

    assert slot_pool.ask(new) == Counting()
    for number in range(3):
        slot_pool.note(job(f"running-{number}", status=followed(jobId=f"eval-{number}")))
    slot_pool.open()
    assert slot_pool.ask(new) == Queued(place=1, limit=2)

    slot_pool.release(ObjectKey("nemoevaljobs", "a", "running-0"))
    assert isinstance(slot_pool.ask(new), Queued), "three ran, two may"
    slot_pool.release(ObjectKey("nemoevaljobs", "a", "running-1"))
    assert await woken(queue, [new]) == ["new"]


async def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    stage = Stage(1)
    stage.slot_pool.ask(job("running"))

    assert stage.slot_pool.ask(job("old", status={"queuePosition": 300})) == Queued(place=300, limit=1)


async def test_those_in_line_are_told_how_they_move_up_and_nobody_else_is_woken() -> None:
    stage = Stage(1)
    stage.slot_pool.ask(job("running"))
    waiting = [job(f"job-{number:02}") for number in range(12)]
    told = [stage.slot_pool.ask(one) for one in waiting]
    assert [turn.place for turn in told if isinstance(turn, Queued)] == [1, 3, 3, *[10] * 7, 30, 30]

    # Ahead of all: whoever was told 1, 3 and 10 last is now behind that.
    stage.slot_pool.ask(job("urgent", priority=1))
    teller = asyncio.create_task(stage.slot_pool.run(Heartbeat(60)))

    moved = [waiting[0], waiting[2], waiting[9]]
    assert await stage.woken(job("urgent"), *moved) == ["urgent", *(one.metadata.name for one in moved)]
    assert [stage.slot_pool.ask(one) for one in moved] == [Queued(n, 1) for n in (3, 10, 30)]
    teller.cancel()


@pytest.mark.parametrize(
    ("place", "told"), [(1, 1), (2, 3), (3, 3), (4, 10), (11, 30), (31, 100), (4_000, 10_000)]
)
def test_places_are_rounded_up(place: int, told: int) -> None:
    assert rounded_position(place) == told


class Two:
    """Two connections that share `shared` places, the first with a limit of its own."""

    def __init__(self, *, shared: int, first: int | None = None) -> None:
        self.queue = WorkQueue()
        self.shared = Slots(self.queue, limit=shared)
        self.first = SlotPool(self.queue, limit=first, shared=self.shared)
        self.second = SlotPool(self.queue, limit=None, shared=self.shared)
        for one in (self.first, self.second, self.shared):
            one.open()


async def test_connections_to_one_url_share_its_places() -> None:
    two = Two(shared=2)
    jobs = [job(f"job-{number}", second=number) for number in range(3)]

    assert [two.first.ask(jobs[0]), two.second.ask(jobs[1])] == [Admitted(), Admitted()]
    assert two.first.ask(jobs[2]) == Queued(place=1, limit=2)
    assert (two.first.running, two.first.waiting, two.second.running) == (1, 1, 1)

    two.second.leave(key(jobs[1]))
    assert await woken(two.queue, [jobs[2]]) == ["job-2"]
    assert two.first.ask(jobs[2]) == Admitted()


async def test_a_limit_of_ones_own_holds_beside_the_shared_one() -> None:
    two = Two(shared=2, first=1)

    assert two.first.ask(job("job-0")) == Admitted()
    assert two.first.ask(job("job-1")) == Queued(place=1, limit=1)
    assert two.second.ask(job("job-2")) == Admitted()
    assert two.second.ask(job("job-3")) == Queued(place=1, limit=2)


async def test_a_job_that_goes_from_one_connection_to_another_keeps_its_shared_place() -> None:
    two = Two(shared=1)
    moving, other = job("moving"), job("other")
    two.first.ask(moving)
    assert isinstance(two.second.ask(other), Queued)

    two.first.leave_for(key(moving), two.second)

    assert isinstance(two.second.ask(other), Queued)


async def test_places_are_shared_and_not_any_more_as_a_connection_changes() -> None:
    two = Two(shared=1)
    first, second = job("first"), job("second")
    two.first.ask(first)
    assert isinstance(two.second.ask(second), Queued)

    two.first.allow(5, shared=None)

    assert await woken(two.queue, [second]) == ["second"]
    two.first.allow(None, shared=two.shared)
    two.second.leave(key(second))
    assert isinstance(two.second.ask(second), Queued), "the first one's job counts again"


async def test_a_remote_job_without_an_object_has_a_place_until_it_ends() -> None:
    stage = Stage(1)
    stage.slot_pool.keep("eval-1", Run("uid", "a", "eval-1", datetime.now(UTC)))
    waiting = job("waiting")
    assert stage.slot_pool.ask(waiting) == Queued(place=1, limit=1)

    stage.slot_pool.free("eval-1")

    assert await stage.woken(waiting) == ["waiting"]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://nemo.evals.svc:7331/", True),
        ("HTTP://NEMO.evals.svc:7331/v1/..", True),
        ("http://nemo.evals.svc.cluster.local.:7331", True),
        ("https://nemo.evals:7331", True),
        ("http://nemo.evals.svc.:7331", True),
        ("http://nemo.evals.cluster.local:7331", False),
        ("http://nemo.svc:7331", False),
        ("http://nemo.evals.svc.example.com:7331", False),
        ("http://nemo.evals.example.com.svc:7331", False),
        ("http://nemo.evals.svc.svc:7331", False),
        ("http://Nemo.Evals.Svc.Cluster.Local:7331", True),
        ("http://nemo:7331", True),
        ("http://NEMO:7331/path", True),
        ("http://nemo.evals.svc", False),
        ("http://nemo:80", False),
        ("http://nemo.other.svc:7331", False),
        ("http://other:7331", False),
        ("http://evals:7331", False),
        ("http://xn--", False),
    ],
)
def test_urls_are_of_one_server_by_host_and_port(url: str, same: bool) -> None:
    """As the operator's pod in the namespace evals resolves them."""
    for own in ("http://nemo.evals.svc:7331", "http://nemo:7331", "http://nemo.evals:7331"):
        assert (server_of(url, "evals") == server_of(own, "evals")) is same


def test_a_short_name_is_of_the_operators_namespace_and_outside_a_pod_of_none() -> None:
    assert server_of("http://nemo", "a") != server_of("http://nemo", "b")
    assert server_of("http://nemo") != server_of("http://nemo.evals.svc")
    assert server_of("http://nemo") == server_of("HTTP://Nemo./")


@pytest.mark.parametrize(
    "urls",
    [
        ("http://10.0.0.1", "http://10.1", "http://0xa000001", "http://167772161", "http://0xA.0x0.1"),
        ("http://10.0.0.1", "http://[::ffff:10.0.0.1]", "http://[::FFFF:a00:1]", "http://[64:ff9b::a00:1]"),
        ("http://[fd00::1]:7331", "http://[FD00:0:0::1]:7331", "http://[fd00:0:0:0:0:0:0.0.0.1]:7331"),
        ("http://127.0.0.1:7331", "http://localhost:7331", "http://LOCALHOST.:7331", "http://127.1:7331"),
    ],
)
def test_spellings_of_one_address_are_of_one_server(urls: tuple[str, ...]) -> None:
    assert len({server_of(url, "evals") for url in urls}) == 1


@pytest.mark.parametrize(
    ("external", "other"),
    [
        ("http://nemo.example.com", "http://nemo.example.com.svc"),
        ("http://nemo.example.com", "http://nemo.example.com.cluster.local"),
        ("http://nemo.example.com", "http://nemo.example.com.svc.cluster.local"),
        ("http://nemo.svc.example.com", "http://nemo.example.com"),
        ("http://nemo", "http://nemo.svc"),
    ],
)
def test_ends_of_cluster_names_are_left_out_of_services_names_only(external: str, other: str) -> None:
    assert server_of(external, "evals") != server_of(other, "evals")


def test_a_short_name_of_the_administrators_evaluator_shares_its_limit() -> None:
    slots = SharedSlots(WorkQueue(), limit=1, own_url="http://nemo:7331", namespace="evals")
    assert slots.is_own("http://nemo.evals.svc.cluster.local:7331")
    assert slots.of("http://nemo.evals:7331", own_limit=100) is slots.of("http://nemo:7331")
    assert slots.of("http://nemo.evals:7331", own_limit=100) is not None


async def test_a_job_whose_status_says_that_it_waits_is_counted_as_waiting() -> None:
    """No later look at the job is needed for that: the write of its status is what ends the look."""
    two = Two(shared=1)
    first, second = job("first"), job("second", second=1)
    assert isinstance(two.first.ask(first), Admitted)
    assert isinstance(two.second.ask(second), Queued)
    two.second.release(key(second))
    assert (two.second.running, two.second.waiting) == (0, 1)

    two.first.release(key(first))
    assert await woken(two.queue, [second]) == ["second"]
    assert isinstance(two.second.ask(second), Admitted)
    two.second.release(key(second))
    assert (two.second.running, two.second.waiting) == (0, 0)

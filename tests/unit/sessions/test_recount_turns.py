"""A connection that is edited in a loop has jobs counted once in a while, and delays no other namespace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.kube import KubeClient, KubeUnavailable, OverHttpx
from nemo_eval_operator.lifecycle.job import Admitted, Counting
from nemo_eval_operator.resources import EvaluatorUsed, LabelSelector, NemoEvalJob, ObjectMeta
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import (
    CircuitBreaker,
    Evaluator,
    JobLists,
    JobTracker,
    RecountTurns,
    SharedSlots,
    SlotPool,
    SlotRecount,
)
from nemo_eval_operator.sessions import recount_turns as census_turns
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.lifecycle.objects import evaljob

URL = "http://evaluator.test"

LATER = datetime.now(UTC) + timedelta(days=1)
"""After the operator started."""

EARLIER = datetime.now(UTC) - timedelta(days=1)


class Stage:
    """An operator whose connections count their jobs. `lists` is how often all objects were read."""

    def __init__(self) -> None:
        self.lists = self.failures = 0
        self.jobs: list[dict[str, object]] = []
        self.queue, self.turns = WorkQueue(), RecountTurns()
        transport = httpx.MockTransport(self._list)
        self.kube = KubeClient(
            OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport))
        )
        self.job_lists = JobLists(self.kube, (), LabelSelector())

    def _list(self, _: httpx.Request) -> httpx.Response:
        self.lists += 1
        if self.failures:
            self.failures -= 1
            return httpx.Response(503, json={"kind": "Status", "message": "overloaded"})
        return httpx.Response(200, json={"items": self.jobs})

    def open(
        self, connection: str, *, uid: str = "u", created: datetime | None = None
    ) -> tuple[SlotPool, asyncio.Task[None]]:
        """As after each edit: a new evaluator of the connection counts what runs there."""
        namespace, _, name = connection.partition("/")
        meta = ObjectMeta(name=name, namespace=namespace, uid=uid, creation_timestamp=created or LATER)
        answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": []}))
        client = EvaluatorClient(httpx.AsyncClient(base_url=URL, transport=answer))
        tracker = JobTracker()
        evaluator = Evaluator(
            used=EvaluatorUsed(url=URL, connection=connection),
            client=client,
            breaker=CircuitBreaker(client, self.queue, tracker, Heartbeat(60)),
            tracker=tracker,
            slot_pool=SlotPool(self.queue, limit=1),
        )
        recount = SlotRecount(
            kube=self.kube,
            lists=self.job_lists,
            evaluator=evaluator,
            slots=SharedSlots(self.queue, limit=None, own_url="http://own.test"),
            turns=self.turns,
            connection=meta,
            namespaces=(),
            cluster="",
            settle=0,
            heartbeat=Heartbeat(60),
        )
        return evaluator.slot_pool, asyncio.create_task(recount.run())


async def until_counted(slot_pool: SlotPool) -> None:
    async with asyncio.timeout(10):
        while isinstance(turn := slot_pool.ask(evaljob()), Counting):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert isinstance(turn, Admitted)


async def test_a_connection_that_is_edited_in_a_loop_counts_only_so_often_and_delays_no_other() -> None:
    stage = Stage()
    for _ in range(census_turns.RESERVE):
        slot_pool, edited = stage.open("team-a/mine")
        await until_counted(slot_pool)
        edited.cancel()
    assert stage.lists == census_turns.RESERVE, "so many connections start without a pause"

    waiting = [stage.open("team-a/mine") for _ in range(50)]
    other, counting = stage.open("team-b/theirs")
    await until_counted(other)

    assert stage.lists == census_turns.RESERVE + 1
    for _, task in [*waiting, (other, counting)]:
        task.cancel()


async def counted_of(stage: Stage, connections: dict[str, datetime]) -> int:
    """How many of these connections count within a few turns of the event loop, by uid and creation."""
    opened = [stage.open("team-a/mine", uid=uid, created=created) for uid, created in connections.items()]
    for _ in range(1000):
        await asyncio.sleep(0)
    for _, task in opened:
        task.cancel()
    await asyncio.gather(*(task for _, task in opened), return_exceptions=True)
    turns = [slot_pool.ask(evaljob()) for slot_pool, _ in opened]
    return sum(not isinstance(turn, Counting) for turn in turns)


async def test_after_a_start_every_connection_of_a_namespace_is_counted_without_a_pause() -> None:
    stage, connections = Stage(), 3 * census_turns.RESERVE
    assert await counted_of(stage, {f"uid-{number}": EARLIER for number in range(connections)}) == connections
    assert stage.lists <= 2, "jobs are read for all of them together"


async def test_a_count_that_fails_does_not_fail_those_that_begin_later() -> None:
    stage = Stage()
    stage.failures = 1
    with pytest.raises(KubeUnavailable):
        await stage.job_lists.note_each(lambda _: None)

    slot_pool, task = stage.open("team-a/mine")
    await until_counted(slot_pool)
    task.cancel()


async def test_a_job_that_one_reader_cannot_use_fails_that_reader_alone() -> None:
    stage = Stage()
    stage.jobs = [evaljob().model_dump(by_alias=True, mode="json")] * 2
    noted: list[str] = []

    def refuse(_: NemoEvalJob) -> None:
        raise ValueError("not countable")

    failed, read = await asyncio.gather(
        stage.job_lists.note_each(refuse),
        stage.job_lists.note_each(lambda job: noted.append(job.metadata.name)),
        return_exceptions=True,
    )
    assert isinstance(failed, ValueError)
    assert read is None
    assert len(noted) == 2


async def test_a_connection_that_is_closed_during_a_read_does_not_end_it_for_others() -> None:
    stage = Stage()
    (_, closed), (other, task) = stage.open("team-a/mine"), stage.open("team-b/theirs")
    await asyncio.sleep(0)
    closed.cancel()

    await until_counted(other)
    task.cancel()


async def test_connections_that_are_made_again_after_a_start_count_only_so_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(census_turns, "FIRST_COUNTS", 10)
    stage, share = Stage(), census_turns.RESERVE
    assert await counted_of(stage, {f"new-{number}": LATER for number in range(share + 30)}) == share
    assert await counted_of(stage, {f"old-{number}": EARLIER for number in range(30)}) == 10
    assert await counted_of(stage, {f"old-{number}": EARLIER for number in range(10)}) == 0, "once each"

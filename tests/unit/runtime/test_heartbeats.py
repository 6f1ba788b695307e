"""A stuck loop is distinguished from an idle one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import Unavailable
from nemo_eval_operator.handlers import WatchLiveness
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import JobSnapshot
from nemo_eval_operator.runtime.heartbeats import Heartbeats
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import CircuitBreaker, JobTracker
from nemo_eval_operator.sessions.poller import Poller
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.evaluator.scripted import Scripted

JOB = ObjectKey("nemoevaljobs", "default", "one")


def test_a_loop_is_missed_when_it_has_promised_and_does_not_come() -> None:
    heartbeats = Heartbeats()
    stuck, slow, idle = (heartbeats.add(name, limit=0) for name in ("stuck", "slow", "idle"))
    stuck.beat()
    slow.rest(60)
    idle.beat()
    idle.rest()

    assert set(heartbeats.late()) == {"stuck"}

    stuck.rest()
    assert not heartbeats.late()


async def test_a_worker_that_does_not_come_back_is_missed_and_one_without_work_is_not() -> None:
    heartbeats, queue, taken = Heartbeats(), WorkQueue(), asyncio.Event()

    async def never(_key: ObjectKey) -> float | None:
        taken.set()
        await asyncio.Event().wait()
        return None

    async with asyncio.TaskGroup() as tasks:
        workers = [
            tasks.create_task(queue.work(never, heartbeat=heartbeats.add(f"worker-{number}", limit=0)))
            for number in range(2)
        ]
        await asyncio.sleep(0)
        assert not heartbeats.late()
        queue.add(JOB)
        await taken.wait()
        assert len(heartbeats.late()) == 1
        for worker in workers:
            worker.cancel()


async def test_a_gate_that_is_closed_for_long_is_not_missed() -> None:
    heartbeats = Heartbeats()
    asked = asyncio.Event()

    def unreachable(request: httpx.Request) -> httpx.Response:
        asked.set()
        raise httpx.ConnectError("refused", request=request)

    breaker = CircuitBreaker(
        Scripted(unreachable).client, WorkQueue(), JobTracker(), heartbeats.add("breaker", limit=5)
    )
    running = asyncio.create_task(breaker.run())
    breaker.trip(Unavailable("refused"))
    await asked.wait()

    assert not heartbeats.late()
    running.cancel()


async def test_an_idle_poller_is_not_missed() -> None:
    heartbeats, queue, tracker = Heartbeats(), WorkQueue(), JobTracker()
    evaluator = Scripted(lambda _: httpx.Response(500)).client
    poller = Poller(
        evaluator=evaluator,
        tracker=tracker,
        queue=queue,
        breaker=CircuitBreaker(evaluator, queue, tracker, heartbeats.add("breaker", limit=0)),
        interval=0.2,
        heartbeat=heartbeats.add("poller", limit=0),
        metrics=Metrics(),
    )
    running = asyncio.create_task(poller.run())
    await asyncio.sleep(0)

    assert not heartbeats.late()
    running.cancel()


async def test_a_poller_whose_question_is_never_answered_is_missed() -> None:
    heartbeats, queue, tracker, asked = Heartbeats(), WorkQueue(), JobTracker(), asyncio.Event()

    async def never(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await asyncio.Event().wait()
        return httpx.Response(200)

    evaluator = EvaluatorClient(
        httpx.AsyncClient(base_url="http://evaluator.test", transport=httpx.MockTransport(never))
    )
    poller = Poller(
        evaluator=evaluator,
        tracker=tracker,
        queue=queue,
        breaker=CircuitBreaker(evaluator, queue, tracker, heartbeats.add("breaker", limit=0)),
        interval=0.2,
        heartbeat=heartbeats.add("poller", limit=0),
        metrics=Metrics(),
    )
    tracker.follow(JOB, "eval-1", JobSnapshot("active", None), since=datetime.now(UTC))
    running = asyncio.create_task(poller.run())
    await asked.wait()

    assert set(heartbeats.late()) == {"poller"}
    running.cancel()


def test_a_watch_is_missed_when_a_write_of_ours_does_not_come_back() -> None:
    heartbeats = Heartbeats()
    watch_liveness = WatchLiveness(heartbeats, namespaces=True, seconds=0)
    elsewhere = ObjectKey("nemoevaljobs", "elsewhere", "one")

    watch_liveness.expect(JOB, "7")
    watch_liveness.expect(elsewhere, "8")
    watch_liveness.heard("nemoevaljobs", "default", "7")
    watch_liveness.heard("nemobenchmarks", "elsewhere", "9")
    watch_liveness.heard("nemoevaljobs", "elsewhere", "6")

    assert set(heartbeats.late()) == {"watch of nemoevaljobs in elsewhere"}


def test_a_watch_that_was_faster_than_the_answer_to_the_write_is_not_missed() -> None:
    heartbeats = Heartbeats()
    watch_liveness = WatchLiveness(heartbeats, namespaces=False, seconds=0)

    watch_liveness.heard("nemoevaljobs", "default", "7")
    watch_liveness.expect(JOB, "7")

    assert not heartbeats.late()

"""Whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.workqueue import RetryLater, Shares, WaitInLane, WorkQueue


def key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey("nemoevaljobs", namespace, name)


async def order_of(queue: WorkQueue, count: int) -> list[str]:
    """The first `count` keys that one worker takes up, as namespace/name."""
    taken: list[str] = []
    enough = asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        taken.append(f"{key.namespace}/{key.name}")
        if len(taken) == count:
            enough.set()
        return None

    worker = asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60)))
    await asyncio.wait_for(enough.wait(), 10)
    await queue.drain(10)
    worker.cancel()
    return taken[:count]


async def test_namespaces_take_turns_however_many_objects_one_of_them_has() -> None:
    queue = WorkQueue()
    for number in range(5000):
        queue.add(key("large", f"job-{number}"))
    queue.add(key("small", "first"))
    queue.add(key("tiny", "only"))
    queue.add(key("small", "second"))

    assert await order_of(queue, 6) == [
        "large/job-0",
        "small/first",
        "tiny/only",
        "large/job-1",
        "small/second",
        "large/job-2",
    ]


async def test_in_a_namespace_the_urgent_go_first_then_higher_priority_then_the_older() -> None:
    queue = WorkQueue()
    queue.add(key("a", "old"))
    queue.add(key("a", "young"))
    for name, priority in (("low", -5), ("high", 10)):
        queue.prioritise(key("a", name), priority)
        queue.add(key("a", name))
    queue.add(key("a", "urgent"), urgent=True)

    assert await order_of(queue, 5) == ["a/urgent", "a/high", "a/old", "a/young", "a/low"]


async def test_a_waiting_key_that_becomes_urgent_overtakes_those_before_it() -> None:
    queue = WorkQueue()
    for name in ("old", "news", "young"):
        queue.add(key("a", name))
    queue.add(key("a", "news"), urgent=True)

    assert await order_of(queue, 3) == ["a/news", "a/old", "a/young"]


@pytest.mark.parametrize("event", ["the lane is full", "added while at work"])
async def test_a_key_stays_urgent_until_it_was_reconciled(event: str) -> None:
    queue = WorkQueue()
    taken: list[str] = []
    enough = asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        taken.append(key.name)
        if taken == ["news"]:
            for name in ("one", "two"):
                queue.add(ObjectKey("nemoevaljobs", "a", name))
            if event == "the lane is full":
                raise WaitInLane("")
            queue.add(key, urgent=True)
        if len(taken) == 4:
            enough.set()
        return None

    worker = asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60)))
    queue.add(key("a", "news"), urgent=True)
    await asyncio.wait_for(enough.wait(), 10)
    await queue.drain(10)
    worker.cancel()
    assert taken == ["news", "news", "one", "two"]
    assert not queue.states.read(key("a", "news")).urgent


async def test_news_gets_the_next_worker_of_its_evaluator_before_new_objects_that_wait_for_one() -> None:
    queue = WorkQueue(shares=Shares(workers=4, per_evaluator=1))
    entering, taken = list[str](), list[str]()
    all_entering, done = asyncio.Event(), asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        entering.append(key.name)
        if len(entering) == 3:
            all_entering.set()
        await queue.enter(key, "own")
        taken.append(key.name)
        if len(taken) == 1:
            await all_entering.wait()
            queue.add(ObjectKey("nemoevaljobs", "a", "news"), urgent=True, lane="own")
        if len(taken) == 4:
            done.set()
        return None

    workers = [asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60))) for _ in range(5)]
    for name in ("one", "two", "three"):
        queue.add(key("a", name))
    await asyncio.wait_for(done.wait(), 10)
    await queue.drain(10)
    for worker in workers:
        worker.cancel()
    assert taken[:2] == ["one", "news"]


async def test_a_priority_that_is_taken_back_counts_no_more() -> None:
    queue = WorkQueue()
    queue.add(key("a", "old"))
    queue.prioritise(key("a", "replaced"), 20)
    queue.prioritise(key("a", "replaced"), 0)
    queue.add(key("a", "replaced"))

    assert await order_of(queue, 2) == ["a/old", "a/replaced"]


async def test_a_key_that_is_added_often_comes_once() -> None:
    queue = WorkQueue()
    for _ in range(3):
        queue.add(key("a", "one"))
    queue.add(key("a", "two"))

    assert await order_of(queue, 2) == ["a/one", "a/two"]


async def test_a_key_that_is_added_while_it_is_at_work_comes_again_and_never_twice_at_once() -> None:
    queue, at_work, most = WorkQueue(), 0, 0
    looks: list[ObjectKey] = []
    again = asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        if not looks:
            queue.add(key)
            queue.add(key)
        await asyncio.sleep(0)
        at_work -= 1
        looks.append(key)
        if len(looks) == 2:
            again.set()
        return None

    workers = [asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60))) for _ in range(4)]
    queue.add(key("a", "one"))
    await asyncio.wait_for(again.wait(), 10)
    await queue.drain(10)
    for worker in workers:
        worker.cancel()

    assert (most, len(looks)) == (1, 2)


async def test_a_key_is_held_from_when_it_is_added_until_nothing_is_left_to_do_about_it() -> None:
    queue, one, held = WorkQueue(), key("a", "one"), []
    ended = asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        held.append(queue.holds(key))
        if len(held) == 1:
            raise RetryLater(at_most=0.01)
        ended.set()
        return None

    assert not queue.holds(one)
    queue.add(one)
    assert queue.holds(one)
    worker = asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60)))
    await asyncio.wait_for(ended.wait(), 10)
    await queue.drain(10)
    worker.cancel()

    assert held == [True, True]
    assert not queue.holds(one)


async def test_a_key_that_waits_for_its_time_is_held() -> None:
    queue = WorkQueue()
    queue.add_after(key("a", "one"), 3600)
    assert queue.holds(key("a", "one"))


async def test_an_evaluator_that_answers_slowly_holds_only_its_share_of_the_workers() -> None:
    def evaluator_of(key: ObjectKey) -> str:
        return "slow" if key.namespace == "slow" else "quick"

    queue, slow, quick_done = (
        WorkQueue(lane_of=evaluator_of, shares=Shares(per_evaluator=2)),
        0,
        asyncio.Event(),
    )
    answer, slow_done = asyncio.Event(), asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        nonlocal slow
        if evaluator_of(key) == "slow":
            slow += 1
            await answer.wait()
            if slow == 100:
                slow_done.set()
        elif key.name == "last":
            quick_done.set()
        return None

    for number in range(100):
        queue.add(key("slow", f"job-{number}"))
    for name in ("first", "second", "last"):
        queue.add(key("other", name))
    workers = [asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60))) for _ in range(3)]
    await asyncio.wait_for(quick_done.wait(), 10)

    assert slow == 2
    answer.set()
    await asyncio.wait_for(slow_done.wait(), 10)
    for worker in workers:
        worker.cancel()


class Slow:
    """Evaluators that answer when the test releases them; a key's namespace names its evaluator."""

    def __init__(self, workers: int, *, per_evaluator: int) -> None:
        shares = Shares(workers=workers, per_evaluator=per_evaluator)
        self.queue = WorkQueue(shares=shares)
        self.asked: list[ObjectKey] = []
        self.answer, self.news = asyncio.Event(), asyncio.Event()
        self.quick: set[str] = set()
        self.tasks = [
            asyncio.create_task(self.queue.work(self.reconcile, heartbeat=Heartbeat(60)))
            for _ in range(shares.loops)
        ]

    async def reconcile(self, key: ObjectKey) -> float | None:
        lane = "own" if key.namespace.startswith("own") else f"{key.namespace}/{key.name.partition('-')[0]}"
        await self.queue.enter(key, lane)
        self.asked.append(key)
        self.news.set()
        if key.namespace not in self.quick:
            await self.answer.wait()
        return None

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():
                await self.news.wait()
                self.news.clear()

    def of(self, namespace: str) -> int:
        return sum(key.namespace == namespace for key in self.asked)


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    made = Slow(8, per_evaluator=6)
    yield made
    for task in made.tasks:
        task.cancel()


async def test_one_connection_leaves_workers_for_the_others_of_its_namespace(slow: Slow) -> None:
    for number in range(50):
        slow.queue.add(key("one", f"tarpit-{number}"))
    await slow.until(lambda: slow.of("one") == 4)
    slow.queue.add(key("one", "other-1"))

    await slow.until(lambda: slow.of("one") == 5)


async def test_all_connections_of_a_namespace_share_one_bound(slow: Slow) -> None:
    for number in range(50):
        slow.queue.add(key("one", f"tarpit{number}-job"))
    await slow.until(lambda: slow.of("one") == 6)
    slow.queue.add(key("other", "tarpit-job"))
    slow.queue.add(key("own", "job"))

    await slow.until(lambda: slow.of("other") == slow.of("own") == 1)
    assert slow.of("one") == 6


async def test_tarpits_of_many_namespaces_leave_a_worker_to_each_further_one(slow: Slow) -> None:
    for namespace in range(60):
        for number in range(8):
            slow.queue.add(key(f"tenant-{namespace}", f"tarpit{number}-job"))
    await slow.until(lambda: len({key.namespace for key in slow.asked}) == 60)
    slow.queue.add(key("latecomer", "evaluator-job"))
    for number in range(10):
        slow.queue.add(key("own", f"job-{number}"))

    await slow.until(lambda: slow.of("latecomer") == 1 and slow.of("own") == 6)


async def test_who_had_to_wait_in_its_lane_is_served_when_there_is_room(slow: Slow) -> None:
    for number in range(50):
        slow.queue.add(key("one", f"job-{number}"))
    await slow.until(lambda: slow.of("one") == 4)
    slow.answer.set()

    await slow.until(lambda: slow.of("one") == 50)
    assert len(set(slow.asked)) == 50


async def test_first_reads_of_one_namespace_that_hang_leave_workers_for_another() -> None:
    shares = Shares(workers=3, per_evaluator=2)
    queue, hung, done = WorkQueue(shares=shares), asyncio.Event(), asyncio.Event()

    async def reconcile(key: ObjectKey) -> float | None:
        await (hung.wait() if key.namespace == "large" else asyncio.sleep(0))
        if key.namespace == "small":
            done.set()
        return None

    for number in range(50):
        queue.add(key("large", f"job-{number}"))
    workers = [
        asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60))) for _ in range(shares.loops)
    ]
    await asyncio.sleep(0)
    queue.add(key("small", "job"))

    await asyncio.wait_for(done.wait(), 10)
    for worker in workers:
        worker.cancel()

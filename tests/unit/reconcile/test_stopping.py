"""Graceful shutdown: the work in progress, and what a deletion still waits for."""

from __future__ import annotations

import asyncio

import pytest

from nemo_eval_operator.evaluator.model import Ambiguous
from nemo_eval_operator.kube import KubeUnavailable, ObjectKey
from nemo_eval_operator.reconcile.deadline import limit
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.workqueue import RetryLater, WorkQueue
from nemo_eval_operator.workqueue import queue as queue_module

FIRST, SECOND = (ObjectKey("nemoevaljobs", "team-a", name) for name in ("first", "second"))


class Work:
    """Goes on when the test lets it."""

    def __init__(self) -> None:
        self.begun: list[ObjectKey] = []
        self.done: list[ObjectKey] = []
        self.at_work, self.may_end = asyncio.Event(), asyncio.Event()

    async def reconcile(self, key: ObjectKey) -> float | None:
        self.begun.append(key)
        self.at_work.set()
        await self.may_end.wait()
        self.done.append(key)
        return None


async def test_what_is_at_work_is_finished_and_nothing_more_is_taken_up() -> None:
    queue, work = WorkQueue(), Work()
    worker = asyncio.create_task(queue.work(work.reconcile, heartbeat=Heartbeat(60)))
    queue.add(FIRST)
    await work.at_work.wait()
    queue.add(SECOND)

    drained = asyncio.create_task(queue.drain(60))
    await asyncio.sleep(0)
    work.may_end.set()
    await drained
    await worker

    assert (work.begun, work.done) == ([FIRST], [FIRST])


async def test_an_idle_worker_takes_up_nothing_either() -> None:
    queue, work = WorkQueue(), Work()
    worker = asyncio.create_task(queue.work(work.reconcile, heartbeat=Heartbeat(60)))
    await asyncio.sleep(0)

    await queue.drain(60)
    queue.add(FIRST)
    await worker

    assert work.begun == []


async def test_a_submission_that_never_ends_is_waited_for_within_a_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue, work = WorkQueue(), Work()
    worker = asyncio.create_task(queue.work(work.reconcile, heartbeat=Heartbeat(60)))
    queue.add(FIRST)
    await work.at_work.wait()

    with queue.uninterrupted(FIRST):
        await queue.drain(0.01)

    assert "not submitted within 0 s: nemoevaljobs team-a/first" in caplog.text
    worker.cancel()


async def test_a_submission_is_waited_for_and_a_call_that_hangs_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_module, "QUICK_SECONDS", 0.01)
    queue, begun, may_end = WorkQueue(), asyncio.Semaphore(0), asyncio.Event()
    submitted: list[ObjectKey] = []

    async def reconcile(key: ObjectKey) -> float | None:
        if key == SECOND:
            begun.release()
            await asyncio.Event().wait()
        with queue.uninterrupted(key):
            begun.release()
            await may_end.wait()
            submitted.append(key)
        return None

    workers = [asyncio.create_task(queue.work(reconcile, heartbeat=Heartbeat(60))) for _ in range(2)]
    for key in (FIRST, SECOND):
        queue.add(key)
        await begun.acquire()

    drained = asyncio.create_task(queue.drain(3600))
    done, _ = await asyncio.wait({drained}, timeout=0.2)
    assert not done, "the submission is under way"
    may_end.set()
    await asyncio.wait_for(drained, 60)

    assert submitted == [FIRST]
    for worker in workers:
        worker.cancel()


async def test_a_deletion_that_has_no_time_left_still_gives_each_call_a_try() -> None:
    async with limit(0.0):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "error", [KeyError("secret"), TypeError(), UnicodeEncodeError("ascii", "é", 0, 1, "")]
)
async def test_in_a_deletion_whatever_is_raised_counts_as_a_failed_call(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Ambiguous, match=f"internal error .{type(error).__name__}"):
        async with limit(0.0):
            raise error
    assert "in test_in_a_deletion" in caplog.text
    assert "secret" not in caplog.text
    with pytest.raises(type(error)):
        async with limit(None):
            raise error


@pytest.mark.parametrize("error", [KubeUnavailable("down"), RetryLater(), Ambiguous("reset")])
async def test_in_a_deletion_what_has_a_meaning_keeps_it(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        async with limit(60.0):
            raise error

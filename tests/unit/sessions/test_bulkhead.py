"""A loop that fails is that evaluator's trouble: logged, shown, restarted, and nobody else's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import Bulkhead

CANARY = "sk-canary-5f2e"


class Loop:
    """A loop that fails as often as it has errors, and then runs until cancelled."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.runs = asyncio.Event()

    async def run(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.runs.set()
        await asyncio.Event().wait()


class Change:
    """Set by each change; `until` waits for one after which a condition holds."""

    def __init__(self) -> None:
        self.happened = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await self.happened.wait()
                self.happened.clear()


@pytest.fixture
def change() -> Change:
    return Change()


def bulkhead(change: Change, failed: list[str] | None = None, *, proven: float = 60.0) -> Bulkhead:
    return Bulkhead(
        "team-a/main",
        on_failure=(failed if failed is not None else []).append,
        on_change=change.happened.set,
        first_pause=0.001,
        proven=proven,
    )


async def test_a_loop_that_fails_is_restarted_until_it_runs_and_is_cancelled_as_any_other(
    change: Change, caplog: pytest.LogCaptureFixture
) -> None:
    failed: list[str] = []
    one = bulkhead(change, failed)
    loop = Loop(KeyError(CANARY), ExceptionGroup(CANARY, [ValueError(CANARY)]), asyncio.CancelledError())
    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(one.run("poller", loop.run, Heartbeat(60)))
        await loop.runs.wait()
    assert failed == ["poller"] * 3
    assert one.failure is not None
    assert "poller (CancelledError)" in one.failure
    assert "KeyError" in caplog.text
    assert "in run" in caplog.text, "the trace leads to where it was raised"
    assert CANARY not in caplog.text + one.failure
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_loop_that_has_run_for_a_while_counts_as_recovered(change: Change) -> None:
    one = bulkhead(change, proven=0.05)
    task = asyncio.create_task(one.run("breaker", Loop(RuntimeError()).run, Heartbeat(60)))
    await change.until(lambda: one.failure is not None)
    await change.until(lambda: one.failure is None)
    task.cancel()


async def test_a_loop_that_ends_as_it_should_is_not_restarted(change: Change) -> None:
    results: list[Callable[[], Awaitable[None]]] = []
    one = bulkhead(change)

    async def take() -> None:
        results.append(take)
        if len(results) == 1:
            raise RuntimeError

    await one.run("recount", take, Heartbeat(60))
    assert len(results) == 2
    assert one.failure is None


async def test_a_loop_that_waits_for_its_restart_does_not_count_as_stuck(change: Change) -> None:
    heartbeat = Heartbeat(0.0)
    one = Bulkhead(on_change=change.happened.set)

    async def fail() -> None:
        heartbeat.beat()
        raise RuntimeError

    task = asyncio.create_task(one.run("breaker", fail, heartbeat))
    await change.until(lambda: one.failure is not None)
    assert heartbeat.overdue == 0
    task.cancel()

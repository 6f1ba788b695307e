"""Groups share turns fairly: how many callers one of them has changes nothing for the others."""

from __future__ import annotations

import asyncio

import pytest

from nemo_eval_operator.fair_turns import FairTurns


class Resource:
    """Callers that hold their turns until the test ends them; `began` has their names in order."""

    def __init__(self, limit: int) -> None:
        self.turns = FairTurns(limit)
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def call(self, *names: str) -> list[asyncio.Task[None]]:
        """Start a caller for each name, which is the group and a number."""
        tasks = [asyncio.create_task(self._hold(name)) for name in names]
        await settle()
        return tasks

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()

    async def _hold(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.began.append(name)
            await self._ends.setdefault(name, asyncio.Event()).wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_group_leaves_a_turn_to_others() -> None:
    resource = Resource(limit=3)
    await resource.call("a1", "a2", "a3", "a4")
    assert resource.began == ["a1", "a2"]
    await resource.call("b1")
    assert resource.began == ["a1", "a2", "b1"]


async def test_groups_take_turns_however_many_callers_one_has() -> None:
    resource = Resource(limit=1)
    await resource.call("a1", "a2", "a3", "b1", "c1")
    for name in ("a1", "a2", "b1", "c1"):
        await resource.end(name)
    assert resource.began == ["a1", "a2", "b1", "c1", "a3"]


async def test_a_group_that_comes_later_does_not_wait_for_all_callers_of_another() -> None:
    resource = Resource(limit=2)
    await resource.call(*(f"a{number}" for number in range(9)))
    await resource.call("b1", "b2")
    await resource.end("b1")
    assert resource.began == ["a0", "b1", "b2"]


@pytest.mark.parametrize("cancelled", ["a2", "b1"])
async def test_callers_that_are_cancelled_leave_nothing_behind(cancelled: str) -> None:
    resource = Resource(limit=1)
    names = ("a1", "a2", "b1")
    tasks = dict(zip(names, await resource.call(*names), strict=True))
    tasks[cancelled].cancel()
    await settle()
    await resource.end("a1")
    (left,) = {"a2", "b1"} - {cancelled}
    assert resource.began == ["a1", left]


async def test_a_turn_that_begins_as_its_caller_is_cancelled_goes_to_the_next() -> None:
    turns = FairTurns(1)
    await turns.acquire("a")
    waiting = asyncio.create_task(turns.acquire("b"))
    await settle()
    turns.release("a")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(10):
        await turns.acquire("c")

"""Watches that end are started again, and only when the API server serves the kinds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import kopf
import pytest

from nemo_eval_operator import watching
from nemo_eval_operator.resources import LabelSelector


class NotFoundError(Exception):
    """As Kopf reports a kind that the API server does not serve."""

    status = 404


async def watch(*, until_served: Callable[[], Coroutine[Any, Any, None]]) -> None:
    await watching.watch_until_stopped(
        None,  # type: ignore[arg-type]  # only Kopf uses it
        namespaces=[],
        selector=LabelSelector(),
        on_restart=lambda: None,
        until_served=until_served,
    )


async def served() -> None:
    """The API server has the kinds."""


async def test_after_the_crds_were_deleted_one_line_says_so_and_the_watches_wait_for_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE_SECONDS", 0.01)
    crds, waits, begun = asyncio.Event(), asyncio.Event(), 0

    async def fake_watch(_context: Any, stop: asyncio.Event, *_: Any) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise NotFoundError("nemoevaljobs: not found")
        stop.set()

    async def until_served() -> None:
        waits.set()
        await crds.wait()

    monkeypatch.setattr(watching, "_watch", fake_watch)
    caplog.set_level(logging.WARNING)
    running = asyncio.create_task(watch(until_served=until_served))
    await asyncio.wait_for(waits.wait(), 60)
    assert begun == 1
    assert not any(record.exc_info for record in caplog.records), "no traceback"
    crds.set()
    await asyncio.wait_for(running, 60)
    assert begun == 2


IGNORES_A_CANCELLATION = """
async def watch():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass
    await asyncio.Event().wait()
"""
"""As Kopf's watch does, where its request and its wait for a pause are cancelled in the same turn."""


async def test_a_task_of_kopf_that_ignores_a_cancellation_does_not_keep_the_watches_from_being_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code: dict[str, Any] = {"asyncio": asyncio}
    exec(compile(IGNORES_A_CANCELLATION, watching.KOPF_DIRECTORY + "/watch.py", "exec"), code)  # noqa: S102
    watches: list[asyncio.Task[None]] = []

    async def spawn_tasks(*, stop_flag: asyncio.Event, **_: Any) -> list[asyncio.Task[None]]:
        async def fails() -> None:
            raise NotFoundError("the watch")

        if watches:
            stop_flag.set()
        watches.append(asyncio.create_task(code["watch"]()))
        await asyncio.sleep(0)
        return [asyncio.create_task(fails())]

    monkeypatch.setattr(kopf, "spawn_tasks", spawn_tasks)
    monkeypatch.setattr(watching, "CANCELLATION_SECONDS", 0.01)
    monkeypatch.setattr(watching, "FIRST_PAUSE_SECONDS", 0.01)
    other = asyncio.create_task(asyncio.Event().wait())
    await asyncio.wait_for(watch(until_served=served), 60)
    assert [task.cancelled() for task in watches] == [True, True]
    assert not other.done(), "tasks of others go on"
    other.cancel()

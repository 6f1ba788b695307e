"""Watches that end are started again, and only when the API server serves the kinds."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from nemo_eval_operator import watching
from nemo_eval_operator.resources import LabelSelector


class NotFoundError(Exception):
    """As Kopf reports a kind that the API server does not serve."""

    status = 404


async def test_after_the_crds_were_deleted_one_line_says_so_and_the_watches_wait_for_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE_SECONDS", 0.01)
    served, waits, begun = asyncio.Event(), asyncio.Event(), 0

    async def watch(_context: Any, stop: asyncio.Event, *_: Any) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise NotFoundError("nemoevaljobs: not found")
        stop.set()

    async def until_served() -> None:
        waits.set()
        await served.wait()

    monkeypatch.setattr(watching, "_watch", watch)
    caplog.set_level(logging.WARNING)
    running = asyncio.create_task(
        watching.watch_until_stopped(
            None,  # type: ignore[arg-type]  # only _watch uses it
            namespaces=[],
            selector=LabelSelector(),
            on_restart=lambda: None,
            until_served=until_served,
        )
    )
    await asyncio.wait_for(waits.wait(), 60)
    assert begun == 1
    assert not any(record.exc_info for record in caplog.records), "no traceback"
    served.set()
    await asyncio.wait_for(running, 60)
    assert begun == 2

"""Remote jobs without an object have slots; those that an evaluator makes up take none of another's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from nemo_eval_operator.kube import KubeClient, OverHttpx
from nemo_eval_operator.lifecycle.job import JobSnapshot
from nemo_eval_operator.resources import LabelSelector, ObjectMeta
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import JobLists, RecountTurns, SlotRecount, slot_watch

from .test_slot_watch import KEY, MARK, Stage, job

FUTURE = datetime.now(UTC) + timedelta(days=3650)


async def recounted(stage: Stage, evaluator: Any, connection: str | None) -> None:
    """Let `evaluator` count, on a cluster without any object."""
    nothing = httpx.MockTransport(
        lambda request: httpx.Response(
            200 if request.url.path.endswith("/nemoevaljobs") else 404, json={"items": []}
        )
    )
    kube = KubeClient(OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=nothing)))
    recount = SlotRecount(
        kube=kube,
        lists=JobLists(kube, (), LabelSelector()),
        evaluator=evaluator,
        slots=stage.shared,
        turns=RecountTurns(),
        connection=ObjectMeta(name="evil", namespace="team-b", uid="evil") if connection else None,
        namespaces=(),
        cluster="",
        settle=0,
        heartbeat=Heartbeat(60),
    )
    task = asyncio.create_task(recount.run())
    async with asyncio.timeout(10):
        while not len(evaluator.tracker):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
    task.cancel()


async def test_jobs_that_another_path_of_the_administrators_host_lists_take_no_slot_there() -> None:
    stage = Stage()
    stage.states = {f"made-up-{number}": "running" for number in range(20)}
    stage.marks = {name: MARK | {"k8s-connection": "team-b/evil"} for name in stage.states}

    await recounted(stage, stage.evil, "team-b/evil")
    assert (stage.slots.taken, stage.is_free()) == (0, True)

    await recounted(stage, stage.own, None)
    assert stage.slots.taken == 20, "what the administrator's own client lists has slots"


@pytest.mark.parametrize("since", [FUTURE, datetime(2026, 3, 1, tzinfo=UTC)], ids=["future", "past"])
async def test_a_time_in_the_future_does_not_keep_a_slot_from_being_checked(
    since: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_watch, "UNSEEN_SECONDS", 60)
    stage = Stage()
    stage.states["eval-1"] = "completed"
    running = job("first", jobId="eval-1", submission={"nonce": "n", "time": since.isoformat()})
    stage.mine.slot_pool.note(running)
    stage.mine.tracker.follow(KEY, "eval-1", JobSnapshot("active", None), since=since)
    assert not stage.is_free()

    await stage.look()

    assert stage.is_free()

"""The poller before an evaluator in memory: how many requests a sweep takes, and what it finds."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.model import RemoteJob, Unavailable
from nemo_eval_operator.kube import KubeClient, ObjectKey, OverHttpx
from nemo_eval_operator.lifecycle.job import JobSnapshot, RemoteGone, RemoteUnclear
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import SlotPool
from nemo_eval_operator.sessions.orphans import Orphans
from tests.unit.sessions.polled_evaluator import FEW, JOBS, MANY, NOW, Evaluator, key, stage


async def test_few_jobs_are_asked_for_one_by_one() -> None:
    asked = await stage(FEW).poll()

    assert sorted(asked.gets) == [f"eval-{number}" for number in range(FEW)]
    assert asked.lists == []


async def test_many_jobs_are_on_one_list_for_each_live_state() -> None:
    asked = await stage(MANY).poll()

    assert [params["filter[status]"] for params in asked.lists] == ["created", "pending", "running"]
    assert {params["page_size"] for params in asked.lists} == {"1000"}
    assert asked.gets == []


async def test_ten_thousand_jobs_take_twelve_requests() -> None:
    asked = await stage(10_000).poll()

    assert (len(asked.lists), len(asked.gets)) == (12, 0)


async def test_few_due_among_many_are_asked_for_one_by_one() -> None:
    made = stage(FEW)
    for number in range(MANY):
        made.evaluator.add(f"slow-{number}")
        made.follow(f"slow-{number}", every=3600)
    await made.poll()
    asked = await made.poll()

    assert sorted(asked.gets) == [f"eval-{number}" for number in range(FEW)]
    assert asked.lists == []


async def test_without_jobs_nothing_is_asked() -> None:
    asked = await stage(0).poll()

    assert (asked.gets, asked.lists) == ([], [])


async def test_a_job_that_has_left_the_live_states_is_asked_for_and_reported() -> None:
    made = stage(MANY)
    made.evaluator.jobs["eval-7"]["status"] = "completed"
    asked = await made.poll()

    assert asked.gets == ["eval-7"]
    assert made.news() == ["eval-7"]


async def test_a_job_is_not_asked_for_again_before_its_news_was_taken() -> None:
    made = stage(FEW)
    made.evaluator.jobs["eval-1"]["status"] = "completed"
    assert "eval-1" in (await made.poll()).gets
    assert "eval-1" not in (await made.poll()).gets

    assert made.tracker.take_news(key("eval-1"), "eval-1")
    assert "eval-1" in (await made.poll()).gets


async def test_a_job_that_has_ended_is_not_read_again_while_its_object_is_reconciled() -> None:
    made = stage(FEW)
    made.evaluator.jobs["eval-1"]["status"] = "completed"
    await made.poll()
    reconciling, finish = asyncio.Event(), asyncio.Event()

    async def reconcile(of: ObjectKey) -> None:
        made.tracker.take_news(of, of.name)
        reconciling.set()
        await finish.wait()

    working = asyncio.create_task(made.queue.work(reconcile, heartbeat=Heartbeat(60)))
    await asyncio.wait_for(reconciling.wait(), 10)
    assert "eval-1" not in (await made.poll()).gets
    finish.set()
    await made.queue.drain(10)
    working.cancel()
    assert "eval-1" in (await made.poll()).gets, "its status was not written"


async def test_a_job_that_stands_as_its_status_says_is_no_news() -> None:
    for count in (FEW, MANY):
        made = stage(count)
        await made.poll()
        assert made.news() == []


async def test_a_job_is_gone_when_it_was_missed_twice() -> None:
    made = stage(MANY)
    del made.evaluator.jobs["eval-7"]

    await made.poll()
    assert made.news() == []
    await made.poll()
    assert made.news() == ["eval-7"]
    assert isinstance(made.tracker.take_news(key("eval-7"), "eval-7"), RemoteGone)


async def test_a_job_that_is_missed_again_and_again_is_read_less_and_less_often() -> None:
    made = stage(0)
    # One that may be at the address that the evaluator had before stays tracked.
    made.follow("elsewhere", every=60)
    (followed,) = made.tracker
    waits = []
    for _ in range(9):
        followed.due = 0
        await made.poll()
        made.tracker.take_news(key("elsewhere"), "elsewhere")
        waits.append(made.wait("elsewhere"))
    assert max(waits[:2]) < 70
    assert waits[4] > 3 * max(waits[:2])
    assert 20 * 60 < waits[-1] < 40 * 60


async def test_an_evaluator_that_falls_silent_is_not_asked_for_every_job() -> None:
    made = stage(MANY)
    for number in range(1, MANY):
        made.evaluator.jobs[f"eval-{number}"]["status"] = "completed"
    made.evaluator.silent = True
    asked = await made.poll()

    assert len(asked.gets) <= 8
    made.evaluator.silent = False
    assert len((await made.poll()).gets) >= MANY - 9


async def test_jobs_that_cannot_be_asked_for_stay_due() -> None:
    made = stage(FEW)
    made.evaluator.answers = False
    with pytest.raises(Unavailable):
        await made.poll()

    made.evaluator.answers = True
    assert len((await made.poll()).gets) == FEW


@pytest.mark.parametrize("others", [0, FEW, MANY])
async def test_an_answer_that_does_not_say_how_a_job_stands_is_reported_once_it_repeats(others: int) -> None:
    made = stage(others)
    made.evaluator.broken.add("odd")
    made.follow("odd", every=2)
    (odd,) = (job for job in made.tracker if job.job_id == "odd")
    reported = []
    for _ in range(3):
        made.tracker.schedule(odd, lambda _: 0)
        await made.poller.try_to_sweep()
        reported.append(made.tracker.take_news(key("odd"), "odd"))
    problem = RemoteUnclear(f"GET {JOBS}/odd answered 500: this one is broken")
    assert reported == [None, problem, problem]

    # Until the status tells it.
    made.tracker.follow(key("odd"), "odd", JobSnapshot("unclear", None), since=NOW)
    made.tracker.schedule(odd, lambda _: 0)
    await made.poller.try_to_sweep()
    assert made.tracker.take_news(key("odd"), "odd") is None

    made.evaluator.broken.clear()
    made.evaluator.add("odd")
    made.tracker.schedule(odd, lambda _: 0)
    await made.poller.try_to_sweep()
    assert isinstance(made.tracker.take_news(key("odd"), "odd"), RemoteJob)


async def test_of_an_evaluator_that_is_away_no_object_says_that_its_job_is_unclear() -> None:
    made = stage(0)
    made.follow("odd", every=2)
    made.evaluator.down = True
    for _ in range(3):
        await made.poller.try_to_sweep()
    assert made.tracker.take_news(key("odd"), "odd") is None


@pytest.mark.parametrize("others", [FEW, MANY])
async def test_a_job_that_alone_cannot_be_asked_for_is_asked_for_more_and_more_rarely(others: int) -> None:
    made = stage(others)
    made.evaluator.broken.add("odd")
    made.follow("odd", every=2)
    (odd,) = (job for job in made.tracker if job.job_id == "odd")
    waits = []
    for _ in range(8):
        made.tracker.schedule(odd, lambda _: 0)
        assert "odd" in (await made.poll()).gets
        made.tracker.take_news(key("odd"), "odd")
        waits.append(made.wait("odd"))
    assert 3 < waits[0] < 5
    assert 6 < waits[1] < 10
    assert 50 < waits[-1] < 71

    made.evaluator.broken.clear()
    made.evaluator.add("odd")
    made.tracker.schedule(odd, lambda _: 0)
    await made.poll()
    assert made.wait("odd") < 3


class CountingHeartbeat(Heartbeat):
    """Notes how many lists the evaluator had answered at each beat."""

    def __init__(self, evaluator: Evaluator) -> None:
        super().__init__(60)
        self._evaluator = evaluator
        self.beats: set[int] = set()

    @override
    def beat(self) -> None:
        super().beat()
        self.beats.add(len(self._evaluator.lists))


class PagesOfNothing(Evaluator):
    """Says that there are many pages, and has no job on any."""

    @override
    def _page(self, params: httpx.QueryParams) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"id": None}], "pagination": {"total_pages": 50}})


async def test_the_poller_is_seen_to_live_at_each_page_also_without_a_job_on_it() -> None:
    """Else the operator is restarted although only its evaluator is slow."""
    evaluator = PagesOfNothing()
    heartbeat = CountingHeartbeat(evaluator)
    asked = await stage(MANY, evaluator, heartbeat=heartbeat).poll()
    assert len(asked.lists) == 150
    assert heartbeat.beats == set(range(151))


async def test_a_census_is_seen_to_live_at_each_page_also_without_a_job_on_it() -> None:
    evaluator = PagesOfNothing()
    made, heartbeat = stage(0, evaluator), CountingHeartbeat(evaluator)
    orphans = Orphans(SlotPool(made.queue, limit=1), made.tracker, connection=None)
    async with httpx.AsyncClient(base_url="http://kubernetes.test") as http:
        await orphans.count(
            KubeClient(OverHttpx(http)),
            made.client,
            namespaces=(),
            cluster="",
            connection=None,
            shared=True,
            heartbeat=heartbeat,
        )
    assert len(evaluator.lists) == 200
    assert heartbeat.beats == set(range(201))

"""The poller before an evaluator in memory: how many requests a sweep takes, and what it finds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.model import RemoteJob, Unavailable
from nemo_eval_operator.kube import KubeClient, ObjectKey, OverHttpx
from nemo_eval_operator.lifecycle.job import JobSnapshot, RemoteGone, RemoteUnclear
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import SlotPool
from nemo_eval_operator.sessions.orphans import Orphans
from tests.unit.sessions.polled_evaluator import FEW, JOBS, MANY, NOW, Evaluator, Stage, key, stage


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


async def test_where_filters_are_ignored_one_list_of_all_is_read_from_then_on() -> None:
    made = stage(MANY, Evaluator(applies_filters=False))
    made.evaluator.add("long-ago", "completed")

    first = await made.poll()
    assert len(first.lists) == 3
    await made.poll()
    third = await made.poll()
    assert [params.get("filter[status]") for params in third.lists] == [None]
    assert third.gets == []


async def test_a_job_that_ends_between_filter_and_answer_does_not_make_filters_ignored() -> None:
    made = stage(MANY)
    made.evaluator.late = {"eval-7"}
    await made.poll()
    made.evaluator.late = set()

    asked = await made.poll()
    assert [params.get("filter[status]") for params in asked.lists] == ["created", "pending", "running"]


async def test_filters_that_are_heeded_again_are_used_again() -> None:
    made = stage(MANY, Evaluator(applies_filters=False), fallback=0)
    made.evaluator.add("long-ago", "completed")
    for _ in range(3):
        await made.poll()
    made.evaluator.applies_filters = True

    asked = await made.poll()
    assert [params.get("filter[status]") for params in asked.lists] == ["created", "pending", "running"]
    assert asked.gets == []


async def test_where_filters_are_ignored_a_finished_job_is_reported_from_the_list() -> None:
    made = stage(MANY, Evaluator(applies_filters=False))
    made.evaluator.jobs["eval-7"]["status"] = "failed"
    asked = await made.poll()

    assert made.news() == ["eval-7"]
    assert asked.gets == []


async def test_where_large_pages_are_refused_smaller_ones_are_asked_for() -> None:
    made = stage(250, Evaluator(largest_page=100))

    first = await made.poll()
    assert first.gets == []
    assert [params["page_size"] for params in first.lists][:2] == ["1000", "100"]
    second = await made.poll()
    assert [(params["filter[status]"], params["page_size"]) for params in second.lists] == [
        ("created", "100"),
        ("pending", "100"),
        ("running", "100"),
        ("running", "100"),
        ("running", "100"),
    ]
    assert second.gets == []


async def test_where_a_page_is_too_large_to_be_read_smaller_ones_are_asked_for() -> None:
    made = stage(300, Evaluator(padding="x" * 30_000))

    assert (await made.poll()).gets == []
    second = await made.poll()
    assert {params["page_size"] for params in second.lists} == {"100"}
    assert second.gets == []


async def test_large_pages_are_asked_for_again_after_a_while() -> None:
    made = stage(250, Evaluator(largest_page=100), fallback=0)
    await made.poll()
    made.evaluator.largest_page = 1000

    assert {params["page_size"] for params in (await made.poll()).lists} == {"1000"}


async def test_an_evaluator_that_falls_silent_is_not_asked_for_every_job() -> None:
    made = stage(MANY)
    for number in range(1, MANY):
        made.evaluator.jobs[f"eval-{number}"]["status"] = "completed"
    made.evaluator.silent = True
    asked = await made.poll()

    assert len(asked.gets) <= 8
    made.evaluator.silent = False
    assert len((await made.poll()).gets) >= MANY - 9


async def test_times_at_the_ends_of_time_are_no_times() -> None:
    made = stage(MANY)
    made.evaluator.jobs["eval-7"]["created_at"] = "0001-01-01T00:00:00Z"
    made.evaluator.jobs["eval-8"]["created_at"] = "9999-12-31T23:59:59-12:00"
    assert (await made.poll()).gets == []
    assert (await made.poll()).gets == ["eval-7"], "which a filter by time leaves out"


async def test_where_no_page_is_given_jobs_are_asked_for_one_by_one() -> None:
    made = stage(MANY, Evaluator(largest_page=0))
    for _ in range(5):
        asked = await made.poll()
        assert len(asked.gets) == MANY


@pytest.mark.parametrize("behind", [timedelta(), timedelta(hours=1), timedelta(hours=-1)])
async def test_lists_begin_with_the_oldest_job_that_is_due_by_the_evaluators_clock(behind: timedelta) -> None:
    made = Stage(Evaluator())
    made.evaluator.add("long-ago", "running", created=NOW - behind - timedelta(days=30))
    for number in range(MANY):
        made.evaluator.add(f"eval-{number}", created=NOW - behind)
        made.follow(f"eval-{number}")
    first = await made.poll()
    assert {params.get("filter[created_at][gte]") for params in first.lists} == {None}

    made.evaluator.add("new", created=NOW - behind + timedelta(seconds=60))
    made.follow("new", since=NOW + timedelta(seconds=60))
    second = await made.poll()
    since = (NOW - behind).replace(tzinfo=None).isoformat()
    assert {params["filter[created_at][gte]"] for params in second.lists} == {since}
    assert second.gets == []


async def test_a_clock_that_is_set_back_costs_a_request_and_no_job() -> None:
    made = stage(MANY)
    await made.poll()
    made.evaluator.add("new", created=NOW - timedelta(hours=1))
    made.follow("new")

    assert (await made.poll()).gets == ["new"]
    assert made.news() == []


async def test_jobs_that_cannot_be_asked_for_stay_due() -> None:
    made = stage(FEW)
    made.evaluator.answers = False
    with pytest.raises(Unavailable):
        await made.poll()

    made.evaluator.answers = True
    assert len((await made.poll()).gets) == FEW


async def test_a_list_is_used_for_all_that_are_on_it_due_or_not() -> None:
    made = stage(MANY)
    made.evaluator.add("slow")
    made.follow("slow", every=100)
    await made.poll()
    made.tracker.schedule(next(job for job in made.tracker if job.job_id == "slow"), lambda _: 50)
    made.evaluator.jobs["slow"]["status_details"] = {"progress": 40}
    asked = await made.poll()

    assert asked.gets == []
    assert made.news() == ["slow"]
    assert made.wait("slow") > 50, "it was looked at, and so not in 50 s"


async def test_a_list_is_used_for_each_object_that_follows_the_same_remote_job() -> None:
    made = stage(MANY)
    for follower in ("another", "a-third"):
        made.tracker.follow(key(follower), "eval-0", JobSnapshot("queued", None), since=NOW)
    evaluator = await made.poll()

    assert evaluator.gets == []
    assert {"another", "a-third"} <= set(made.news())


async def test_jobs_that_were_seen_together_are_due_together() -> None:
    made = Stage(Evaluator())
    for number in range(MANY):
        made.evaluator.add(f"eval-{number}")
        made.follow(f"eval-{number}", every=100)
    await made.poll()
    waits = [made.wait(job.job_id) for job in made.tracker]

    assert min(waits) > 80
    assert max(waits) - min(waits) < 2, "each by itself, they would be spread over 20 s"


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

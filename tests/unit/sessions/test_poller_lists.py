"""The lists of the poller before an evaluator in memory: filters, pages and the clock of their start."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nemo_eval_operator.lifecycle.job import JobSnapshot
from tests.unit.sessions.polled_evaluator import MANY, NOW, Evaluator, Stage, key, stage


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


async def test_filters_that_are_applied_again_are_used_again() -> None:
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

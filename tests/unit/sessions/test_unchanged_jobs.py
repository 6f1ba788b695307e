"""A sweep over jobs that go on as their objects' statuses say reads none of them, and misses no change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nemo_eval_operator.evaluator.http import ListedJob
from nemo_eval_operator.evaluator.model import RemoteJob
from nemo_eval_operator.lifecycle.job import JobSnapshot, RemoteGone
from tests.unit.sessions.polled_evaluator import MANY, NOW, RUNNING, Stage, key, stage


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of listed jobs that were read, in order."""
    ids: list[str] = []
    original = ListedJob.read

    def reading(self: ListedJob) -> RemoteJob:
        ids.append(self.id)
        return original(self)

    monkeypatch.setattr(ListedJob, "read", reading)
    return ids


async def idle(read: list[str]) -> Stage:
    """Jobs that were swept once, and not changed since."""
    made = stage(MANY)
    await made.poll()
    read.clear()
    return made


async def test_an_unchanged_job_is_read_once(read: list[str]) -> None:
    made = stage(MANY)
    for _ in range(3):
        await made.poll()
    assert sorted(read) == sorted(made.evaluator.jobs)
    assert made.news() == []


async def test_a_job_that_is_not_read_is_due_as_one_that_is(read: list[str]) -> None:
    made = stage(MANY)
    made.follow("eval-7", since=NOW - timedelta(hours=1), every=3600.0)
    await made.poll()
    await made.poll()
    assert 3000 < made.wait("eval-7") < 4000
    assert len(read) == MANY


@pytest.mark.parametrize(
    "change",
    [
        {"status": "pending"},
        {"status": "created"},
        {"status_details": {"progress": 1}},
        {"status_details": {"progress": 99.5, "samples_processed": 0}},
        {"status_details": {"samples_processed": 1}},
        {"status_details": {"samples_processed": 12.5, "progress": None}},
    ],
)
async def test_each_change_that_a_status_would_show_is_reported(
    change: dict[str, Any], read: list[str]
) -> None:
    made = await idle(read)
    made.evaluator.jobs["eval-7"] |= change
    await made.poll()

    assert (made.news(), read) == (["eval-7"], ["eval-7"])
    news = made.tracker.take_news(key("eval-7"), "eval-7")
    assert isinstance(news, RemoteJob)
    assert news == RemoteJob.model_validate(made.evaluator.jobs["eval-7"])


async def test_what_the_status_shows_counts_and_not_what_was_listed_before(read: list[str]) -> None:
    """A status that was written from an older answer, or by another replica, is put right."""
    made = await idle(read)
    made.evaluator.jobs["eval-7"]["status_details"] = {"progress": 40}
    await made.poll()
    made.tracker.take_news(key("eval-7"), "eval-7")
    made.tracker.follow(key("eval-7"), "eval-7", JobSnapshot("active", 30), since=NOW, every=0.0)
    read.clear()
    await made.poll()
    assert read == ["eval-7"]
    assert made.tracker.take_news(key("eval-7"), "eval-7")

    made.tracker.follow(key("eval-7"), "eval-7", JobSnapshot("active", 40), since=NOW, every=0.0)
    await made.poll()
    assert read == ["eval-7"], "its status shows it now"


async def test_a_job_on_the_list_of_live_ones_that_has_ended_is_reported(read: list[str]) -> None:
    made = await idle(read)
    ended: list[str] = []
    made.tracker.on_over = lambda _, job_id: ended.append(job_id)
    made.evaluator.late = {"eval-7"}
    await made.poll()
    assert (made.news(), ended) == (["eval-7"], ["eval-7"])


async def test_a_job_that_vanishes_from_the_list_is_noticed_and_its_slot_freed(read: list[str]) -> None:
    made = await idle(read)
    ended: list[str] = []
    made.tracker.on_over = lambda _, job_id: ended.append(job_id)
    await made.poll()
    del made.evaluator.jobs["eval-7"]
    assert ((await made.poll()).gets, ended) == (["eval-7"], [])
    assert ((await made.poll()).gets, ended) == (["eval-7"], ["eval-7"])
    assert isinstance(made.tracker.take_news(key("eval-7"), "eval-7"), RemoteGone)


async def test_a_job_that_is_listed_again_was_not_missed(read: list[str]) -> None:
    made = await idle(read)
    for _ in range(3):
        lost = made.evaluator.jobs.pop("eval-7")
        await made.poll()
        made.evaluator.jobs["eval-7"] = lost
        await made.poll()
    assert made.news() == []


async def test_a_job_without_a_creation_time_is_read_each_time(read: list[str]) -> None:
    """Lists begin with the oldest job, so its time is needed as soon as there is one."""
    made = stage(MANY)
    made.evaluator.jobs["eval-7"]["created_at"] = "soon"
    await made.poll()
    await made.poll()
    assert read.count("eval-7") == 2
    made.evaluator.add("eval-7")
    await made.poll()
    await made.poll()
    assert read.count("eval-7") == 3
    (job,) = (job for job in made.tracker if job.job_id == "eval-7")
    assert job.created_at == NOW


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status_details", []),
        ("status_details", {"progress": [1], "samples_processed": {"a": 1}}),
        ("status_details", {"progress": True, "samples_processed": True}),
        ("status_details", {"progress": 1e300, "samples_processed": 10**400}),
        ("custom_fields", {"k8s-uid": "of another object"}),
        ("updated_at", "2026-05-01T12:00:00"),
        ("message", "still at it"),
        ("config", {"rows": [{}] * 1000}),
    ],
)
async def test_what_no_status_shows_is_no_change(field: str, value: object, read: list[str]) -> None:
    made = await idle(read)
    for job in made.evaluator.jobs.values():
        job[field] = value
    await made.poll()
    assert (read, made.news()) == ([], [])


async def test_a_status_that_is_no_word_is_reported(read: list[str]) -> None:
    made = await idle(read)
    made.evaluator.applies_filters = False
    for status in (["running"], None, {"status": "running"}, "x" * 1_000):
        made.evaluator.jobs["eval-7"]["status"] = status
        await made.poll()
        news = made.tracker.take_news(key("eval-7"), "eval-7")
        assert isinstance(news, RemoteJob)
        assert news.is_unclear
        made.tracker.follow(key("eval-7"), "eval-7", RUNNING, since=NOW, every=0.0)

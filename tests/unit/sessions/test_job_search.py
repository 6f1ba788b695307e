"""One sweep of an evaluator's list answers all look-ups, and no namespace causes sweeps all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError, Malformed, RemoteJob, mark_keys
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.sessions import job_search as search
from nemo_eval_operator.sessions.job_search import Found, JobSearch, LookUpPostponed
from nemo_eval_operator.workqueue import WorkQueue

NOW = datetime.now(UTC)


def key(name: str, namespace: str = "a") -> ObjectKey:
    return ObjectKey("nemoevaljobs", namespace, name)


def pick(jobs: Sequence[RemoteJob]) -> list[RemoteJob]:
    return list(jobs)


class Stage:
    """An evaluator whose list has one job for each of `uids`."""

    def __init__(self, *uids: str) -> None:
        self.uids, self.lists, self.broken = list(uids), 0, False
        transport = httpx.MockTransport(self._answer)
        self.client = EvaluatorClient(
            httpx.AsyncClient(base_url="http://evaluator.test", transport=transport)
        )
        self.queue = WorkQueue()
        self.search = JobSearch(self.queue)

    def _answer(self, _request: httpx.Request) -> httpx.Response:
        self.lists += 1
        if self.broken:
            return httpx.Response(500, json={"detail": "broken"})
        jobs: list[dict[str, Any]] = [
            {"id": f"eval-{uid}", "custom_fields": {"k8s-uid": uid, "k8s-attempt": "1"}} for uid in self.uids
        ]
        jobs.append({"id": "odd", "custom_fields": {"k8s-uid": ["u-1"]}})
        return httpx.Response(200, json={"data": jobs, "pagination": {"page": 1, "total_pages": 1}})

    async def find(self, name: str, namespace: str = "a", *, days: int = 1) -> Found | None:
        """None: postponed."""
        since = NOW - timedelta(days=days)
        try:
            return await self.search.find(
                self.client, key(name, namespace), f"u-{name}", since=since, pick=pick
            )
        except LookUpPostponed:
            return None

    async def until_found(self, name: str, namespace: str) -> Found:
        """As its object does: it comes again when it is told to."""
        since = NOW - timedelta(days=1)
        while True:
            try:
                return await self.search.find(
                    self.client, key(name, namespace), f"u-{name}", since=since, pick=pick
                )
            except LookUpPostponed as later:
                await asyncio.sleep(later.seconds)


async def test_a_thousand_look_ups_at_once_read_the_list_twice() -> None:
    stage = Stage("u-7", "u-8")
    first = await asyncio.gather(*(stage.find(str(number)) for number in range(1000)))
    assert len([found for found in first if found]) == 1, "one leads"
    assert all(stage.queue.holds(key(str(number))) for number in range(1, 1000))

    second = {number: await stage.find(str(number)) for number in range(1, 1000)}

    assert stage.lists == 2
    for number, found in second.items():
        assert found is not None
        assert [job.id for job in found.jobs] == ([f"eval-u-{number}"] if number in {7, 8} else [])


async def test_an_answer_says_when_its_sweep_began_and_is_given_once() -> None:
    stage = Stage("u-1")
    before = datetime.now(UTC)
    await asyncio.gather(stage.find("0"), stage.find("1"))
    between = datetime.now(UTC)
    found = await stage.find("1")
    assert found is not None
    assert before <= found.begun <= between
    assert await stage.find("1") is None, "the next one needs another sweep"


async def test_a_namespace_that_looks_all_the_time_reads_the_list_once_in_a_while_and_delays_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "REST_SECONDS", 0.0)
    stage = Stage()
    assert await stage.find("0", "hostile")
    for number in range(1, 1000):
        assert await stage.find(str(number), "hostile") is None
    read = stage.lists

    await stage.until_found("honest", "b")
    assert stage.lists == read + 2


async def test_whoever_needs_a_longer_list_waits_for_its_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a namespace with old objects would make the sweeps of all others long."""
    monkeypatch.setattr(search, "REST_SECONDS", 0.0)
    stage = Stage()
    await stage.find("0", "hostile")
    assert await stage.find("old", "hostile", days=1000) is None

    await stage.until_found("honest", "b")
    assert await stage.find("old", "hostile", days=1000) is None, "not a part of the short sweep"


async def test_a_sweep_that_fails_or_is_cancelled_wakes_those_who_wait() -> None:
    for failing in (True, False):
        stage = Stage()
        stage.broken = failing
        leader = asyncio.create_task(stage.find("0"))
        await asyncio.sleep(0)
        assert await stage.find("1") is None
        if not failing:
            leader.cancel()
        with pytest.raises((EvaluatorError, asyncio.CancelledError)):
            await leader
        assert stage.queue.holds(key("1"))


async def test_an_object_of_another_uid_does_not_get_the_answer() -> None:
    stage = Stage("u-1")
    await asyncio.gather(stage.find("0"), stage.find("1"))
    with pytest.raises(LookUpPostponed):
        await stage.search.find(stage.client, key("1"), "another", since=NOW, pick=pick)


class ManyJobs(Stage):
    """An evaluator that lists so many jobs of each object, each with all that an answer may hold."""

    def __init__(self, count: int, *uids: str) -> None:
        super().__init__(*uids)
        self.count = count

    @override
    def _answer(self, _request: httpx.Request) -> httpx.Response:
        marks = dict.fromkeys(mark_keys.MARKS, "x" * 512) | {"team": "x" * 10_000}
        jobs = [
            {
                "id": f"eval-{uid}-{number}",
                "status": "running",
                "created_at": "2026-03-01T12:00:00",
                "custom_fields": marks | {"k8s-uid": uid, "k8s-attempt": "1"},
                "status_details": {"message": "x" * 10_000, "progress": 50},
            }
            for uid in self.uids
            for number in range(self.count)
        ]
        return httpx.Response(200, json={"data": jobs, "pagination": {"page": 1, "total_pages": 1}})


async def test_of_jobs_that_are_found_no_texts_are_kept() -> None:
    found = await ManyJobs(3, "u-0").find("0")
    assert found is not None
    for job in found.jobs:
        assert (job.status, job.status_details.progress, job.message) == ("running", 50, None)
        assert job.created_at is not None
        assert job.custom_fields == {"k8s-uid": "u-0", "k8s-attempt": "1"}
        assert len(job.model_dump_json()) < 500
    assert [job.id for job in found.jobs] == [f"eval-u-0-{number}" for number in range(3)]


async def test_a_sweep_keeps_a_bounded_number_of_jobs_and_never_takes_others_for_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "MAX_KEPT", 20)
    uids = [f"u-{number}" for number in range(10)]
    stage = ManyJobs(5, *uids)
    found = await asyncio.gather(*(stage.find(str(number)) for number in range(10)), return_exceptions=True)
    (error,) = [one for one in found if isinstance(one, Malformed)]
    assert "more than 40 jobs with marks of the 10 objects looked for" in error.detail

    stage = ManyJobs(2, *uids)
    monkeypatch.setattr(search, "MAX_KEPT", 0)
    (leader,) = [one for one in await asyncio.gather(*(stage.find(str(n)) for n in range(10))) if one]
    assert len(leader.jobs) == 2, "two for each object are never too many"

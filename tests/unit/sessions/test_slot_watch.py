"""The administrator's slots are free once their jobs have ended, whatever has become of their connections."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import RemoteJob, Unauthorized
from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle.job import Admitted, JobSnapshot, Queued
from nemo_eval_operator.reconcile import BenchmarkWaiters, JobIndex
from nemo_eval_operator.resources import EvaluatorUsed, NemoEvalJob
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import (
    CircuitBreaker,
    Evaluator,
    Evaluators,
    JobTracker,
    SharedSlots,
    SlotPool,
    Slots,
    SlotWatch,
    orphans,
    slot_watch,
)
from nemo_eval_operator.sessions.poller import Poller
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.lifecycle.objects import NOW, evaljob, followed, working

URL = "http://evaluator.test"
USED = {"url": URL, "connection": "team-a/mine"}
MARK = {"k8s-namespace": "team-a", "k8s-name": "first", "k8s-uid": "first", "k8s-attempt": "1"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_watch, "UNSEEN_SECONDS", -1)
    monkeypatch.setattr(slot_watch, "COUNT_SECONDS", 0)


class Stage:
    """The operator's evaluator with one slot, and a tenant's connection to it. `states` are its jobs'."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.marks: dict[str, dict[str, str]] = {}
        """Those that differ from MARK, by job."""
        self.queue = WorkQueue()
        self.shared = slots = SharedSlots(self.queue, limit=1, own_url=URL)
        shared = slots.of(URL)
        assert shared is not None
        self.slots: Slots = shared
        self.own, self.mine = self._evaluator(), self._evaluator(connection="team-a/mine")
        self.evil = self._evaluator(url=f"{URL}/evil", connection="team-b/evil")
        self.evaluators = Evaluators(self.own, queue=self.queue, slots=slots)
        self.job_index = JobIndex(evaluators=self.evaluators, waiting=BenchmarkWaiters())
        self.watch = SlotWatch(
            self.own,
            [self.own, self.mine, self.evil],
            slots=slots,
            cluster="",
            settle=0,
            heartbeat=Heartbeat(60),
        )
        self.poller = Poller(
            evaluator=self.own.client,
            tracker=self.own.tracker,
            queue=self.queue,
            breaker=self.own.breaker,
            interval=0,
            heartbeat=Heartbeat(60),
            metrics=Metrics(),
        )
        for one in (self.own.slot_pool, self.mine.slot_pool, shared):
            one.open()

    def _evaluator(self, *, url: str = URL, **used: str) -> Evaluator:
        transport = httpx.MockTransport(self._answer)
        client, tracker = EvaluatorClient(httpx.AsyncClient(base_url=URL, transport=transport)), JobTracker()
        return Evaluator(
            used=EvaluatorUsed(url=url, **used),
            client=client,
            breaker=CircuitBreaker(client, self.queue, tracker, Heartbeat(60)),
            tracker=tracker,
            slot_pool=SlotPool(self.queue, limit=None, shared=self.slots),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        jobs = [
            {
                "id": name,
                "status": state,
                "custom_fields": self.marks.get(name, MARK),
                "created_at": "2026-03-01T12:00:00",
            }
            for name, state in self.states.items()
        ]
        job_id = request.url.path.rpartition("/jobs")[2].strip("/")
        if job_id:
            found = next((job for job in jobs if job["id"] == job_id), None)
            return httpx.Response(200 if found else 404, json=found or {"detail": "no such job"})
        wanted = request.url.params.get("filter[status]")
        return httpx.Response(200, json={"data": [job for job in jobs if wanted in {None, job["status"]}]})

    async def look(self) -> None:
        """The watch, and the polls that it causes: a job counts as gone when it is missed twice."""
        for _ in range(2):
            await self.watch.look()
            await self.poller.poll()

    def is_free(self) -> bool:
        turn = self.own.slot_pool.ask(waiting := job("waiting"))
        self.own.slot_pool.leave(ObjectKey("nemoevaljobs", "team-a", waiting.metadata.name))
        assert isinstance(turn, Admitted | Queued)
        return isinstance(turn, Admitted)


def job(name: str, **status: Any) -> NemoEvalJob:
    meta = {"name": name, "namespace": "team-a", "uid": name}
    return evaljob(meta=meta, status=followed(evaluator=USED, **status) if status else None)


def job_of_own(**status: Any) -> NemoEvalJob:
    meta = {"name": "first", "namespace": "team-a", "uid": "first"}
    return evaljob(meta=meta, status=followed(**status))


async def gone(_: ObjectKey) -> None:
    """No object is there."""


async def count(stage: Stage, kube: SimpleNamespace) -> None:
    await stage.own.orphans.count(
        kube,  # type: ignore[arg-type]  # only read from
        stage.own.client,
        namespaces=[],
        cluster="",
        connection=None,
        shared=True,
        heartbeat=Heartbeat(60),
    )


RUNNING = job("first", jobId="eval-1")
UNCERTAIN = job("first", jobId=None)
KEY = ObjectKey("nemoevaljobs", "team-a", "first")


@pytest.mark.parametrize("ended", ["completed", "failed", "cancelled", "gone"])
async def test_a_job_whose_connection_was_changed_gives_its_slot_back_when_it_has_ended(ended: str) -> None:
    stage = Stage()
    stage.states["eval-1"] = "running"
    # Its evaluator was retired: the connection has another URL now, or its Secret is gone.
    stage.job_index.keep(RUNNING, None)
    await stage.look()
    assert not stage.is_free()

    stage.states = {} if ended == "gone" else {"eval-1": ended}
    await stage.look()

    assert stage.is_free()
    stage.job_index.note_place(RUNNING)
    assert stage.is_free(), "its status still says that it runs"
    stage.job_index.note_place(job("first", jobId="eval-2"))
    assert not stage.is_free(), "another attempt"


async def test_a_job_whose_connection_lost_its_credentials_gives_its_slot_back() -> None:
    stage = Stage()
    stage.states["eval-1"] = "completed"
    stage.mine.slot_pool.note(RUNNING)
    stage.mine.tracker.follow(KEY, "eval-1", JobSnapshot("active", None), since=NOW)
    stage.mine.breaker.trip(Unauthorized("who are you", status_code=401))

    await stage.look()

    assert stage.is_free()


async def test_a_job_without_an_object_whose_connection_is_broken_gives_its_slot_back() -> None:
    stage = Stage()
    stage.states["eval-1"] = "completed"
    stage.mine.orphans.follow("team-a", "eval-1", NOW)
    assert not stage.is_free()

    await stage.look()

    assert stage.is_free()


@pytest.mark.parametrize(
    ("url", "namespace"),
    [("http://tenant.test", "team-a"), (f"{URL}/evil", "team-a"), (URL, "team-b")],
    ids=["evaluator", "path", "namespace"],
)
async def test_an_id_that_a_tenants_evaluator_gave_frees_no_slot_of_another_job(
    url: str, namespace: str
) -> None:
    stage = Stage()
    stage.states["eval-1"] = "active"
    stage.own.orphans.follow("team-a", "eval-1", NOW)
    used = {"url": url, "connection": f"{namespace}/tenant"}
    meta = {"name": "forged", "namespace": namespace, "uid": "forged"}

    forged = evaljob(meta=meta, status=followed(evaluator=used, jobId="eval-1"))
    stage.job_index.keep_place(forged)
    stage.job_index.forget(ObjectKey("nemoevaljobs", namespace, "forged"), ended=True)

    assert not stage.is_free()


@pytest.mark.parametrize("namespace", ["team-a", "team-b"], ids=["forged mark", "own namespace"])
async def test_another_path_of_the_administrators_host_cannot_say_that_anothers_job_has_ended(
    namespace: str,
) -> None:
    stage = Stage()
    stage.states["eval-1"] = "running"
    stage.own.orphans.follow("team-a", "eval-1", NOW)
    stage.evil.orphans.follow(namespace, "eval-1", NOW)

    for known in list(stage.evil.tracker):
        stage.evil.tracker.report(known, RemoteJob(id="eval-1", status="completed"))
    await stage.look()

    assert (stage.slots.taken, stage.is_free()) == (1, False)


@pytest.mark.parametrize("namespace", ["team-a", "team-b"], ids=["forged mark", "own namespace"])
async def test_another_path_of_the_administrators_host_cannot_say_that_anothers_job_runs(
    namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_watch, "UNSEEN_SECONDS", 60)
    stage = Stage()
    stage.states["eval-1"] = "completed"
    stage.job_index.keep(RUNNING, None)
    stage.evil.orphans.follow(namespace, "eval-1", NOW)
    stage.evil.tracker.follow(KEY, "eval-1", JobSnapshot("active", None), since=NOW)

    for known in list(stage.evil.tracker):
        stage.evil.tracker.report(known, RemoteJob(id="eval-1", status="running"))
    await stage.look()

    assert stage.slots.uid_of(KEY) is None


async def test_a_job_that_only_another_path_of_the_host_shows_keeps_no_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slot_watch, "UNSEEN_SECONDS", 60)
    stage = Stage()
    used = {"url": f"{URL}/evil", "connection": "team-b/evil"}
    made_up = evaljob(
        meta={"name": "up", "namespace": "team-b", "uid": "up"},
        status=followed(evaluator=used, jobId="made-up"),
    )
    stage.evil.slot_pool.note(made_up)
    stage.evil.tracker.follow(key_of(made_up), "made-up", JobSnapshot("active", None), since=NOW)
    for known in list(stage.evil.tracker):
        stage.evil.tracker.report(known, RemoteJob(id="made-up", status="running"))
    assert not stage.is_free()

    await stage.look()

    assert stage.is_free()


async def test_a_slot_that_is_not_used_is_given_to_the_next_job(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    behind_slow_calls = job("first")
    assert isinstance(stage.mine.slot_pool.ask(behind_slow_calls), Admitted)
    await stage.look()
    assert not stage.is_free(), "not at once"

    monkeypatch.setattr(slot_watch, "UNUSED_SECONDS", -1)
    await stage.look()

    assert stage.is_free()


@pytest.mark.parametrize("started", [True, False])
async def test_an_uncertain_submission_keeps_its_slot_only_where_its_job_runs(started: bool) -> None:
    stage = Stage()
    stage.states = {"eval-1": "running"} if started else {}
    stage.job_index.keep(UNCERTAIN, None)

    await stage.look()
    assert stage.is_free() is not started

    stage.states = {"eval-1": "completed"} if started else {}
    await stage.look()
    assert stage.is_free()


@pytest.mark.parametrize("forged", [False, True], ids=["jobs of others", "jobs of its own mark"])
async def test_an_uncertain_submission_keeps_its_slot_beyond_the_jobs_that_are_read(
    forged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "MAX_MARKED", 5)
    stage = Stage()
    stage.states = {f"eval-{number}": "running" for number in range(10)}
    others = {"k8s-uid": "first"} if forged else {"k8s-uid": "another"}
    stage.marks = {f"eval-{number}": MARK | others for number in range(9)}
    stage.job_index.keep(UNCERTAIN, None)

    await stage.look()

    assert not stage.is_free()


async def test_a_submission_whose_object_vanished_keeps_its_slot_beyond_the_jobs_that_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphans, "MAX_MARKED", 5)
    stage, kube = Stage(), SimpleNamespace(get=gone)
    stage.states = {f"eval-{number}": "running" for number in range(10)}
    stage.marks = {f"eval-{number}": MARK | {"k8s-uid": "another"} for number in range(9)}
    stage.own.slot_pool.note(own := job_of_own(jobId=None))
    stage.evaluators.vanished(key_of(own))
    stage.job_index.forget(key_of(own), ended=True)

    await count(stage, kube)
    assert stage.own.orphans.are_uncertain, "it may be on the part of the list that was not read"
    assert "first" in stage.slots.kept()

    monkeypatch.setattr(orphans, "MAX_MARKED", 20)
    await count(stage, kube)
    assert not stage.own.orphans.are_uncertain
    assert "first" not in stage.slots.kept()
    assert "eval-9" in {run.job_id for run in stage.slots.kept().values()}


async def test_a_slot_is_free_when_the_job_was_seen_to_end_whatever_can_be_written_about_it() -> None:
    stage = Stage()
    stage.states["eval-1"] = "completed"
    own = evaljob(meta={"name": "first", "namespace": "team-a", "uid": "first"}, status=followed())
    stage.job_index.keep(own, stage.own)
    assert not stage.is_free()

    await stage.poller.poll()

    assert stage.is_free()
    stage.job_index.note_place(own)
    assert stage.is_free()


@pytest.mark.parametrize("reason", ["ResultsUnavailable", "ResultsNotKept"])
async def test_a_job_whose_results_cannot_be_kept_has_no_slot(reason: str) -> None:
    stage = Stage()
    pending = evaljob(
        meta={"name": "first", "namespace": "team-a", "uid": "first"},
        status=followed(conditions=working(reason)),
    )
    stage.job_index.keep(pending, stage.own)

    assert stage.is_free()


async def test_a_job_that_leaves_the_selector_and_comes_back_has_one_slot() -> None:
    stage = Stage()
    own = evaljob(meta={"name": "first", "namespace": "team-a", "uid": "first"}, status=followed())
    stage.job_index.keep(own, stage.own)
    stage.job_index.forget(KEY)
    assert (stage.own.slot_pool.running, stage.is_free()) == (1, False)
    stage.job_index.note_place(own)
    stage.job_index.keep(own, stage.own)

    assert stage.own.slot_pool.running == 1
    assert len(stage.own.tracker) == 1


async def test_of_many_jobs_that_an_evaluator_makes_up_few_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphans, "MAX_COMPARED", 5)
    read: list[str] = []

    async def get(key: ObjectKey) -> None:
        read.append(key.name)

    stage, kube = Stage(), SimpleNamespace(get=get)
    stage.states = {f"eval-{number}": "running" for number in range(20)}

    await count(stage, kube)

    assert len(read) == 5

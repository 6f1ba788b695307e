"""Whether a watch event alone says that there is nothing to do: what a restart with many objects lives on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import Unavailable
from nemo_eval_operator.kube import KubeClient, ObjectKey, OverHttpx
from nemo_eval_operator.lifecycle.job import Facts, NothingNew, ResolvedEvaluator, decide_job, gate_hash
from nemo_eval_operator.lifecycle.steps import ObserveJob, RequeueAfter, ResolveEvaluator
from nemo_eval_operator.reconcile import BenchmarkWaiters, FastPath, JobIndex
from nemo_eval_operator.resources import LabelSelector, NemoEvalJob
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.lifecycle import objects
from tests.unit.lifecycle.any_job import filled, jobs
from tests.unit.lifecycle.objects import HELD, evaljob, finished, followed, intent
from tests.unit.reconcile.one_evaluator import one_evaluator

KEY = ObjectKey("nemoevaljobs", "team-a", "qa-llama")
DELETED = {"deletionTimestamp": "2026-03-01T12:00:00Z"}
RERUN = {"annotations": {"evaluator.nemo.dev/rerun": "1"}}


class Stage:
    """Has no client for Kubernetes, so it can neither read nor write."""

    def __init__(self) -> None:
        self.queue = WorkQueue()
        self.evaluators = evaluators = one_evaluator(EvaluatorClient(httpx.AsyncClient()), self.queue)
        self.tracker, self.slot_pool = evaluators.own.tracker, evaluators.own.slot_pool
        job_index = JobIndex(evaluators=evaluators, waiting=BenchmarkWaiters())
        settle = timedelta(seconds=45)
        self.listed: list[tuple[str, ObjectKey]] = []
        self.notes = FastPath(
            job_index=job_index,
            evaluators=evaluators,
            queue=self.queue,
            settle=settle,
            on_listed=lambda *listed: self.listed.append(listed),
        )

    def note(self, document: dict[str, Any]) -> bool:
        return self.notes.try_adopt(document)


def document(
    status: dict[str, Any] | None = None, meta: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return evaljob(status=status, meta=HELD | (meta or {}), **spec).model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )


def running(**status: Any) -> dict[str, Any]:
    return followed(**status)


GATE: dict[str, Any] = {"criteria": [{"score": "exact", "minimum": 0.5}]}


def judged_document(**gate: Any) -> dict[str, Any]:
    """A finished job whose status has the verdict of its gate."""
    known = {"verdict": "Passed", "hash": gate_hash(evaljob(gate=GATE))} | gate
    return document(finished(gate=known), {"finalizers": []}, gate=GATE)


NEEDS_NO_LOOK = {
    "running": document(running()),
    "running, with progress": document(running(progress={"percent": 40})),
    "running, with a deadline to come": document(
        running(startTime=objects.stamp(datetime.now(UTC))), activeDeadlineSeconds=3600
    ),
    "a second attempt that runs": document(running(attempt=2, rerun="1"), RERUN),
    "finished": document(finished(), {"finalizers": []}),
    "finished, judged by its gate": judged_document(),
    "finished, to be kept for a while": document(
        finished() | {"completionTime": objects.stamp(datetime.now(UTC))},
        {"finalizers": []},
        ttlSecondsAfterFinished=3600,
    ),
}

NEEDS_A_LOOK = {
    "finished, its gate changed": judged_document(hash="sha256:another"),
    "finished, waiting for a baseline": judged_document(verdict="Pending"),
    "finished, not judged": document(finished(), {"finalizers": []}, gate=GATE),
    "new": document(),
    "waiting": document({"observedGeneration": 1, "phase": "Pending"}),
    "perhaps submitted": document(intent()),
    "a retry that is due": document(
        intent()
        | {
            "submission": None,
            "attempt": 2,
            "retries": 1,
            "history": [
                {
                    "number": 1,
                    "jobId": "eval-1",
                    "outcome": "Failed",
                    "completionTime": objects.stamp(objects.NOW),
                }
            ],
        }
    ),
    "being deleted while it runs": document(running(), DELETED),
    "being deleted when finished": document(finished(), DELETED),
    "its status was lost": document({}),
    "cancellation asked for": document(running(), cancel=True),
    "being cancelled": document(running(phase="Cancelling")),
    "past its deadline": document(running(), activeDeadlineSeconds=60),
    "out of sight": document(running(conditions=objects.working("EvaluatorUnreachable"))),
    "its results are still to be fetched": document(running(conditions=objects.working("ResultsNotKept"))),
    "a rerun is wanted": document(finished(), {"finalizers": []} | RERUN),
    "finished, the finalizer still on": document(finished()),
    "finished long ago, to be deleted": document(finished(), {"finalizers": []}, ttlSecondsAfterFinished=60),
    "its spec is newer than its status": document(running(), {"generation": 2}),
    "finished, its spec is newer": document(finished(), {"generation": 2, "finalizers": []}),
    "its spec cannot be read": document(running()) | {"spec": {"config": 7}},
    "nothing of it can be read": {"metadata": 7},
}


@pytest.mark.parametrize("name", NEEDS_NO_LOOK)
async def test_what_stands_as_it_should_needs_no_look(name: str) -> None:
    stage = Stage()
    assert stage.note(NEEDS_NO_LOOK[name])

    is_running = "completionTime" not in NEEDS_NO_LOOK[name]["status"]
    assert (KEY in stage.tracker) is is_running


@pytest.mark.parametrize("name", NEEDS_A_LOOK)
async def test_what_is_to_be_done_is_left_to_a_look(name: str) -> None:
    stage = Stage()
    assert not stage.note(NEEDS_A_LOOK[name])

    assert KEY not in stage.tracker
    assert not stage.queue.holds(KEY)


async def test_a_deadline_and_a_time_to_live_are_kept() -> None:
    for name in ("running, with a deadline to come", "finished, to be kept for a while"):
        stage = Stage()
        stage.note(NEEDS_NO_LOOK[name])
        assert stage.queue.holds(KEY)


async def test_an_old_copy_does_not_push_out_the_attempt_that_is_followed() -> None:
    stage = Stage()
    stage.note(document(running(attempt=2, jobId="eval-2")))
    due_before = stage.tracker.due(float("inf"))

    assert not stage.note(document(running(attempt=1, jobId="eval-1")))
    assert [followed.job_id for followed in stage.tracker.due(float("inf"))] == ["eval-2"]
    assert stage.tracker.due(float("inf")) == due_before


async def test_an_object_that_is_already_queued_is_left_to_the_worker() -> None:
    stage = Stage()
    stage.queue.add(KEY)
    assert not stage.note(document(running()))
    assert KEY not in stage.tracker


async def test_every_object_of_the_list_is_reported_whether_it_needs_a_look_or_not() -> None:
    documents = [document(running(), {"uid": "one"}), document(None, {"uid": "two", "name": "waits"})]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"metadata": {}, "items": documents}))
    kube = KubeClient(OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport)))
    stage = Stage()

    await stage.notes.take_all(kube, [], LabelSelector.parse(""))

    assert [uid for uid, _ in stage.listed] == ["one", "two"]
    assert stage.listed[1][1].name == "waits"


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(job=jobs(), data=st.data())
def test_no_object_is_taken_for_which_a_reconcile_would_do_something(
    job: NemoEvalJob, data: st.DataObject
) -> None:
    """Whatever a reconcile would find out: it needs the evaluator at most, and asks it for nothing."""
    stage = Stage()
    if not stage.note(job.model_dump(by_alias=True, exclude_none=True, mode="json")):
        return
    nothing_known = Facts(now=datetime.now(UTC), settle=objects.SETTLE)
    evaluator = ResolvedEvaluator(stage.evaluators.own.used)
    answers: dict[str, Any] = {"evaluator": evaluator, "remote": NothingNew()}
    step = decide_job(job, nothing_known)
    while isinstance(step, ResolveEvaluator | ObserveJob):
        assert step == ResolveEvaluator() or step == ObserveJob(job.status.job_id or "", ask=False)
        if isinstance(step, ResolveEvaluator):
            step = decide_job(job, replace(nothing_known, evaluator=evaluator))
        else:
            step = decide_job(job, replace(nothing_known, **answers))
    assert isinstance(step, RequeueAfter)
    found = data.draw(filled(replace(nothing_known, **answers)))
    assert isinstance(decide_job(job, found), RequeueAfter)


async def test_in_an_outage_each_job_says_so_itself() -> None:
    stage = Stage()
    stage.evaluators.own.breaker.trip(Unavailable("refused"))

    assert not stage.note(document(running()))
    assert stage.note(document(finished(), {"finalizers": []}))

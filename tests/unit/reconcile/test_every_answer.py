"""Every situation of a job against every answer of the evaluator, through the real clients.

The first call that a situation makes gets the answer; later calls are answered as by a healthy evaluator.
Whatever it was, a job that may exist is searched for before a POST is repeated, and no run gets stuck.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.model import Unavailable
from nemo_eval_operator.lifecycle import FINALIZER
from tests.unit.reconcile.answers import (
    EVERY,
    JOBS,
    MALFORMED,
    MARK,
    MAYBE_DONE,
    NOT_DONE,
    REFUSED,
    SUBMISSION,
    UID,
    Evaluator,
    Stage,
    ago,
    answer,
    followed,
    intent,
    manifest,
    on,
    page,
    remote,
)
from tests.unit.reconcile.objects_api import ObjectsApi


@pytest.mark.parametrize("name", EVERY)
class TestSubmission:
    async def test_what_was_surely_not_done_is_done_later_or_never(self, name: str) -> None:
        stage = Stage(Evaluator(SUBMISSION, EVERY[name]), ObjectsApi(manifest()))
        await stage.look_until(lambda: stage.ended() or stage.is_followed())

        if name in {"400", "409", "413", "422"}:
            assert (stage.reason, stage.evaluator.jobs, stage.evaluator.posts()) == (
                "EvaluatorRejected",
                {},
                1,
            )
            return
        assert [*stage.evaluator.jobs] == ["eval-1"] == [stage.status["jobId"]]
        assert ("SubmissionUncertain" in stage.kube.events) is (name in MAYBE_DONE | MALFORMED)

    async def test_what_may_have_been_done_is_looked_for(self, name: str) -> None:
        if name in NOT_DONE | REFUSED:
            return
        stage = Stage(Evaluator(SUBMISSION, EVERY[name], acts=True), ObjectsApi(manifest()))
        await stage.look_until(stage.is_followed)

        assert (stage.evaluator.posts(), [*stage.evaluator.jobs]) == (1, ["eval-1"])
        assert (stage.status["jobId"], stage.status["adopted"]) == ("eval-1", True)


async def test_a_job_created_before_all_time_is_followed_all_the_same() -> None:
    made = remote("created", created_at="0001-01-01T00:00:00+14:00")
    evaluator = Evaluator(SUBMISSION, answer(201, made), jobs={"eval-1": made})
    stage = Stage(evaluator, ObjectsApi(manifest()))
    await stage.look_until(stage.is_followed)

    assert (stage.status["jobId"], evaluator.posts()) == ("eval-1", 1)


@pytest.mark.parametrize(
    "odd", ["eval-1\n12:00:00 WARNING forged", "\x1b[2J", "eval-1/../eval-2", "..", "x" * 129, ""]
)
async def test_a_job_whose_id_cannot_be_used_is_submitted_once_and_shown_nowhere(odd: str) -> None:
    made = remote("created", odd)
    evaluator = Evaluator(SUBMISSION, answer(201, made), jobs={odd: made})
    stage = Stage(evaluator, ObjectsApi(manifest()))
    for _ in range(8):
        stage.breaker.outage = None
        await stage.look()

    assert (evaluator.posts(), stage.reason) == (1, "SubmissionUncertain")
    assert "jobId" not in stage.status
    assert not odd or odd not in str(stage.kube.manifest)


OTHERS = remote(job_id="eval-y", custom_fields={"k8s-uid": "z", "k8s-attempt": "1"})

LISTS: dict[str, tuple[dict[str, Any], str | None, list[str]]] = {
    "the job": (page(remote()), "eval-1", []),
    "a job that has ended": (page(remote("failed")), "eval-1", []),
    "nothing": (page(), None, []),
    "nothing, without a count of pages": ({"data": []}, None, []),
    "jobs of others, as filters are ignored": (
        page(remote(job_id="eval-x", custom_fields={}), OTHERS),
        None,
        [],
    ),
    "its mark among all others": (
        page(remote(job_id="eval-x", custom_fields=None), remote(), OTHERS),
        "eval-1",
        [],
    ),
    "only another attempt": (page(remote(custom_fields=MARK | {"k8s-attempt": "2"})), None, []),
    "two": (page(remote(job_id="eval-2", created_at="2026-03-01T12:00:09"), remote()), "eval-1", ["eval-2"]),
    "two, one of which has ended": (
        page(remote(job_id="eval-2", status="failed", created_at="2026-03-01T12:00:09"), remote()),
        "eval-1",
        [],
    ),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_look_up_finds_what_is_marked_whatever_the_server_lists(name: str) -> None:
    document, adopted, cancelled = LISTS[name]
    evaluator = Evaluator(lambda _: False, answer(200), jobs={job["id"]: job for job in document["data"]})
    stage = Stage(evaluator, ObjectsApi(manifest(intent(10))), settle=timedelta(hours=1))
    await stage.look()

    assert stage.status.get("jobId") == adopted
    assert evaluator.posts() == 0
    asked = [request for request in evaluator.requests if request.endswith("/cancel")]
    assert asked == [f"POST /{job_id}/cancel" for job_id in cancelled]
    assert ("DuplicateCancelled" in stage.kube.events) is bool(cancelled)


async def test_a_look_up_cancels_a_few_duplicates_and_names_the_number_of_the_others() -> None:
    """An evaluator that lists a hundred of them must not keep a worker busy with their cancellation."""
    surplus = [remote(job_id=f"eval-{n}", created_at=f"2026-03-01T12:01:{n:02}") for n in range(2, 32)]
    evaluator = Evaluator(lambda _: False, answer(200), jobs={job["id"]: job for job in [remote(), *surplus]})
    stage = Stage(evaluator, ObjectsApi(manifest(intent(10))), settle=timedelta(hours=1))
    await stage.look()

    assert stage.status.get("jobId") == "eval-1"
    cancelled = [request for request in evaluator.requests if request.endswith("/cancel")]
    assert cancelled == [f"POST /eval-{n}/cancel" for n in range(2, 12)]
    assert stage.kube.events.count("DuplicateCancelled") == 10
    assert stage.kube.events.count("DuplicatesRunning") == 1


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("exists", [True, False])
async def test_a_look_up_that_fails_is_repeated_before_anything_is_submitted(name: str, exists: bool) -> None:
    jobs = {"eval-1": remote()} if exists else {}
    stage = Stage(Evaluator(on("GET", JOBS), EVERY[name], jobs=jobs), ObjectsApi(manifest(intent(10))))
    await stage.look_until(stage.is_followed)

    assert (stage.status["jobId"], [*stage.evaluator.jobs]) == ("eval-1", ["eval-1"])
    assert stage.evaluator.posts() == (0 if exists else 1)


@pytest.mark.parametrize("name", EVERY)
async def test_a_surplus_job_that_cannot_be_cancelled_does_not_block_the_run(name: str) -> None:
    jobs = {"eval-1": remote(), "eval-2": remote(job_id="eval-2", created_at="2026-03-01T12:00:09")}
    stage = Stage(Evaluator(on("POST", "/cancel"), EVERY[name], jobs=jobs), ObjectsApi(manifest(intent(10))))
    await stage.look_until(stage.is_followed)

    assert stage.status["jobId"] == "eval-1"
    assert stage.evaluator.posts() == 0


OPERATIONLESS = {"404", "404 of a gateway", "405", "501"}


@pytest.mark.parametrize("name", [*EVERY, "204"])
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_cancellation_ends_the_job_by_whatever_the_server_can_do(name: str, deleted: bool) -> None:
    answered = answer(204) if name == "204" else EVERY[name]
    acts = name == "204" or name in MALFORMED
    evaluator = Evaluator(on("POST", "/cancel"), answered, jobs={"eval-1": remote()}, acts=acts)
    meta = {"deletionTimestamp": ago(0)} if deleted else {}
    stage = Stage(evaluator, ObjectsApi(manifest(followed(), meta=meta, cancel=not deleted)))
    await stage.look_until(stage.gone if deleted else stage.ended)

    assert ("CancelUnsupported" in stage.kube.events) is (name in OPERATIONLESS)
    if name in OPERATIONLESS:
        assert evaluator.jobs == {}
    else:
        assert evaluator.jobs["eval-1"]["status"] == "cancelled"
    assert deleted or stage.reason == "Cancelled"


@pytest.mark.parametrize("word", ["completed", "failed", "cancelled"])
async def test_a_job_that_ended_before_it_could_be_cancelled_is_never_deleted_instead(word: str) -> None:
    """A server that says 404 to the cancellation of what it no longer runs."""
    evaluator = Evaluator(on("POST", "/cancel"), REFUSED["404"], jobs={"eval-1": remote()})
    stage = Stage(evaluator, ObjectsApi(manifest(followed(), cancel=True)))
    evaluator.strikes = lambda request: _ends(evaluator, request, word)
    await stage.look_until(stage.ended)

    assert "eval-1" in evaluator.jobs
    assert (stage.reason == "Completed") is (word == "completed")


def _ends(evaluator: Evaluator, request: httpx.Request, word: str) -> bool:
    if not request.url.path.endswith("/cancel"):
        return False
    evaluator.jobs["eval-1"]["status"] = word
    return True


@pytest.mark.parametrize("name", EVERY)
async def test_a_completed_job_is_never_lost_whatever_its_results_meet(name: str) -> None:
    jobs = {"eval-1": remote("completed")}
    evaluator = Evaluator(on("GET", "/results"), EVERY[name], jobs=jobs)
    stage = Stage(evaluator, ObjectsApi(manifest(followed("Cancelling"))))
    await stage.look()

    assert (stage.status["phase"], stage.reason) == ("Running", "ResultsUnavailable")
    await stage.look_until(stage.ended)
    assert (stage.status["phase"], stage.status["score"]) == ("Succeeded", "em=0.5")


@pytest.mark.parametrize("name", EVERY)
async def test_following_survives_every_answer(name: str) -> None:
    """The job was cancelling, and is asked for by itself."""
    evaluator = Evaluator(on("GET", "/eval-1"), EVERY[name], jobs={"eval-1": remote("failed")})
    stage = Stage(evaluator, ObjectsApi(manifest(followed("Cancelling"), cancel=True)))
    await stage.look_until(stage.ended)

    lost = name == "404"
    assert stage.reason == ("Cancelled" if lost else "EvaluationFailed")


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("policy", ["Cancel", "Delete", "Orphan"])
@pytest.mark.parametrize("call", ["GET /eval-1", "DELETE /eval-1", "POST /cancel"])
async def test_deletion_ends_in_time_whatever_is_answered(name: str, policy: str, call: str) -> None:
    """No time is left, so each call has one try; what is left behind without a word has ended."""
    acts = name in MALFORMED
    evaluator = Evaluator(on(*call.split()), EVERY[name], jobs={"eval-1": remote()}, acts=acts)
    meta = {"deletionTimestamp": ago(100)}
    stage = Stage(evaluator, ObjectsApi(manifest(followed(), meta=meta, deletionPolicy=policy)))
    await stage.look_until(stage.gone)

    left = evaluator.jobs.get("eval-1")
    if policy == "Orphan":
        assert (evaluator.requests, stage.kube.events) == ([], [])
    elif "LeftInEvaluator" in stage.kube.events:
        assert b'left_behind_total{kind="job"} 1.0' in stage.metrics.exposition()
    elif (name, call) == ("404", "GET /eval-1"):
        assert left is not None, "the evaluator said itself that there is no such job"
    elif policy == "Delete":
        assert left is None or name == "404"
    else:
        assert left is None or left["status"] == "cancelled"


async def test_a_deleted_job_held_by_another_finalizer_reads_as_ended_in_the_same_look() -> None:
    """Nothing else would cause another look: Argo CD waits for this very status."""
    hook = "argocd.argoproj.io/hook-finalizer"
    meta = {"deletionTimestamp": ago(0), "finalizers": [FINALIZER, hook]}
    evaluator = Evaluator(lambda _: False, answer(200), jobs={"eval-1": remote("cancelled")})
    stage = Stage(evaluator, ObjectsApi(manifest(followed(), meta=meta)))

    assert await stage.look() is None

    assert stage.kube.manifest is not None
    assert stage.kube.manifest["metadata"]["finalizers"] == [hook]
    assert (stage.status["phase"], stage.reason, stage.ended()) == ("Cancelled", "Cancelled", True)


async def test_of_a_deleted_job_whose_spec_cannot_be_read_the_remote_job_is_cancelled() -> None:
    evaluator = Evaluator(lambda _: False, answer(200), jobs={"eval-1": remote()})
    document = manifest(followed(), meta={"deletionTimestamp": ago(0)}, model=5, target="nonsense")
    stage = Stage(evaluator, ObjectsApi(document))
    await stage.look_until(stage.gone)

    assert evaluator.jobs["eval-1"]["status"] == "cancelled"


async def test_of_a_deleted_job_whose_status_was_lost_the_remote_job_is_found_and_cancelled() -> None:
    evaluator = Evaluator(lambda _: False, answer(200), jobs={"eval-1": remote()})
    claimed = {"evaluator.nemo.dev/claimed-by-uid": UID}
    document = manifest(meta={"deletionTimestamp": ago(0), "annotations": claimed}, model=5)
    stage = Stage(evaluator, ObjectsApi(document))
    await stage.look_until(stage.gone)

    assert evaluator.jobs["eval-1"]["status"] == "cancelled"


async def test_in_an_outage_deletions_wait_without_a_call_and_are_woken_when_it_ends() -> None:
    evaluator = Evaluator(on("GET", "/eval-1"), NOT_DONE["connection refused"], jobs={"eval-1": remote()})
    meta = {"deletionTimestamp": ago(1)}
    stage = Stage(evaluator, ObjectsApi(manifest(followed(), meta=meta)))

    rest = await stage.look()

    assert rest is not None
    assert 50 < rest <= 60
    asked = len(evaluator.requests)
    await stage.look()
    assert len(evaluator.requests) == asked


async def test_what_an_evaluator_had_when_it_stood_still_may_appear_when_it_goes_on() -> None:
    """Nothing found is proof only some time after it came back, however long ago the submission was."""
    settle = timedelta(hours=1)
    stage = Stage(Evaluator(lambda _: False, answer(200)), ObjectsApi(manifest(intent(10))), settle=settle)
    await stage.look()
    stage.breaker.trip(Unavailable("no answer"))
    opening = asyncio.create_task(stage.breaker.run())
    await stage.breaker.until_reset()
    opening.cancel()

    rest = await stage.look()

    assert rest is not None
    assert stage.breaker.reachable_since is not None
    assert rest >= (settle - (datetime.now(UTC) - stage.breaker.reachable_since)).total_seconds()
    assert stage.evaluator.posts() == 0


async def test_submissions_and_what_came_of_them_are_counted() -> None:
    stage = Stage(Evaluator(SUBMISSION, EVERY["time-out"], acts=True), ObjectsApi(manifest()))
    await stage.look_until(stage.is_followed)

    exposed = stage.metrics.exposition().decode().splitlines()
    assert 'nemo_eval_operator_submissions_total{outcome="unknown"} 1.0' in exposed
    assert "nemo_eval_operator_adoptions_total 1.0" in exposed
    assert 'nemo_eval_operator_status_writes_total{kind="NemoEvalJob"} 3.0' in exposed
    called = 'nemo_eval_operator_evaluator_request_seconds_count{code="%s",method="%s",route="%s"} 1.0'
    assert called % ("none", "POST", JOBS) in exposed
    assert called.replace("1.0", "2.0") % ("2xx", "GET", JOBS) in exposed, "a check and a look-up"

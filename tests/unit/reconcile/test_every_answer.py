"""Every situation of a job against every answer of the evaluator, through the real clients.

The first call that a situation makes gets the answer; what follows is answered as a healthy evaluator
would. Whatever it was: what may exist is looked for before a POST is repeated, and nobody is stuck.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import Unavailable
from nemo_eval_operator.kube import ObjectKey, Outdated
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reconcile import BenchmarkWaiters, JobIndex, JobReconciler, Lanes, SecretReader
from nemo_eval_operator.resources import EVALJOB_PLURAL, LabelSelector
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import EvaluatorResolver
from nemo_eval_operator.sessions import job_search as search
from nemo_eval_operator.workqueue import RetryLater, WorkQueue
from tests.unit.reconcile.objects_api import ObjectsApi
from tests.unit.reconcile.one_evaluator import one_evaluator

KEY = ObjectKey(EVALJOB_PLURAL, "team-a", "qa-llama")
UID = "6f1c0d3a-0000-4000-8000-000000000001"
MARK = {"k8s-uid": UID, "k8s-attempt": "1"}
JOBS = "/v1/evaluation/jobs"
RESULTS = {"job": "eval-1", "tasks": {"qa": {"metrics": {"em": {"scores": {"em": {"value": 0.5}}}}}}}

Answer = Callable[[], httpx.Response]


def answer(code: int, body: object = None, **headers: str) -> Answer:
    return lambda: httpx.Response(code, json=body, headers=headers)


def raw(content: bytes, code: int = 200) -> Answer:
    return lambda: httpx.Response(code, content=content)


def broken(error: Exception) -> Answer:
    def answer() -> httpx.Response:
        raise error

    return answer


@pytest.fixture(autouse=True)
def _look_ups_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often an evaluator's list is read is a matter of test_search."""
    for name in ("GATHER_SECONDS", "REST_SECONDS", "SWEEP_SHARE", "MAX_NAMESPACE_REST_SECONDS"):
        monkeypatch.setattr(search, name, 0)


def remote(status: str = "running", job_id: str = "eval-1", **fields: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "status": status,
        "custom_fields": MARK,
        "created_at": "2026-03-01T12:00:00",
    } | fields


def page(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"data": [*jobs], "pagination": {"page": 1, "total_pages": 1}}


NOT_DONE: dict[str, Answer] = {
    "connection refused": broken(httpx.ConnectError("refused")),
    "401": answer(401, {"detail": "who are you"}),
    "403": answer(403, {"detail": "not you"}),
    "404 of a gateway": raw(b"<h1>no backend</h1>", 404),
    "429": answer(429, {"detail": "slow down"}),
    "429 with Retry-After": answer(429, {"detail": "slow down"}, **{"Retry-After": "7"}),
    "a redirect": answer(307, None, location="http://elsewhere.test/"),
}
MAYBE_DONE: dict[str, Answer] = {
    "time-out": broken(httpx.ReadTimeout("timed out")),
    "reset": broken(httpx.ReadError("connection reset")),
    "closed": broken(httpx.RemoteProtocolError("closed without an answer")),
    "408": answer(408, {"detail": "too slow"}),
    "408 with Retry-After": answer(408, {"detail": "too slow"}, **{"Retry-After": "7"}),
    "500": answer(500, {"detail": "oops"}),
    "502": raw(b"<h1>Bad Gateway</h1>", 502),
    "503": answer(503, {"detail": "upstream went away"}),
    "504": raw(b"", 504),
}
MALFORMED: dict[str, Answer] = {
    "200 with half a document": raw(b'{"id": "eval-'),
    "200 without a body": raw(b""),
    "200 with a page": raw(b"<html>welcome</html>"),
    "200 with a list": answer(200, []),
    "200 with nulls": answer(200, {"id": None, "data": None, "job": None}),
    "200 with a number beyond bounds": raw(b'{"id": ' + b"9" * 5000 + b', "data": 0, "job": 1e999}'),
}
REFUSED: dict[str, Answer] = {
    "400": answer(400, {"detail": "no"}),
    "404": answer(404, {"detail": "no such thing"}),
    "405": answer(405, {"detail": "Method Not Allowed"}),
    "409": answer(409, {"detail": "not now"}),
    "413": raw(b"too large", 413),
    "422": answer(422, {"detail": [{"loc": ["body", "config"], "msg": "Field required", "type": "missing"}]}),
    "501": answer(501, {"detail": "not implemented"}),
}
EVERY = NOT_DONE | MAYBE_DONE | MALFORMED | REFUSED


@dataclass
class Evaluator:
    """Healthy but for the first request that `strikes`; `jobs` is what it really has."""

    strikes: Callable[[httpx.Request], bool]
    answer: Answer
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    acts: bool = False
    requests: list[str] = field(default_factory=list)
    struck: bool = False

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path.removeprefix(JOBS)}")
        if not self.struck and self.strikes(request):
            self.struck = True
            if self.acts:
                self._healthy(request)
            return self.answer()
        return self._healthy(request)

    def _healthy(self, request: httpx.Request) -> httpx.Response:
        job_id, _, operation = request.url.path.removeprefix(JOBS).strip("/").partition("/")
        if not job_id and request.method == "POST":
            made = remote("created", f"eval-{len(self.jobs) + 1}", custom_fields=_sent_mark(request))
            self.jobs[made["id"]] = made
            return httpx.Response(201, json=made)
        if not job_id:
            return httpx.Response(200, json=page(*self.jobs.values()))
        if (found := self.jobs.get(job_id)) is None:
            return httpx.Response(404, json={"detail": "no such job"})
        if operation == "results":
            return httpx.Response(200, json=RESULTS)
        if operation == "cancel":
            found["status"] = "cancelled"
        if request.method == "DELETE":
            del self.jobs[job_id]
        return httpx.Response(200, json=found)

    def posts(self) -> int:
        return self.requests.count("POST ")


def _sent_mark(request: httpx.Request) -> dict[str, str]:
    mark: dict[str, str] = json.loads(request.content)["custom_fields"]
    return mark


def manifest(status: dict[str, Any] | None = None, *, meta: Any = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": UID, "generation": 1}
    return {
        "apiVersion": "evaluator.nemo.dev/v1alpha1",
        "kind": "NemoEvalJob",
        "metadata": metadata | {"finalizers": [FINALIZER]} | (meta or {}),
        "spec": {"config": {"type": "gsm8k"}, "model": "m"} | spec,
        "status": status or {},
    }


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def intent(seconds: float) -> dict[str, Any]:
    return {"attempt": 1, "phase": "Submitting", "submission": {"nonce": "n", "time": ago(seconds)}}


def followed(phase: str = "Running") -> dict[str, Any]:
    return intent(100) | {"phase": phase, "jobId": "eval-1", "startTime": ago(100)}


@dataclass
class Stage:
    """One operator, one object, one evaluator."""

    evaluator: Evaluator
    kube: ObjectsApi
    settle: timedelta = timedelta()

    def __post_init__(self) -> None:
        transport = httpx.MockTransport(self.evaluator.respond)
        self.queue, self.metrics = WorkQueue(), Metrics()
        client = EvaluatorClient(
            httpx.AsyncClient(base_url="http://evaluator.test", transport=transport),
            on_call=self.metrics.evaluator_call,
        )
        evaluators, waiting = one_evaluator(client, self.queue), BenchmarkWaiters()
        own = evaluators.own
        self.breaker, self.tracker, self.slot_pool = own.breaker, own.tracker, own.slot_pool
        self.jobs = JobReconciler(
            kube=self.kube.client,
            evaluators=evaluators,
            resolver=EvaluatorResolver(self.kube.client, evaluators),
            queue=self.queue,
            job_index=JobIndex(evaluators=evaluators, waiting=waiting, lanes=Lanes()),
            waiting=waiting,
            secrets=SecretReader(self.kube.client),
            metrics=self.metrics,
            selector=LabelSelector(),
            settle=self.settle,
            tenancy=Tenancy(),
        )

    async def look(self) -> float | None:
        """One look at the object; seconds until the next, where it is given."""
        try:
            return await self.jobs.reconcile(KEY)
        except (RetryLater, Outdated):
            return None

    async def look_until(self, done: Callable[[], bool]) -> None:
        """The gate opens by itself when the evaluator answers: here by hand."""
        for _ in range(8):
            if done():
                return
            self.breaker.outage = None
            await self.look()
        raise AssertionError(f"stuck: {self.kube.manifest}, after {self.evaluator.requests}")

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.kube.manifest["status"] if self.kube.manifest else {}
        return status

    @property
    def reason(self) -> str | None:
        conditions = self.status.get("conditions")
        return conditions[0]["reason"] if conditions else None

    def ended(self) -> bool:
        return "completionTime" in self.status

    def is_followed(self) -> bool:
        return "jobId" in self.status

    def gone(self) -> bool:
        return self.kube.manifest is None


def on(method: str, ending: str) -> Callable[[httpx.Request], bool]:
    return lambda request: request.method == method and request.url.path.endswith(ending)


SUBMISSION = on("POST", JOBS)


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
async def test_a_surplus_job_that_cannot_be_cancelled_holds_up_nobody(name: str) -> None:
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


async def test_whoever_keeps_a_deleted_job_reads_its_end_after_the_look_that_let_it_go() -> None:
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

    told = stage.metrics.exposition().decode().splitlines()
    assert 'nemo_eval_operator_submissions_total{outcome="unknown"} 1.0' in told
    assert "nemo_eval_operator_adoptions_total 1.0" in told
    assert 'nemo_eval_operator_status_writes_total{kind="NemoEvalJob"} 3.0' in told
    called = 'nemo_eval_operator_evaluator_request_seconds_count{code="%s",method="%s",route="%s"} 1.0'
    assert called % ("none", "POST", JOBS) in told
    assert called.replace("1.0", "2.0") % ("2xx", "GET", JOBS) in told, "a check and a look-up"

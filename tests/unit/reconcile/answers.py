"""One job that is reconciled against an evaluator whose answers a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.kube import ObjectKey, Outdated
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reconcile import BenchmarkWaiters, JobIndex, JobReconciler, SecretReader
from nemo_eval_operator.resources import EVALJOB_PLURAL, LabelSelector
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import EvaluatorResolver
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
            job_index=JobIndex(evaluators=evaluators, waiting=waiting),
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

"""Nothing that is keyed by an object stays in the wired operator once the object is not its own any more."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import Access
from nemo_eval_operator.handlers import OwnWrites, WatchLiveness
from nemo_eval_operator.handlers.registry import on_event
from nemo_eval_operator.handlers.vanished import forget_vanished
from nemo_eval_operator.kube import KubeClient, ObjectKey, OverHttpx
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.resources import BENCHMARK_PLURAL, CONNECTION_PLURAL, EVALJOB_PLURAL, LabelSelector
from nemo_eval_operator.runtime.heartbeats import Heartbeat, Heartbeats
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.settings import Settings
from nemo_eval_operator.wiring import Inputs, Operator, build_operator
from tests.unit.reconcile.objects_api import ObjectsApi

SELECTED = {"shard": "a"}

CONNECTION = ObjectKey(CONNECTION_PLURAL, "team-a", "gpu")
BENCHMARK = ObjectKey(BENCHMARK_PLURAL, "team-a", "qa")
RUNNING = ObjectKey(EVALJOB_PLURAL, "team-a", "running")
UNFINISHED_RESULTS = ObjectKey(EVALJOB_PLURAL, "team-a", "without-results")
UNCERTAIN = ObjectKey(EVALJOB_PLURAL, "team-a", "uncertain")
WAITING = ObjectKey(EVALJOB_PLURAL, "team-a", "waits-for-benchmark")
UNREACHABLE = ObjectKey(EVALJOB_PLURAL, "team-a", "at-connection")
JOBS = (RUNNING, UNFINISHED_RESULTS, UNCERTAIN, WAITING, UNREACHABLE)
ALL = (*JOBS, BENCHMARK, CONNECTION)

KINDS = {
    EVALJOB_PLURAL: "NemoEvalJob",
    BENCHMARK_PLURAL: "NemoBenchmark",
    CONNECTION_PLURAL: "NemoEvaluatorConnection",
}
PASSED_OVER = (
    *(types.ModuleType, type, types.CoroutineType, types.FrameType, types.CodeType, types.GeneratorType),
    *(asyncio.AbstractEventLoop, asyncio.Task),
)


def manifest(key: ObjectKey, spec: dict[str, Any], status: dict[str, Any] | None = None) -> dict[str, Any]:
    meta = {"name": key.name, "namespace": key.namespace, "uid": f"uid-of-{key.name}", "generation": 1}
    return {
        "apiVersion": "evaluator.nemo.dev/v1alpha1",
        "kind": KINDS[key.plural],
        "metadata": meta | {"labels": SELECTED, "finalizers": [FINALIZER]},
        "spec": spec,
        "status": status or {},
    }


def submitted(job_id: str | None) -> dict[str, Any]:
    times = {"startTime": "2026-01-01T00:00:00Z", "evaluator": {"url": "http://evaluator.test"}}
    intent = {"nonce": "n", "time": "2026-01-01T00:00:00.000000Z"}
    return {"attempt": 1, "phase": "Running", "submission": intent, "jobId": job_id} | times


INLINE = {"config": {"type": "gsm8k"}, "model": "m"}
AT_CONNECTION = {"evaluatorRef": {"name": "gpu"}}


def manifests() -> dict[ObjectKey, dict[str, Any]]:
    return {
        CONNECTION: manifest(CONNECTION, {"url": "http://127.0.0.1:9"}),
        BENCHMARK: manifest(BENCHMARK, {"config": {"type": "gsm8k"}} | AT_CONNECTION),
        RUNNING: manifest(RUNNING, INLINE | {"priority": 7}, submitted("eval-running")),
        UNFINISHED_RESULTS: manifest(UNFINISHED_RESULTS, INLINE, submitted("eval-completed")),
        UNCERTAIN: manifest(UNCERTAIN, INLINE, submitted(None)),
        WAITING: manifest(WAITING, {"benchmarkRef": {"name": "none"}, "model": "m"}),
        UNREACHABLE: manifest(UNREACHABLE, INLINE | AT_CONNECTION),
    }


class Cluster:
    """A Kubernetes API of some objects, and the operator's own evaluator, where results cannot be read."""

    def __init__(self) -> None:
        self.objects = {key: ObjectsApi(found) for key, found in manifests().items()}

    def shown(self, key: ObjectKey) -> dict[str, Any]:
        """The object as the handlers see it."""
        found = self.objects[key].manifest
        assert found is not None
        return {"metadata": found["metadata"], "seen": {"Phase": "Running", "Priority": 7}}

    def answer(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.split("/")
        for key, api in self.objects.items():
            if key.plural in parts and key.name in parts:
                return api._answer(request)  # noqa: SLF001 - the API of one object
        if parts[-1] in KINDS:
            listed = [api.manifest for key, api in self.objects.items() if key.plural == parts[-1]]
            selected = "labelSelector=" in str(request.url) and request.url.params["labelSelector"]
            items = [item for item in listed if item and (not selected or _is_selected(item))]
            return httpx.Response(200, json={"metadata": {}, "items": items})
        if request.method == "POST":
            return httpx.Response(201, json={})
        return httpx.Response(404, json={"kind": "Status", "message": "not found"})

    def evaluate(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/results"):
            return httpx.Response(400, json={"detail": "no"})
        if "/jobs/eval-" in request.url.path:
            job_id = request.url.path.rpartition("/")[2]
            status = job_id.removeprefix("eval-")
            return httpx.Response(200, json={"id": job_id, "status": status})
        return httpx.Response(200, json={"data": [], "pagination": {"total_pages": 1}})


def _is_selected(item: dict[str, Any]) -> bool:
    return bool(item["metadata"]["labels"] == SELECTED)


@asynccontextmanager
async def running(cluster: Cluster, metrics: Metrics) -> AsyncIterator[tuple[Operator, KubeClient]]:
    heartbeats, tasks = Heartbeats(), list[asyncio.Task[None]]()

    def start(loop: Any, name: str) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(loop, name=name))
        return tasks[-1]

    http = httpx.AsyncClient(
        base_url="http://evaluator.test", transport=httpx.MockTransport(cluster.evaluate)
    )
    api = httpx.AsyncClient(base_url="https://kube.test", transport=httpx.MockTransport(cluster.answer))
    kube = KubeClient(OverHttpx(api))
    inputs = Inputs(
        settings=Settings(
            evaluator_url="http://evaluator.test",
            selector=LabelSelector.parse("shard=a"),
            allow_loopback_connections=True,
            max_running_jobs=2,
        ),
        credentials=None,  # type: ignore[arg-type]  # no login
        kube=kube,
        http=http,
        election=None,
        heartbeats=heartbeats,
        metrics=metrics,
        watch_liveness=WatchLiveness(heartbeats, namespaces=False),
        own_writes=OwnWrites(),
        start=start,
    )
    operator = build_operator(inputs)
    for number in range(4):
        _ = start(operator.queue.work(operator.reconcile, heartbeat=Heartbeat(60)), f"worker-{number}")
    try:
        yield operator, kube
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await operator.evaluators.aclose()


async def show(operator: Operator, event: str, key: ObjectKey, shown: dict[str, Any]) -> None:
    await on_event(
        operator.context,
        {"type": event, "object": shown},  # type: ignore[typeddict-item]
        types.SimpleNamespace(plural=key.plural),  # type: ignore[arg-type]
    )


async def until_at_rest(operator: Operator) -> None:
    async with asyncio.timeout(30):
        while not operator.queue.is_idle():  # noqa: ASYNC110 - the queue has no event for this
            await asyncio.sleep(0.01)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def ways_to(root: object, key: ObjectKey) -> list[str]:
    """How the key is reached from `root`, by the types that lead to it."""
    seen, ways = {id(root)}, list[str]()
    edge: list[tuple[object, str]] = [(root, type(root).__name__)]
    while edge:
        found, way = edge.pop()
        if isinstance(found, ObjectKey):
            if found == key:
                ways.append(way)
            continue
        if isinstance(found, types.FunctionType):
            referents: list[Any] = [found.__closure__, found.__defaults__, found.__kwdefaults__]
        else:
            referents = gc.get_referents(found)
        for one in referents:
            is_ours = not type(one).__module__.startswith("tests.")
            if id(one) not in seen and not isinstance(one, PASSED_OVER) and is_ours:
                seen.add(id(one))
                edge.append((one, f"{way} > {type(one).__name__}"))
    return ways


@pytest.mark.parametrize("way", ["deleted", "left the selector", "deletion was missed"])
async def test_nothing_is_kept_of_an_object_that_is_gone(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Access, "transport", lambda *_args, **_kwargs: httpx.MockTransport(unreachable))
    cluster, metrics = Cluster(), Metrics()
    async with running(cluster, metrics) as (operator, kube):
        for key in ALL:
            await show(operator, "ADDED", key, cluster.shown(key))
        await until_at_rest(operator)
        assert [key.name for key in ALL if not ways_to(operator, key)] == []
        assert 'nemo_eval_operator_jobs{phase="Running"} 5.0' in metrics.exposition().decode()

        for key in ALL:
            shown = cluster.shown(key)
            if way == "left the selector":
                cluster.objects[key].edit(lambda found: found["metadata"].update(labels={}))
            else:
                cluster.objects[key].manifest = None
            if way != "deletion was missed":
                await show(operator, "DELETED", key, shown)
        await forget_vanished(operator.context, kube, [], LabelSelector.parse("shard=a"))
        await until_at_rest(operator)

        # Of a connection that another operator reconciles this one keeps a session: its jobs may use it.
        gone = [key for key in ALL if way != "left the selector" or key != CONNECTION]
        assert {key.name: ways for key in gone if (ways := ways_to(operator, key))} == {}
        assert 'nemo_eval_operator_jobs{phase="Running"} 0.0' in metrics.exposition().decode()

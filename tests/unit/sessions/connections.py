"""Connections of several namespaces, and the objects that use them, before a Kubernetes API in memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx

from nemo_eval_operator.evaluator.http import Access, EvaluatorClient, ReplaceableTransport
from nemo_eval_operator.kube import KubeClient, ObjectKey, OverHttpx
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from nemo_eval_operator.reconcile import ConnectionReconciler
from nemo_eval_operator.resources import EvaluatorUsed, LabelSelector, NemoEvaluatorConnection
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import (
    CircuitBreaker,
    ConnectionSettings,
    CredentialsReader,
    Evaluator,
    EvaluatorResolver,
    Evaluators,
    JobTracker,
    Opened,
    SlotPool,
)
from nemo_eval_operator.workqueue import RetryLater, WorkQueue
from tests.unit.lifecycle.objects import NOW, benchmark, stamp
from tests.unit.reconcile.one_evaluator import URL, one_evaluator

Manifest = dict[str, Any]

JOB = ObjectKey("nemoevaljobs", "team-a", "qa-llama")


def connection(name: str, *, namespace: str = "team-a", generation: int = 1, **spec: Any) -> Manifest:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"{namespace}-{name}",
            "generation": generation,
            "resourceVersion": str(generation),
            "creationTimestamp": stamp(NOW),
        },
        "spec": {"url": f"http://{name}.test"} | spec,
    }


class KubeApi:
    """Connections, Secrets and ConfigMaps; `asked` are the paths that were read."""

    def __init__(self) -> None:
        self.connections: dict[tuple[str, str], Manifest] = {}
        self.data: dict[str, dict[str, str]] = {}
        """Of Secrets and ConfigMaps by their path."""
        self.asked: list[str] = []
        self.events: list[str] = []
        self.hold: tuple[str, Callable[[str], Awaitable[None]]] | None = None
        """A path, and what is waited for before it is answered."""

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if self.hold is not None and request.url.path == self.hold[0]:
            await self.hold[1](request.url.path)
        return self.respond(request)

    def put(self, *manifests: Manifest) -> None:
        for manifest in manifests:
            meta = manifest["metadata"]
            self.connections[meta["namespace"], meta["name"]] = manifest

    def respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        parts = path.strip("/").split("/")
        if path.endswith("/events"):
            self.events.append(json.loads(request.content)["reason"])
            return httpx.Response(201, json={})
        if "nemoevaluatorconnections" in parts:
            return self._connections(request, parts[4], parts[6:])
        if path not in self.data:
            return httpx.Response(404, json={})
        encode = (lambda text: base64.b64encode(text.encode()).decode()) if "secrets" in parts else str
        data = {key: encode(text) for key, text in self.data[path].items()}
        return httpx.Response(200, json={"metadata": {"name": parts[-1], "uid": "u"}, "data": data})

    def _connections(self, request: httpx.Request, namespace: str, rest: list[str]) -> httpx.Response:
        if not rest:
            items = [one for (of, _), one in self.connections.items() if of == namespace]
            return httpx.Response(200, json={"items": items})
        found = self.connections.get((namespace, rest[0]))
        if found is None:
            return httpx.Response(404, json={})
        if request.method == "PATCH" and rest[1:] == ["status"]:
            found["status"] = json.loads(request.content)[-1]["value"]
        return httpx.Response(200, json=found)


class Stage:
    """An operator whose evaluators all answer `answer`."""

    def __init__(self) -> None:
        self.kube, self.queue = KubeApi(), WorkQueue()
        self.requests: list[httpx.Request] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, json={"data": []})
        transport = httpx.MockTransport(self.kube.answer)
        client = KubeClient(OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport)))
        own = one_evaluator(EvaluatorClient(httpx.AsyncClient(base_url=URL)), self.queue).own
        reader = CredentialsReader(client, loopback=False)
        self.evaluators = Evaluators(own, queue=self.queue, credentials=reader, open_connection=self._open)
        self.resolver = EvaluatorResolver(client, self.evaluators)
        self.connections = ConnectionReconciler(
            kube=client,
            evaluators=self.evaluators,
            resolver=self.resolver,
            queue=self.queue,
            metrics=Metrics(),
            selector=LabelSelector(),
            namespaces=(),
        )

    def _open(self, connection: NemoEvaluatorConnection, terms: ConnectionSettings, access: Access) -> Opened:
        self.opened.append(terms.url)
        access.transport(terms.url, max_connections=1)
        transport = ReplaceableTransport(httpx.MockTransport(self._respond), longest_call=1)
        client = EvaluatorClient(
            httpx.AsyncClient(base_url=terms.url, transport=transport, headers=access.headers)
        )
        tracker = JobTracker()
        evaluator = Evaluator(
            used=EvaluatorUsed(url=terms.url, connection=f"team-a/{connection.metadata.name}"),
            client=client,
            breaker=CircuitBreaker(client, self.queue, tracker, Heartbeat(60)),
            tracker=tracker,
            slot_pool=SlotPool(self.queue, limit=connection.spec.max_running_jobs),
        )
        return Opened(evaluator=evaluator, transport=transport, close=lambda: self.closed.append(terms.url))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer()

    def change(self, *manifests: Manifest) -> None:
        """As a watch event would have it: nothing that was read before is believed."""
        self.kube.put(*manifests)
        self.resolver.invalidate("team-a")

    async def chosen(self, **spec: Any) -> EvaluatorUsed | EvaluatorUnusable:
        return await self.resolver.of_benchmark(benchmark(**spec))

    async def look(self, name: str) -> Manifest:
        """One look at a connection; its status then."""
        with suppress(RetryLater):
            await self.connections.reconcile(ObjectKey("nemoevaluatorconnections", "team-a", name))
        status: Manifest = self.kube.connections["team-a", name]["status"]
        return status


def by(name: str, **ref: str) -> Manifest:
    return {"evaluatorRef": {"name": name, **ref}}


def url_of(chosen: EvaluatorUsed | EvaluatorUnusable) -> str:
    return chosen.url if isinstance(chosen, EvaluatorUsed) else chosen.reason

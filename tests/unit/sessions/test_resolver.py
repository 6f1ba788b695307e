"""Which evaluator is opened for whom, kept, changed and closed; over the real clients, without a network."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import Access, EvaluatorClient, ReplaceableTransport
from nemo_eval_operator.evaluator.model import Unavailable
from nemo_eval_operator.kube import KubeClient, ObjectKey, key_of
from nemo_eval_operator.lifecycle.job import Admitted, EvaluatorUnusable, Queued
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
from nemo_eval_operator.sessions import resolver as choosing
from nemo_eval_operator.workqueue import RetryLater, WorkQueue
from tests.unit.lifecycle.objects import HELD, NOW, benchmark, evaljob, followed, stamp
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
        client = KubeClient(
            httpx.AsyncClient(base_url="https://kube.test", transport=httpx.MockTransport(self.kube.answer))
        )
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


async def test_what_names_none_has_the_default_of_its_namespace_else_the_operators_own() -> None:
    stage = Stage()
    assert url_of(await stage.chosen()) == URL
    stage.change(connection("other"), connection("main", default=True))
    assert url_of(await stage.chosen()) == "http://main.test"
    assert url_of(await stage.chosen(**by("other"))) == "http://other.test"
    assert url_of(await stage.chosen(**by("none"))) == "ConnectionNotFound"


async def test_another_namespaces_connection_has_to_allow_it() -> None:
    stage = Stage()
    stage.kube.put(connection("shared", namespace="team-b"))
    chosen = await stage.chosen(**by("shared", namespace="team-b"))
    assert isinstance(chosen, EvaluatorUnusable)
    assert (chosen.reason, chosen.stalled) == ("ConnectionNotAllowed", True)
    assert stage.opened == [], "nothing is done for it"
    assert not any("secrets" in path for path in stage.kube.asked)


async def test_a_connection_of_another_namespace_is_not_told_from_one_that_does_not_exist() -> None:
    stage = Stage()
    stage.kube.put(connection("shared", namespace="team-b"))
    there = await stage.chosen(**by("shared", namespace="team-b"))
    absent = await stage.chosen(**by("absent", namespace="team-b"))
    elsewhere = await stage.chosen(**by("shared", namespace="no-such-namespace"))

    assert isinstance(there, EvaluatorUnusable)
    assert isinstance(absent, EvaluatorUnusable)
    assert isinstance(elsewhere, EvaluatorUnusable)
    assert absent == replace(there, message=there.message.replace("shared", "absent"))
    assert elsewhere == replace(there, message=there.message.replace("team-b", "no-such-namespace"))


async def test_a_thousand_jobs_read_the_connections_once() -> None:
    stage = Stage()
    stage.kube.put(connection("main", default=True))
    for _ in range(1000):
        await stage.chosen()
    lists = [path for path in stage.kube.asked if path.endswith("/nemoevaluatorconnections")]
    assert (len(lists), stage.opened) == (1, ["http://main.test"])


async def test_what_was_submitted_stays_there_whatever_the_default_and_the_connection_say() -> None:
    stage = Stage()
    record = {"url": "http://main.test", "connection": "team-a/main"}
    running = evaljob(meta=HELD, status=followed(evaluator=record), config={"type": "x"})
    stage.change(connection("main"), connection("newer", default=True))
    assert url_of(await stage.resolver.of_job(running, None)) == "http://main.test"

    stage.change(connection("main", generation=2, url="http://elsewhere.test"))
    assert url_of(await stage.resolver.of_job(running, None)) == "EvaluatorChanged"
    assert "http://elsewhere.test" not in stage.opened

    del stage.kube.connections["team-a", "main"]
    stage.change()
    assert url_of(await stage.resolver.of_job(running, None)) == "ConnectionNotFound"


async def test_the_operators_own_evaluator_is_where_the_administrator_says_it_is() -> None:
    stage = Stage()
    for record in ({"url": URL}, {"url": "http://before.test"}, None):
        running = evaljob(meta=HELD, status=followed(evaluator=record))
        assert url_of(await stage.resolver.of_job(running, None)) == URL
        assert stage.evaluators.find(running.status.evaluator) is stage.evaluators.own
        assert stage.evaluators.own.has(running)


async def test_a_job_goes_where_its_benchmarks_config_is_not_where_the_default_is_now() -> None:
    stage = Stage()
    stage.change(connection("main"), connection("newer", default=True))
    kept = benchmark(status={"evaluator": {"url": "http://main.test", "connection": "team-a/main"}})
    assert url_of(await stage.resolver.of_job(evaljob(), kept)) == "http://main.test"
    assert url_of(await stage.resolver.of_job(evaljob(**by("newer")), kept)) == "EvaluatorMismatch"
    stage.change(connection("main", generation=2, url="http://moved.test"))
    assert url_of(await stage.resolver.of_job(evaljob(), kept)) == "BenchmarkNotReady"


async def test_what_an_older_copy_of_a_connection_says_is_not_acted_on() -> None:
    """A worker may have read it just before the edit."""
    stage = Stage()
    old = connection("main", default=True)
    new = connection("main", generation=2, default=True, url="http://moved.test")
    stage.change(new)
    assert url_of(await stage.chosen()) == "http://moved.test"
    stage.change(old)
    assert url_of(await stage.chosen()) == "ConnectionNotReady"
    assert (stage.opened, stage.closed) == (["http://moved.test"], [])


async def test_a_connection_that_takes_its_leave_back_is_not_used_for_what_runs_there() -> None:
    """Nor on the word of a status, should anybody be able to write one."""
    stage = Stage()
    stage.kube.put(connection("shared", namespace="team-b", url="http://shared.test"))
    record = {"url": "http://shared.test", "connection": "team-b/shared"}
    running = evaljob(meta=HELD, status=followed(evaluator=record), config={"type": "x"})
    assert url_of(await stage.resolver.of_job(running, None)) == "ConnectionNotAllowed"
    kept = benchmark(status={"evaluator": record})
    assert url_of(await stage.resolver.of_job(evaljob(), kept)) == "ConnectionNotAllowed"
    assert stage.opened == []


async def test_another_url_is_another_evaluator_and_the_old_one_is_asked_no_more() -> None:
    stage = Stage()
    stage.kube.put(connection("main", default=True))
    used = await stage.chosen()
    assert isinstance(used, EvaluatorUsed)
    before = stage.evaluators.find(used)
    assert before is not None
    before.waiting.add(JOB)

    stage.change(connection("main", generation=2, default=True, url="http://moved.test"))
    moved = await stage.chosen()

    assert url_of(moved) == "http://moved.test"
    assert stage.evaluators.find(used) is None
    assert stage.closed == ["http://main.test"]
    assert stage.queue.holds(JOB), "who waited there is looked at anew"
    with pytest.raises(Unavailable, match="was changed"):
        await before.client.check()
    assert stage.requests == []


async def test_a_new_secret_keeps_the_evaluator_with_all_that_is_known_of_it() -> None:
    stage = Stage()
    path = "/api/v1/namespaces/team-a/secrets/door"
    auth = {"bearerToken": {"name": "door", "key": "token"}}
    stage.kube.put(connection("main", default=True, auth=auth))
    assert url_of(await stage.chosen()) == "ConnectionNotReady"
    stage.kube.data[path] = {"token": "first-token"}
    used = await stage.chosen()
    assert isinstance(used, EvaluatorUsed)
    evaluator = stage.evaluators.find(used)
    stage.kube.data[path] = {"token": "second-token"}
    await stage.look("main")
    assert stage.evaluators.find(used) is evaluator
    assert (stage.opened, stage.closed) == (["http://main.test"], [])
    assert evaluator is not None
    assert evaluator.client.known.of(None).hide("second-token or first-token") == "****** or ******"
    await stage.evaluators.aclose()


@pytest.mark.parametrize("value", ["two\nlines", "é", " \n", "a\x00b"])
async def test_what_cannot_be_a_header_is_named_by_its_field(value: str) -> None:
    stage = Stage()
    stage.kube.data["/api/v1/namespaces/team-a/secrets/door"] = {"token": value}
    stage.kube.put(connection("main", auth={"bearerToken": {"name": "door", "key": "token"}}))
    status = await stage.look("main")
    assert status["conditions"][0]["reason"] == "ConnectionNotReady"
    assert status["message"].startswith("spec.auth.bearerToken: key 'token' of Secret door has to be")
    assert [condition["type"] for condition in status["conditions"]] == ["Ready", "Stalled"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"url": "http://xn--"}, "spec.url: http://xn-- cannot be used"),
        ({"url": "https://xn--a.test/"}, "spec.url: https://xn--a.test cannot be used"),
        ({"tls": {"ca": {"configMapKeyRef": {"name": "ca", "key": "accent"}}}}, "spec.tls: the CA bundle"),
    ],
)
async def test_what_a_connection_cannot_be_made_of_is_named_by_its_field(spec: Manifest, said: str) -> None:
    stage = Stage()
    stage.kube.data["/api/v1/namespaces/team-a/configmaps/ca"] = {"accent": "é"}
    stage.kube.put(connection("main", **spec))
    status = await stage.look("main")
    assert status["conditions"][0]["reason"] == "ConnectionNotReady"
    assert status["message"].startswith(said)
    assert [condition["type"] for condition in status["conditions"]] == ["Ready", "Stalled"]
    chosen = await stage.chosen(**by("main"))
    assert isinstance(chosen, EvaluatorUnusable)
    assert said in chosen.message


async def test_what_nobody_has_thought_of_makes_one_connection_unusable_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage()
    stage.kube.put(connection("main"))

    def fail(*_: object, **__: object) -> None:
        raise LookupError(stage)

    monkeypatch.setattr(Access, "transport", fail)
    status = await stage.look("main")
    assert status["conditions"][0]["reason"] == "InternalError"
    assert "LookupError" in status["message"]
    assert isinstance(await stage.chosen(**by("main")), EvaluatorUnusable)
    assert "in fail" in caplog.text
    assert repr(stage) not in caplog.text + status["message"]


async def test_a_connection_says_when_a_loop_of_its_own_fails() -> None:
    stage = Stage()
    stage.kube.put(connection("main"))
    await stage.look("main")
    evaluator = stage.evaluators.find(EvaluatorUsed(url="http://main.test", connection="team-a/main"))
    assert evaluator is not None

    async def fail() -> None:
        raise LookupError

    loop = asyncio.create_task(evaluator.bulkhead.run("poller", fail, Heartbeat(60)))
    await asyncio.sleep(0)
    status = await stage.look("main")
    assert status["conditions"][0]["reason"] == "InternalError"
    assert "poller (LookupError)" in status["message"]
    assert [condition["type"] for condition in status["conditions"]] == ["Ready", "Reconciling"]
    loop.cancel()


async def test_secrets_and_config_maps_are_read_in_the_connections_own_namespace_only() -> None:
    stage = Stage()
    tls = {
        "ca": {"configMapKeyRef": {"name": "bundle", "key": "ca.crt"}},
        "clientCertificate": {"name": "own"},
    }
    auth = {
        "bearerToken": {"name": "door", "key": "token"},
        "headers": [{"name": "X-A", "secretKeyRef": {"name": "other", "key": "a"}}],
    }
    for path, keys in {
        "secrets/door": ["token"],
        "secrets/other": ["a"],
        "secrets/own": ["tls.crt", "tls.key"],
        "configmaps/bundle": ["ca.crt"],
    }.items():
        stage.kube.data[f"/api/v1/namespaces/team-a/{path}"] = dict.fromkeys(keys, "no-pem")
    stage.kube.put(connection("main", tls=tls, auth=auth, allowedNamespaces=["team-b"]))
    guest = benchmark(meta={"namespace": "team-b"}, **by("main", namespace="team-a"))
    assert isinstance(await stage.resolver.of_benchmark(guest), EvaluatorUnusable), "no PEM"
    read = [path for path in stage.kube.asked if "/api/v1/" in path]
    assert read
    assert {path.split("/")[4] for path in read} == {"team-a"}


async def test_a_connection_tells_of_its_evaluator_and_is_written_once() -> None:
    stage = Stage()
    stage.kube.put(connection("main"))
    status = await stage.look("main")
    assert (status["url"], status["jobsRunning"], status["jobsWaiting"]) == ("http://main.test", 0, 0)
    assert status["conditions"][0]["reason"] == "Reachable"
    patches = len(stage.kube.events)
    await stage.look("main")
    assert len(stage.kube.events) == patches

    stage.answer = lambda: httpx.Response(503, json={"detail": "starting"})
    status = await stage.look("main")
    assert status["conditions"][0]["reason"] == "ServerError"
    probed = len(stage.requests)
    await stage.look("main")
    assert len(stage.requests) == probed, "the gate probes, and nobody else"


async def test_the_limit_of_a_connection_holds_from_its_edit_on() -> None:
    stage = Stage()
    stage.kube.put(connection("main", default=True))
    used = await stage.chosen()
    assert isinstance(used, EvaluatorUsed)
    evaluator = stage.evaluators.find(used)
    assert evaluator is not None
    one, two, three = (evaljob(meta={"name": name}) for name in ("one", "two", "three"))
    assert [evaluator.slot_pool.ask(job) for job in (one, two)] == [Admitted(), Admitted()]

    stage.change(connection("main", generation=2, default=True, maxRunningJobs=1))
    assert await stage.chosen() == used
    assert evaluator.slot_pool.ask(three) == Queued(place=1, limit=1)
    evaluator.slot_pool.release(key_of(one))
    assert evaluator.slot_pool.running == 1, "who had a place keeps it"
    assert not stage.queue.holds(key_of(three))

    stage.change(connection("main", generation=3, default=True))
    assert await stage.chosen() == used
    assert stage.queue.holds(key_of(three)), "its turn has come"


async def test_a_gate_that_is_told_to_hurry_does_not_wait_out_its_backoff() -> None:
    changes: list[bool] = []
    reached = asyncio.Event()
    client = EvaluatorClient(
        httpx.AsyncClient(
            base_url=URL,
            transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"data": []})),
        )
    )

    def note() -> None:
        changes.append(breaker.outage is None)
        if breaker.outage is None:
            reached.set()

    breaker = CircuitBreaker(client, WorkQueue(), JobTracker(), Heartbeat(60), on_change=note)
    running = asyncio.create_task(breaker.run())
    breaker.trip(Unavailable("slow down", status_code=429, retry_after=300))
    breaker.trip(Unavailable("slow down", status_code=429, retry_after=300))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while not reached.is_set():
            breaker.probe_soon()
            await asyncio.sleep(0.01)
    assert changes == [False, True], "told once each way"
    running.cancel()


async def test_why_a_connection_is_stalled_is_known_to_its_benchmarks() -> None:
    stage = Stage()
    stage.change(connection("main"))
    used = EvaluatorUsed(url="http://main.test", connection="team-a/main")
    await stage.look("main")
    assert await stage.resolver.stalled(used) is None
    stage.answer = lambda: httpx.Response(403, json={"detail": "no"})
    stage.change(connection("main", generation=2))
    await stage.look("main")
    stage.resolver.invalidate("team-a")
    stalled = await stage.resolver.stalled(used)
    assert stalled is not None
    assert (stalled.reason, stalled.stalled) == ("Unauthorized", True)
    assert stalled.message.startswith("NemoEvaluatorConnection team-a/main: ")
    # What was found for an earlier spec says nothing of the present one.
    stage.kube.connections["team-a", "main"]["metadata"]["generation"] = 3
    stage.resolver.invalidate("team-a")
    assert await stage.resolver.stalled(used) is None
    assert await stage.resolver.stalled(EvaluatorUsed(url="http://own.test")) is None


@pytest.mark.parametrize("before", ["opened", "new"])
async def test_a_connection_that_is_deleted_while_its_credentials_are_read_stays_closed(before: str) -> None:
    stage = Stage()
    auth = {"bearerToken": {"name": "door", "key": "token"}}
    path = "/api/v1/namespaces/team-a/secrets/door"
    stage.kube.data[path] = {"token": "token"}
    stage.kube.put(connection("main", auth=auth))
    if before == "opened":
        await stage.look("main")
        stage.change(connection("main", generation=2, url="http://moved.test", auth=auth))
    is_read, may_answer = asyncio.Event(), asyncio.Event()

    async def hold(_: str) -> None:
        is_read.set()
        await may_answer.wait()

    stage.kube.hold = (path, hold)
    looking = asyncio.create_task(stage.chosen(**by("main")) if before == "new" else stage.look("main"))
    await asyncio.wait_for(is_read.wait(), 10)
    found = stage.kube.connections.pop(("team-a", "main"))
    await stage.connections.reconcile(ObjectKey("nemoevaluatorconnections", "team-a", "main"))
    stage.kube.connections["team-a", "main"] = found
    may_answer.set()
    await looking

    assert [one.used.url for one in stage.evaluators] == [URL]


async def test_an_old_copy_of_a_deleted_connection_does_not_open_it_again() -> None:
    stage = Stage()
    copy = NemoEvaluatorConnection.model_validate(connection("main"))

    chosen = await stage.evaluators.of(copy)

    assert isinstance(chosen, EvaluatorUnusable)
    assert (chosen.reason, stage.opened) == ("ConnectionNotFound", [])


async def test_made_up_namespaces_are_kept_in_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "MAX_LISTS", 10)
    stage = Stage()
    for number in range(30):
        chosen = await stage.chosen(**by("main", namespace=f"made-up-{number}"))
        assert isinstance(chosen, EvaluatorUnusable)
    before = len(stage.kube.asked)
    await stage.chosen(**by("main", namespace="made-up-29"))
    assert len(stage.kube.asked) == before, "the last ones are kept"
    await stage.chosen(**by("main", namespace="made-up-0"))
    assert len(stage.kube.asked) == before + 1


async def test_many_connections_are_not_read_again_at_each_change_of_one_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "MANY_CONNECTIONS", 5)
    monkeypatch.setattr(choosing, "REST_PER_CONNECTION", 100)
    stage = Stage()
    stage.kube.put(*(connection(f"c-{number}") for number in range(6)))
    for generation in range(2, 20):
        stage.change(connection("c-0", generation=generation))
        await stage.chosen(**by("c-0"))

    assert len([path for path in stage.kube.asked if path.endswith("/nemoevaluatorconnections")]) == 1

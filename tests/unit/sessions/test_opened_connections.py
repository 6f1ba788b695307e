"""Opened connections: edits, rotated Secrets, failures and deletions reach the session of their evaluator."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from nemo_eval_operator.evaluator.http import Access, EvaluatorClient
from nemo_eval_operator.evaluator.model import Unavailable
from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle.job import Admitted, EvaluatorUnusable, Queued
from nemo_eval_operator.resources import EvaluatorUsed, NemoEvaluatorConnection
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import (
    CircuitBreaker,
    JobTracker,
)
from nemo_eval_operator.sessions import resolver as choosing
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.lifecycle.objects import benchmark, evaljob
from tests.unit.reconcile.one_evaluator import URL
from tests.unit.sessions.connections import JOB, Manifest, Stage, by, connection, url_of


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

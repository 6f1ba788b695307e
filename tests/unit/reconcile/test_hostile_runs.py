"""What a hostile evaluator or tenant does to evidence and gates delays and breaks nothing of others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from nemo_eval_operator import kept_evidence
from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import KnownSecrets
from nemo_eval_operator.gates import Evidence
from nemo_eval_operator.kube import KubeClient, key_of
from nemo_eval_operator.lifecycle.job import Judged
from nemo_eval_operator.reconcile.job import evidence, gate
from nemo_eval_operator.reconcile.job.evidence import EvidenceStore, KeptDocument
from nemo_eval_operator.reconcile.job.gate import GateJudge
from nemo_eval_operator.resources import EvidenceRef, NemoEvalJob
from tests.unit.evaluator.scripted import Scripted
from tests.unit.gates.documents import NAME, document, stats
from tests.unit.lifecycle.objects import evaljob, followed
from tests.unit.reconcile.api_server import CONFIG_MAPS, ApiServer

URL = "http://evaluator.test"
OWN = evaljob(status=followed(evaluator={"url": URL}))
OF_CONNECTION = evaljob(status=followed(evaluator={"url": URL, "connection": "team-b/theirs"}))
OF_THIRD = evaljob(status=followed(evaluator={"url": URL, "connection": "team-c/theirs"}))
RESULTS = {"job": "eval-1", "groups": {}, **document(stats([1.0, 0.0, 1.0]))}


async def keep(store: EvidenceStore, client: EvaluatorClient, job: NemoEvalJob) -> EvidenceRef | None:
    shown = await client.get_results("eval-1")
    kept = KeptDocument(json.dumps(RESULTS), truncated=False)
    found = await store.evidence_of_run(job, shown, kept)
    return None if found is None else await store.keep(client, job, found, client.known.of(key_of(job)))


@pytest.mark.parametrize("other", [OWN, OF_THIRD], ids=["own evaluator", "another namespace's connection"])
async def test_slow_archives_of_a_tenants_connections_do_not_delay_others(other: NemoEvalJob) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/download-results"):
            asked.set()
            await never.wait()
        return httpx.Response(200, json=RESULTS)

    http = httpx.AsyncClient(base_url=URL, transport=httpx.MockTransport(slow))
    store = EvidenceStore(ApiServer().client)
    client = EvaluatorClient(http, known=KnownSecrets())
    theirs = [asyncio.create_task(keep(store, client, OF_CONNECTION)) for _ in range(5)]
    async with asyncio.timeout(20):
        await asked.wait()
    own = Scripted(lambda _: httpx.Response(200, json=RESULTS)).client

    async with asyncio.timeout(20):
        assert await keep(store, own, other) is not None

    assert not any(task.done() for task in theirs)
    for task in theirs:
        task.cancel()


def breaks(*_: object) -> Evidence:
    raise ZeroDivisionError("hunter2")


async def test_evidence_that_cannot_be_made_does_not_hold_up_the_results(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(evidence, "evidence_of", breaks)
    client = Scripted(lambda _: httpx.Response(200, json=RESULTS)).client

    assert await keep(EvidenceStore(ApiServer().client), client, OWN) is None

    assert "ZeroDivisionError in breaks" in caplog.text
    assert "hunter2" not in caplog.text


def gated(namespace: str, **baseline: object) -> NemoEvalJob:
    criterion = {"score": NAME, "minimum": 0.5} | ({"maxDrop": 0.1} if baseline else {})
    document = {"criteria": [criterion]} | ({"baseline": baseline} if baseline else {})
    status = followed(resultsRef={"configMap": "results", "key": "results.json"})
    return evaljob(meta={"namespace": namespace}, status=status, gate=document)


def server_with_results() -> ApiServer:
    server = ApiServer()
    server.documents[f"{CONFIG_MAPS}/results"] = {
        "metadata": {"name": "results"},
        "data": {"results.json": json.dumps(RESULTS)},
    }
    return server


@pytest.mark.parametrize(("module", "function"), [(kept_evidence, "evidence_of"), (gate, "judge")])
async def test_numbers_that_break_the_judging_give_a_verdict(
    module: object, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, function, breaks)
    kube = server_with_results().client

    found = (await GateJudge(kube, EvidenceStore(kube)).judge(gated("team-a"), may_wait=False)).found

    assert isinstance(found, Judged)
    assert [one.reason for one in found.judgement.criteria] == ["EvidenceUnreadable"]


async def test_a_long_list_for_a_baseline_delays_no_gate_of_another_namespace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists = asyncio.Semaphore(0)
    never = asyncio.Event()

    async def long(*_: object, **__: object) -> AsyncIterator[dict[str, object]]:
        lists.release()
        await never.wait()
        yield {}

    monkeypatch.setattr(KubeClient, "list_all", long)
    kube = server_with_results().client
    judge = GateJudge(kube, EvidenceStore(kube))
    selector = {"matchLabels": {"app": "theirs"}}
    others = [
        asyncio.create_task(judge.judge(gated(namespace, selector=selector), may_wait=False))
        for namespace in ("team-b", "team-c")
    ]
    for _ in others:
        await lists.acquire()

    async with asyncio.timeout(20):
        found = await judge.judge(gated("team-a"), may_wait=False)

    assert isinstance(found.found, Judged)
    for other in others:
        other.cancel()

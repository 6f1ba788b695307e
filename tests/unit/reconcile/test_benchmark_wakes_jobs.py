"""A job that waits for a benchmark says at once why that is not ready, and nothing before it is known."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle import FINALIZER, event_of_change
from nemo_eval_operator.lifecycle.conditions import ConditionSet, Outcome, conditions_of
from nemo_eval_operator.lifecycle.job import BenchmarkUnusable
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.reconcile import BenchmarkReconciler, BenchmarkWaiters, SecretReader
from nemo_eval_operator.reconcile.job.benchmark_of_job import BenchmarkOfJob
from nemo_eval_operator.resources import BENCHMARK_PLURAL, EVALJOB_PLURAL, LabelSelector
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import EvaluatorResolver
from nemo_eval_operator.workqueue import RetryLater, WorkQueue
from tests.unit.lifecycle.objects import NOW, evaljob
from tests.unit.reconcile.objects_api import ObjectsApi
from tests.unit.reconcile.one_evaluator import one_evaluator

BENCHMARK = ObjectKey(BENCHMARK_PLURAL, "team-a", "qa")
JOB = ObjectKey(EVALJOB_PLURAL, "team-a", "qa-llama")


def document(**spec: Any) -> dict[str, Any]:
    meta = {"name": "qa", "namespace": "team-a", "uid": "u", "generation": 1, "finalizers": [FINALIZER]}
    return {"metadata": meta, "spec": {"config": {"type": "gsm8k"}} | spec, "status": {}}


class Stage:
    """A benchmark, one job that waits for it, and an evaluator that answers every write with `code`."""

    def __init__(self, manifest: dict[str, Any], *, code: int = 422) -> None:
        self.kube, self.code = ObjectsApi(manifest), code
        transport = httpx.MockTransport(self._answer)
        client = EvaluatorClient(httpx.AsyncClient(base_url="http://evaluator.test", transport=transport))
        self.queue, waiting = WorkQueue(), BenchmarkWaiters()
        secrets, evaluators = SecretReader(self.kube.client), one_evaluator(client, self.queue)
        self.benchmark_of = BenchmarkOfJob(self.kube.client, self.queue, waiting, secrets)
        self.benchmarks = BenchmarkReconciler(
            kube=self.kube.client,
            evaluators=evaluators,
            resolver=EvaluatorResolver(self.kube.client, evaluators),
            queue=self.queue,
            waiting=waiting,
            secrets=secrets,
            metrics=Metrics(),
            selector=LabelSelector(),
            tenancy=Tenancy(),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(404 if request.method == "GET" else self.code, json={"detail": "no"})

    async def read(self) -> BenchmarkUnusable:
        found = await self.benchmark_of.read(evaljob())
        assert isinstance(found, BenchmarkUnusable)
        return found

    async def look(self) -> None:
        try:
            await self.benchmarks.reconcile(BENCHMARK)
        except RetryLater:
            return


MISSING_SECRET = [{"targetPath": "params.extra.k", "secretKeyRef": {"name": "gone", "key": "k"}}]
MASKED = {"type": "gsm8k", "params": {"extra": {"k": "******"}}}

UNREADY = {
    "refused by the evaluator": (document(), 422),
    "the evaluator fails": (document(), 500),
    "its Secret is missing": (document(valuesFrom=MISSING_SECRET), 422),
    "its values cannot be used": (document(config=MASKED), 422),
    "its spec cannot be read": (document(config=7), 422),
}


@pytest.mark.parametrize("name", UNREADY)
async def test_a_benchmark_that_becomes_not_ready_wakes_the_jobs_that_wait_for_it(name: str) -> None:
    manifest, code = UNREADY[name]
    stage = Stage(manifest, code=code)
    await stage.read()
    await stage.look()
    assert stage.queue.holds(JOB)

    assert stage.kube.manifest is not None
    assert stage.kube.manifest["status"]["message"] in (await stage.read()).message


async def test_a_benchmark_that_stays_not_ready_wakes_them_once() -> None:
    stage = Stage(document())
    await stage.read()
    await stage.look()
    woken, stage.queue.add = [], lambda key, **_: woken.append(key)  # type: ignore[method-assign]
    await stage.read()
    await stage.look()

    assert woken == []


async def test_of_a_benchmark_that_was_not_reconciled_yet_a_job_posts_no_event() -> None:
    """Both are applied together: it is reconciled in a moment."""
    found = await Stage(document()).read()
    assert found.message == "NemoBenchmark qa is not ready: it has not been reconciled yet"

    first = conditions_of(
        Outcome(ConditionSet.WORKING, found.reason, found.message), previous=[], generation=1, now=NOW
    )
    assert event_of_change([], first) is None
    rejected = Outcome(
        ConditionSet.WORKING, Reason.BENCHMARK_NOT_READY, "NemoBenchmark qa is not ready: refused"
    )
    event = event_of_change(first, conditions_of(rejected, previous=first, generation=1, now=NOW))
    assert event is not None
    assert event.reason == "BenchmarkNotReady"


async def test_a_job_learns_that_the_rows_of_its_benchmark_were_deleted() -> None:
    rows = {"configMapRef": {"name": "questions", "key": "rows.json"}}
    stage = Stage(document(config={"type": "custom", "tasks": {"t": {"type": "data", "dataset": rows}}}))
    assert stage.kube.manifest is not None
    ready = conditions_of(
        Outcome(ConditionSet.READY, Reason.CONFIG_READY, ""), previous=[], generation=1, now=NOW
    )
    stage.kube.manifest["status"] = {
        "observedGeneration": 1,
        "conditions": [condition.to_manifest() for condition in ready],
        "configMaps": [{"name": "questions", "uid": "u", "resourceVersion": "1"}],
    }
    said = "its ConfigMaps were changed or deleted; it is being reconciled"

    assert (await stage.read()).message == f"NemoBenchmark qa is not ready: {said}"
    assert stage.queue.holds(BENCHMARK)


async def test_an_earlier_generations_status_is_not_repeated() -> None:
    stage = Stage(document())
    await stage.look()
    assert stage.kube.manifest is not None
    stage.kube.manifest["metadata"]["generation"] = 2

    assert (await stage.read()).reason == "BenchmarkReconciling"

"""An object that is deleted while its finalizer is refused is forgotten, and nothing is raised."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reconcile import (
    BenchmarkReconciler,
    BenchmarkWaiters,
    ConnectionReconciler,
    SecretReader,
)
from nemo_eval_operator.resources import BENCHMARK_PLURAL, CONNECTION_PLURAL, LabelSelector
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import EvaluatorResolver
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.reconcile.answers import KEY, Evaluator, Stage, answer, manifest
from tests.unit.reconcile.objects_api import ObjectsApi
from tests.unit.reconcile.one_evaluator import one_evaluator


def deleted_when_claimed(manifest: dict[str, Any]) -> ObjectsApi:
    """An API server on which the object goes away with the write of the finalizer, which is refused."""
    kube = ObjectsApi(manifest)

    def refuse(request: httpx.Request) -> bool:
        if request.method != "PATCH" or request.url.path.endswith("/status"):
            return False
        kube.manifest = None
        return True

    kube.refuse = refuse
    return kube


async def test_a_job_that_is_deleted_while_its_finalizer_is_refused_is_forgotten() -> None:
    kube = deleted_when_claimed(manifest(meta={"finalizers": []}))
    stage = Stage(Evaluator(lambda _: False, answer(200)), kube)
    stage.slot_pool.allow(1)

    assert await stage.jobs.reconcile(KEY) is None
    assert (stage.kube.manifest, stage.slot_pool.running) == (None, 0)


@pytest.mark.parametrize("plural", [BENCHMARK_PLURAL, CONNECTION_PLURAL])
async def test_so_are_a_benchmark_and_a_connection(plural: str) -> None:
    meta = {"name": "qa", "namespace": "team-a", "uid": "u", "generation": 1, "finalizers": []}
    spec = {"config": {"type": "gsm8k"}} if plural == BENCHMARK_PLURAL else {"url": "http://qa.test"}
    kube = deleted_when_claimed({"metadata": meta, "spec": spec, "status": {}})
    answers = httpx.MockTransport(lambda _: httpx.Response(404, json={"detail": "no such config"}))
    queue = WorkQueue()
    evaluators = one_evaluator(
        EvaluatorClient(httpx.AsyncClient(base_url="http://evaluator.test", transport=answers)), queue
    )
    resolver, metrics, selector = EvaluatorResolver(kube.client, evaluators), Metrics(), LabelSelector()
    benchmarks = BenchmarkReconciler(
        kube=kube.client,
        evaluators=evaluators,
        resolver=resolver,
        queue=queue,
        waiting=BenchmarkWaiters(),
        secrets=SecretReader(kube.client),
        metrics=metrics,
        selector=selector,
        tenancy=Tenancy(),
    )
    connections = ConnectionReconciler(
        kube=kube.client,
        evaluators=evaluators,
        resolver=resolver,
        queue=queue,
        metrics=metrics,
        selector=selector,
        namespaces=(),
    )
    reconciler = benchmarks if plural == BENCHMARK_PLURAL else connections

    assert await reconciler.reconcile(ObjectKey(plural, "team-a", "qa")) is None
    assert kube.manifest is None

"""What the reconcilers keep of an object ends when the object is gone or is another operator's."""

from __future__ import annotations

import asyncio
import gc

import httpx

from nemo_eval_operator.evaluator.http import Access, EvaluatorClient
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from nemo_eval_operator.lifecycle.requests import Tenancy
from nemo_eval_operator.reconcile import BenchmarkReconciler, BenchmarkWaiters, SecretReader
from nemo_eval_operator.reconcile.lanes import put_in_lane
from nemo_eval_operator.resources import (
    BENCHMARK_PLURAL,
    CONNECTION_PLURAL,
    EVALJOB_PLURAL,
    EvaluatorUsed,
    LabelSelector,
    NemoEvaluatorConnection,
)
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import (
    ConnectionSettings,
    CredentialsReader,
    EvaluatorResolver,
    Evaluators,
    Opened,
)
from nemo_eval_operator.workqueue import WorkQueue
from tests.unit.lifecycle.objects import benchmark
from tests.unit.reconcile.objects_api import ObjectsApi
from tests.unit.reconcile.one_evaluator import URL, one_evaluator

BENCHMARK = ObjectKey(BENCHMARK_PLURAL, "team-a", "qa")
JOB = ObjectKey(EVALJOB_PLURAL, "team-a", "qa-llama")
CONNECTION = ObjectKey(CONNECTION_PLURAL, "team-a", "gpu")


async def test_nothing_is_kept_of_a_benchmark_that_leaves_the_selector() -> None:
    api = ObjectsApi(benchmark().model_dump(mode="json", by_alias=True))
    queue, waiting = WorkQueue(), BenchmarkWaiters()
    evaluators = one_evaluator(EvaluatorClient(httpx.AsyncClient(base_url=URL)), queue)
    resolver = EvaluatorResolver(api.client, evaluators)
    benchmarks = BenchmarkReconciler(
        kube=api.client,
        evaluators=evaluators,
        resolver=resolver,
        queue=queue,
        waiting=waiting,
        secrets=SecretReader(api.client),
        metrics=Metrics(),
        selector=LabelSelector.parse("shard=another"),
        tenancy=Tenancy(),
    )
    await resolver.of_benchmark(benchmark())
    put_in_lane(queue.states, BENCHMARK, EvaluatorUsed(url=URL, connection="team-a/gpu"))
    waiting.add(benchmark=BENCHMARK, job=JOB)
    assert resolver.depending_on(CONNECTION) == [BENCHMARK]

    await benchmarks.reconcile(BENCHMARK)

    assert resolver.depending_on(CONNECTION) == []
    assert BENCHMARK not in queue.states
    assert queue.holds(JOB), "it waits for another operator's benchmark now, and has to look for itself"


async def test_locks_end_with_the_calls_that_hold_them() -> None:
    api, queue = ObjectsApi(benchmark().model_dump(mode="json", by_alias=True)), WorkQueue()
    own = one_evaluator(EvaluatorClient(httpx.AsyncClient(base_url=URL)), queue).own
    credentials = CredentialsReader(api.client, loopback=False)
    evaluators = Evaluators(own, queue=queue, credentials=credentials, open_connection=never)
    resolver = EvaluatorResolver(api.client, evaluators)
    before = locks()

    for number in range(20):
        connection = NemoEvaluatorConnection.model_validate(
            {
                "metadata": {"name": f"gpu-{number}", "namespace": f"team-{number}", "uid": str(number)},
                "spec": {"url": "http://gpu.test", "auth": {"bearerToken": {"name": "none", "key": "token"}}},
            }
        )
        assert isinstance(await evaluators.of(connection), EvaluatorUnusable)
        await resolver.connections(f"team-{number}")

    assert locks() == before


def never(_connection: NemoEvaluatorConnection, _terms: ConnectionSettings, _access: Access) -> Opened:
    raise AssertionError("its Secret is missing")


def locks() -> int:
    gc.collect()
    return sum(isinstance(found, asyncio.Lock) for found in gc.get_objects())

"""Watches of the Kubernetes API that say something odd are opened again, by the same process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from testbed.cluster import Cluster
from testbed.faults import Exchange, FaultProxy, Upstream, proxied_kubeconfig
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.conftest import CRDS
from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import JOB, Scenario, data_benchmark, data_job, eventually
from tests.e2e.test_release_finalizers import release


def error(code: int) -> bytes:
    status = {"kind": "Status", "apiVersion": "v1", "code": code, "message": "odd", "reason": "Odd"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


PAGE = b"<html><body>Service temporarily unavailable</body></html>\n"

ODD = [
    (403, b'{"kind":"Status","code":403,"message":"forbidden"}'),
    (504, PAGE),
    (200, error(500)),
    (200, error(403)),
    (200, b'{"type":"MODIFIED","object":{"apiVersion":"evalua'),
    (200, PAGE),
    (200, b'{"type":"ADDED","object":{"metadata":null}}\n'),
]
"""What a watch is answered with, each once."""


class OddWatches:
    """Answers each watch of NemoEvalJobs with the next oddity, until all of them were met."""

    def __init__(self) -> None:
        self.left = list(ODD)

    def __call__(self, exchange: Exchange) -> tuple[int, bytes] | None:
        is_watch = "watch" in parse_qs(exchange.query)
        if not self.left or not is_watch or not exchange.path.endswith("/nemoevaljobs"):
            return None
        return self.left.pop(0)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(Upstream.of_kubeconfig(cluster.kubeconfig)) as proxy:
        yield proxy


def test_a_watch_that_says_something_odd_is_opened_again(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    scenario, odd = Scenario(cluster, namespace, evaluator_url), OddWatches()
    kubeconfig = proxied_kubeconfig(cluster.kubeconfig, proxy_url=proxy.url, target=tmp_path / "kubeconfig")
    with Processes() as processes:
        start_operator(
            processes,
            tmp_path,
            kubeconfig=kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
        )
        scenario.apply(data_benchmark(), data_job("before"))
        scenario.until_phase("before", "Succeeded")
        proxy.instead = odd
        proxy.disable()
        # Each pause is up to twice as long as the one before.
        eventually(lambda: not odd.left, "all oddities were met", seconds=400)
        scenario.apply(data_job("after"))
        scenario.until_phase("after", "Succeeded", seconds=120)
        scenario.kubectl("delete", JOB, "after", "--timeout=30s")
        processes.check()
        (operator,) = processes
        operator.terminate()
        assert operator.wait(30) == 0, "it still ends when it is asked to"
        processes.remove(operator)


def test_the_crds_may_be_deleted_and_created_again_under_a_running_operator(stack: OperatorStack) -> None:
    if not stack.cluster.throwaway:
        pytest.skip("all objects of a cluster that is not ours would go with them")
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    stack.start_evaluator()
    operator = stack.start_operator()

    def log() -> str:
        return operator.program.log.read_text()

    # What other tests left behind has finalizers, and no operator.
    assert release(stack.cluster.kubeconfig).returncode == 0
    try:
        stack.cluster.kubectl("delete", "--timeout=50s", "-f", str(CRDS))
        eventually(lambda: "does not serve nemoevaluatorconnections yet" in log(), "it waits", seconds=120)
    finally:
        stack.cluster.apply_crds()

    scenario.apply(data_benchmark(), data_job("after"))
    scenario.until_phase("after", "Succeeded", seconds=120)
    assert log().count("does not serve nemoevaluatorconnections yet") == 1
    assert "Traceback" not in log(), "neither our own nor Kopf's"

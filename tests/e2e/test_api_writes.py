"""Writes to the Kubernetes API over the life of a job without trouble, counted by a proxy before it."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.faults import Exchange, FaultProxy, Moment, Upstream, proxied_kubeconfig
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, data_benchmark, data_job, eventually

NAME = "counted"

LIFE = [
    "finalizer and mark",
    "intent",
    "remote job",
    "ConfigMap counted-results: config.json, evidence.json, items.zlib, results.json",
    "Succeeded",
    "finalizer removed",
]
"""Writes of a job whose results document has all items. Progress that is observed adds writes of the remote
job's status, and evidence that is read from the run's files a ConfigMap."""


class Writes:
    """Observer of the writes about one job."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    def __call__(self, exchange: Exchange, moment: Moment) -> bool:
        if moment is Moment.ARRIVED and exchange.method != "GET":
            self._note(exchange)
        return False

    @property
    def seen(self) -> list[str]:
        """Return them in order, those of progress together."""
        return [write for write, _ in groupby(self._seen)]

    def _note(self, exchange: Exchange) -> None:
        if exchange.path.endswith((f"/nemoevaljobs/{NAME}", f"/nemoevaljobs/{NAME}/status")):
            values = {part["path"]: part.get("value") for part in json.loads(exchange.body)}
            self._seen.append(_of_job(values))
        elif exchange.path.endswith(("/configmaps", "/events")):
            document = json.loads(exchange.body)
            if document["metadata"]["name"].startswith(NAME):
                keys = sorted({**document.get("data", {}), **document.get("binaryData", {})})
                kind, name = document["kind"], document["metadata"]["name"]
                self._seen.append(f"{kind} {name}: {', '.join(keys)}")


def _of_job(values: dict[str, Any]) -> str:
    if "/metadata/finalizers" in values:
        return "finalizer and mark" if values["/metadata/finalizers"] else "finalizer removed"
    status = values["/status"]
    if "completionTime" in status:
        return str(status["phase"])
    return "remote job" if "jobId" in status else "intent"


def test_a_job_costs_six_writes(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    scenario, writes = Scenario(cluster, namespace, evaluator_url), Writes()
    with FaultProxy(Upstream.of_kubeconfig(cluster.kubeconfig)) as proxy, Processes() as processes:
        proxy.observers.append(writes)
        target = tmp_path / "kubeconfig"
        kubeconfig = proxied_kubeconfig(cluster.kubeconfig, proxy_url=proxy.url, target=target)
        start_operator(
            processes,
            tmp_path,
            kubeconfig=kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
        )
        scenario.apply(data_benchmark())
        scenario.until_reason(BENCHMARK, "rows", "ConfigReady")

        scenario.apply(data_job(NAME))
        scenario.until_phase(NAME, "Succeeded")
        eventually(lambda: not scenario.finalizers(JOB, NAME), "nothing holds it")

    assert writes.seen == LIFE

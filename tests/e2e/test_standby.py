"""/readyz of a standby is 200 only while it could take over, before the real API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from testbed.cluster import Cluster
from tests.e2e.cuttable_proxy import CuttableProxy
from tests.e2e.replicas import Replica, Replicas
from tests.e2e.scenario import Scenario, eventually

KINDS = ["nemoevaljobs", "nemobenchmarks", "nemoevaluatorconnections"]
LISTS = {"apiGroups": ["evaluator.nemo.dev"], "resources": KINDS, "verbs": ["list", "watch", "get"]}
LEASE = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]}


@pytest.fixture
def cuttable_proxy(cluster: Cluster) -> Iterator[CuttableProxy]:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    with CuttableProxy(int(server.rpartition(":")[2])) as cuttable_proxy:
        yield cuttable_proxy


def readiness(replica: Replica) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(replica.health_url.replace("healthz", "readyz"), timeout=5)
    return answer.status_code, answer.json()


def until(replica: Replica, code: int, document: dict[str, Any]) -> None:
    eventually(lambda: readiness(replica) == (code, document), f"{code} {document}, now {readiness(replica)}")


def test_a_standby_is_ready_only_while_it_could_take_over(
    cluster: Cluster,
    crds: None,
    namespace: str,
    evaluator_url: str,
    cuttable_proxy: CuttableProxy,
    tmp_path: Path,
) -> None:
    def may(*rules: dict[str, Any]) -> Path:
        return cluster.create_account(namespace, "standby", rules)

    config = yaml.safe_load(may(LISTS, LEASE).read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{cuttable_proxy.port}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    electing = {"NEMO_LEADER_ELECT": "true", "NEMO_LEASE_NAMESPACE": namespace}
    with Replicas(Scenario(cluster, namespace, evaluator_url), tmp_path) as replicas:
        leader = replicas.start("leader", electing)
        leader.until("active")
        standby = replicas.start("standby", electing, kubeconfig=kubeconfig)
        until(standby, 200, {"state": "standby"})

        may({**LISTS, "resources": KINDS[1:]}, LEASE)
        until(standby, 503, {"state": "standby", "obstacle": "the custom resources cannot be listed"})
        may(LISTS, LEASE)
        until(standby, 200, {"state": "standby"})

        may(LISTS, {**LEASE, "verbs": ["create", "patch"]})
        until(standby, 503, {"state": "standby", "obstacle": "the lease cannot be read or acquired"})
        may(LISTS, LEASE)
        until(standby, 200, {"state": "standby"})

        cuttable_proxy.cut()
        eventually(lambda: readiness(standby)[0] == 503, "a standby that is cut off is not ready")
        assert readiness(leader) == (200, {"state": "active"})

"""What a tenant may try by way of jobs and connections; docs/security.md has the table."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes, free_port
from testbed.stack import start_operator
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, connection, data_benchmark, data_job
from tests.e2e.tenants import as_tenant

CONNECTION = "nemoevaluatorconnection"
CANARY = "canary-7d21a"

StartOperator = Callable[..., None]


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[StartOperator]:
    with Processes() as processes:

        def start(evaluator_url: str | None = None, **env: str) -> None:
            start_operator(
                processes,
                tmp_path,
                kubeconfig=cluster.kubeconfig,
                evaluator_url=evaluator_url or f"http://127.0.0.1:{free_port()}",
                namespaces=[namespace],
                env=env,
            )

        yield start
        processes.check()


@pytest.fixture
def elsewhere(cluster: Cluster, namespace: str) -> Iterator[str]:
    """Another team's namespace, with a Secret."""
    name = f"{namespace}-other"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("create", "secret", "generic", "door", f"--from-literal=token={CANARY}", "-n", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_loopback_is_refused_unless_the_administrator_allows_it(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    """By address and by name; the operator's own NVIDIA_EVALUATOR_URL is the administrator's."""
    scenario = Scenario(cluster, namespace, evaluator_url)
    with AuthProxy(evaluator_url) as door:
        start(evaluator_url)
        by_name = door.url.replace("127.0.0.1", "localhost")
        scenario.apply(data_benchmark(), data_job("own"))
        scenario.until_phase("own", "Succeeded")
        scenario.apply(connection("address", door.url), connection("name", by_name))
        for name in ("address", "name"):
            status = scenario.until_reason(CONNECTION, name, "AddressForbidden")
            assert "loopback" in status["message"]
        assert door.received == []


def test_no_field_leads_to_a_secret_of_another_namespace(
    cluster: Cluster, namespace: str, elsewhere: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    stolen = {"name": "door", "key": "token", "namespace": elsewhere}
    with AuthProxy(evaluator_url) as door:
        start(door.url, NEMO_ALLOW_LOOPBACK_CONNECTIONS="true")
        job = data_job("thief", valuesFrom=[{"secretKeyRef": stolen, "targetPath": "target.rows[0].x"}])
        for strict in (job, connection("thief", door.url, auth={"bearerToken": stolen})):
            refused = scenario.kubectl("apply", "-f", "-", input=json.dumps(strict), check=False)
            assert 'unknown field "spec.' in refused
            lax = ("apply", "--validate=false", "-f", "-")
            scenario.kubectl(*lax, input=json.dumps(strict))
        scenario.apply(data_benchmark())

        status = scenario.until_reason(JOB, "thief", "SecretNotFound")
        assert f"Secret {namespace}/door" in status["message"]
        status = scenario.until_reason(CONNECTION, "thief", "ConnectionNotReady")
        assert f"Secret {namespace}/door" in status["message"]
        assert all(CANARY not in str(request) for request in door.received)


def test_credentials_of_a_foreign_connection_are_not_used(
    cluster: Cluster, namespace: str, elsewhere: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario, others = (
        Scenario(cluster, namespace, evaluator_url),
        Scenario(cluster, elsewhere, evaluator_url),
    )
    with AuthProxy(evaluator_url) as door:
        others.apply(
            connection("door", door.url, auth={"bearerToken": {"name": "door", "key": "token"}}, default=True)
        )
        start(NEMO_ALLOW_LOOPBACK_CONNECTIONS="true")
        scenario.apply(data_benchmark(evaluatorRef={"name": "door", "namespace": elsewhere}))
        scenario.until_reason(BENCHMARK, "rows", "ConnectionNotAllowed")
        assert door.received == []


def test_a_redirect_takes_credentials_nowhere(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    auth = {"bearerToken": {"name": "door", "key": "token"}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "door"},
        "stringData": {"token": CANARY},
    }
    with AuthProxy(evaluator_url) as other, AuthProxy(code=307, location=other.url) as door:
        start(NEMO_ALLOW_LOOPBACK_CONNECTIONS="true")
        scenario.apply(
            secret,
            connection("door", door.url, auth=auth),
            data_benchmark(evaluatorRef={"name": "door"}),
        )
        status = scenario.until_reason(CONNECTION, "door", "NotAnEvaluator")
        assert "redirects are not followed" in status["message"]
        scenario.until_reason(BENCHMARK, "rows", "NotAnEvaluator")
        assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "False", "Stalled": "True"}
        assert {request.headers["authorization"] for request in door.received} == {f"Bearer {CANARY}"}
        assert other.received == []


def test_mapped_namespaces_are_kept_to(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    start(evaluator_url, NEMO_NAMESPACE_MAP=f"{namespace}={namespace}-nemo,elsewhere=nemo-b")
    scenario = Scenario(cluster, namespace, evaluator_url)
    config = data_benchmark()["spec"]["config"]
    scenario.apply(
        data_benchmark("allowed", config=config | {"namespace": f"{namespace}-nemo"}),
        data_benchmark("refused", config=config | {"namespace": "nemo-b"}),
        data_benchmark("unnamed"),
    )

    scenario.until_reason(BENCHMARK, "allowed", "ConfigReady")
    for name, said in (("refused", "is 'nemo-b'"), ("unnamed", "is not set")):
        status = scenario.until_reason(BENCHMARK, name, "InvalidSpec")
        assert status["message"].startswith(f"spec.config.namespace {said}")
        assert f"{namespace} may use {namespace}-nemo only" in status["message"]
    scenario.apply(data_job("by-reference", of="allowed"))
    scenario.until_phase("by-reference", "Succeeded")


def test_look_ups_that_a_tenant_forges_are_answered_by_a_few_sweeps(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    """An object with the mark of a claim and without a status is looked for in the evaluator's list."""
    names = [f"forged-{number}" for number in range(40)]
    with AuthProxy(evaluator_url) as door:
        attacker = as_tenant(cluster, namespace, door.url)
        start(door.url)
        attacker.apply(data_benchmark(), *(data_job(name, suspend=True) for name in names))
        uids = {name: (attacker.get(JOB, name) or {})["metadata"]["uid"] for name in names}
        for name in names:
            attacker.until_phase(name, "Suspended")
        before = len(door.received)

        forged = [data_job(name, suspend=False) for name in names]
        for manifest in forged:
            uid = uids[manifest["metadata"]["name"]]
            manifest["metadata"]["annotations"] = {"evaluator.nemo.dev/claimed-by-uid": uid}
        attacker.apply(*forged)
        for name in names:
            attacker.until_phase(name, "Succeeded", seconds=120)
        assert len(attacker.remote_jobs()) == len(names)

    look_ups = [
        request
        for request in door.received[before:]
        if request.method == "GET" and "created_at%5D" in request.path and "status" not in request.path
    ]
    assert look_ups, "they were looked for"
    assert len(look_ups) < len(names), "each of them twice, if each looked by itself"

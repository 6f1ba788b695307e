"""What a tenant's own account may try; docs/security.md has the table, docs/how-to/install.md the guards."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.job_author import JobAuthor
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, connection, data_benchmark, data_job

CONNECTION = "nemoevaluatorconnection"
CANARY = "canary-9c40e"
LABEL = "evaluator.nemo.dev/allow"

StartOperator = Callable[..., None]


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[StartOperator]:
    with Processes() as processes:

        def start(evaluator_url: str, **env: str) -> None:
            start_operator(
                processes,
                tmp_path,
                kubeconfig=cluster.kubeconfig,
                evaluator_url=evaluator_url,
                namespaces=[namespace],
                env={"NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true", **env},
            )

        yield start
        processes.check()


def secret(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": CANARY}}


def source(name: str, path: str) -> dict[str, object]:
    return {"secretKeyRef": {"name": name, "key": "k"}, "targetPath": path}


def test_a_tenant_has_no_secret_read_that_its_owner_did_not_release(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    tenant = JobAuthor(scenario, kinds=["nemobenchmarks", "nemoevaljobs", "nemoevaluatorconnections"])
    scenario.apply(secret("payroll"), secret("released"))
    scenario.kubectl("label", "secret", "released", f"{LABEL}=true")
    assert "forbidden" in tenant.refused("get", "secret", "payroll")
    assert "forbidden" in tenant.refused("label", "secret", "payroll", f"{LABEL}=true")
    with AuthProxy(evaluator_url) as door:
        start(door.url, NEMO_REQUIRE_SECRET_LABEL="true")
        tenant.create(
            data_benchmark(),
            data_benchmark("thief", valuesFrom=[source("payroll", "params.extra.hf_token")]),
            data_job("thief", valuesFrom=[source("payroll", "target.rows[0].key")]),
            connection("thief", door.url, auth={"bearerToken": {"name": "payroll", "key": "k"}}),
            data_job("honest", valuesFrom=[source("released", "target.rows[0].key")]),
        )
        for kind, field in ((JOB, "spec.valuesFrom[0].secretKeyRef"), (BENCHMARK, "spec.valuesFrom[0]")):
            status = scenario.until_reason(kind, "thief", "SecretNotAllowed")
            message = next(one["message"] for one in status["conditions"] if one["type"] == "Ready")
            assert message.startswith(field)
            assert f"kubectl label secret payroll --namespace {namespace} {LABEL}=true" in message
        status = scenario.until_reason(CONNECTION, "thief", "ConnectionNotReady")
        assert status["message"].startswith(f"spec.auth.bearerToken: Secret {namespace}/payroll is not read")
        scenario.until_phase("honest", "Succeeded")
        sent = [one.body + json.dumps(one.headers) for one in door.received]
        assert sum(CANARY in text for text in sent) == 1, "the released Secret, in the honest job"

        scenario.kubectl("label", "secret", "payroll", f"{LABEL}=true")
        scenario.patch(JOB, "thief", {"metadata": {"annotations": {"again": "1"}}})
        scenario.until_phase("thief", "Succeeded", seconds=60)


def test_a_tenant_has_no_host_called_that_the_administrator_does_not_allow(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    tenant = JobAuthor(scenario)
    scenario.apply(secret("address"))
    judge = {"type": "llm-judge", "params": {"model": {"api_endpoint": {"url": "http://evil.test/v1"}}}}
    config = {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"m": judge}}}}
    endpoint = {"url": "http://evil.test/v1", "model_id": "m", "api_key": CANARY}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    with AuthProxy(evaluator_url) as door:
        start(door.url, NEMO_ALLOWED_MODEL_HOSTS="*.models.svc,127.0.0.1")
        tenant.create(
            data_benchmark(),
            data_benchmark("judged", config=config),
            data_job("model", target=target),
            data_job("inline", benchmarkRef=None, config=config),
            data_job(
                "hidden",
                target={
                    "type": "model",
                    "model": {"api_endpoint": {"url": "http://a.models.svc", "model_id": "m"}},
                },
                valuesFrom=[source("address", "target.model.api_endpoint.url")],
            ),
            data_job("honest"),
        )
        path = "spec.config.tasks.t.metrics.m.params.model.api_endpoint.url: host evil.test is not allowed"
        for kind, name, problem in (
            (BENCHMARK, "judged", path),
            (JOB, "inline", path),
            (JOB, "model", "spec.target.model.api_endpoint.url: host evil.test is not allowed"),
            (JOB, "hidden", "spec.target.model.api_endpoint.url: the host of the URL that valuesFrom"),
        ):
            status = scenario.until_reason(kind, name, "HostNotAllowed")
            assert status["message"].startswith(problem)
            assert CANARY not in json.dumps(status)
        scenario.until_phase("honest", "Succeeded")
        assert all("evil.test" not in one.body and CANARY not in one.body for one in door.received)

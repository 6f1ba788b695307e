"""Several evaluators at once: who runs where, what a dead one costs the others, and what `nec` says."""

import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from testbed.cluster import Cluster
from testbed.processes import Child, Processes, free_port
from testbed.stack import start_operator
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    connection,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel

CONNECTION = "nemoevaluatorconnection"


@dataclass(frozen=True)
class Start:
    """Starts operators whose own evaluator is nowhere, so that only connections lead to one."""

    processes: Processes
    cluster: Cluster
    namespace: str
    workdir: Path

    def __call__(self, *others: str, env: Mapping[str, str] | None = None) -> Child:
        start_operator(
            self.processes,
            self.workdir,
            kubeconfig=self.cluster.kubeconfig,
            evaluator_url=f"http://127.0.0.1:{free_port()}",
            namespaces=[self.namespace, *others],
            env={"NEMO_ALLOW_LOOPBACK_CONNECTIONS": "true"} | dict(env or {}),
        )
        return list(self.processes)[-1]

    def stop(self, operator: Child) -> None:
        operator.terminate()
        assert operator.wait(30) == 0
        self.processes.remove(operator)


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    with Processes() as processes:
        yield Start(processes, cluster, namespace, tmp_path)
        processes.check()


@pytest.fixture
def other_namespace(cluster: Cluster, namespace: str) -> Iterator[str]:
    name = f"{namespace}-other"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def secret(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def by(name: str, **ref: str) -> dict[str, Any]:
    return {"evaluatorRef": {"name": name, **ref}}


def job_in_place(name: str, **spec: Any) -> dict[str, Any]:
    """A job that brings its config along."""
    job = data_job(name, config=data_benchmark()["spec"]["config"], **spec)
    del job["spec"]["benchmarkRef"]
    return job


def ready(scenario: Scenario, name: str) -> str:
    return scenario.conditions(CONNECTION, name).get("Ready", "")


def in_conflict(scenario: Scenario, name: str) -> bool:
    return "DefaultConflict" in scenario.conditions(CONNECTION, name)


def in_peace(scenario: Scenario, name: str) -> bool:
    return not in_conflict(scenario, name)


def test_each_run_is_on_the_evaluator_that_its_objects_name(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    with AuthProxy(evaluator_url) as first, AuthProxy(evaluator_url) as second:
        start()
        scenario.apply(
            connection("first", first.url, default=True),
            connection("second", second.url),
            data_benchmark("here"),
            data_benchmark("there", **by("second")),
        )
        scenario.apply(
            data_job("default", of="here"),
            data_job("benchmarks", of="there"),
            data_job("named", of="there", **by("second")),
            data_job("torn", of="here", **by("second")),
            job_in_place("in-place", **by("second")),
        )
        for name in ("default", "benchmarks", "named", "in-place"):
            scenario.until_phase(name, "Succeeded")

        assert [job["custom_fields"]["k8s-name"] for job in first.posted] == ["default"]
        assert {job["custom_fields"]["k8s-name"] for job in second.posted} == {
            "benchmarks",
            "named",
            "in-place",
        }
    used = scenario.status(JOB, "default")["evaluator"]
    assert used == {"url": first.url, "connection": f"{namespace}/first"}
    assert scenario.status(BENCHMARK, "there")["evaluator"]["connection"] == f"{namespace}/second"
    torn = scenario.until_reason(JOB, "torn", "EvaluatorMismatch")
    assert f"is kept by NemoEvaluatorConnection {namespace}/first" in torn["message"]
    assert scenario.conditions(JOB, "torn") == {"Ready": "False", "Stalled": "True"}


def test_a_connection_of_another_namespace_is_used_once_it_allows_that(
    cluster: Cluster, namespace: str, other_namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario, others = (
        Scenario(cluster, namespace, evaluator_url),
        Scenario(cluster, other_namespace, evaluator_url),
    )
    start(other_namespace)
    others.apply(connection("shared", evaluator_url, allowedNamespaces=["somebody-else"]))
    scenario.apply(data_benchmark(**by("shared", namespace=other_namespace)), data_job("guest"))

    said = scenario.until_reason(BENCHMARK, "rows", "ConnectionNotAllowed")["message"]
    assert f"{other_namespace}/shared does not exist or does not allow namespace {namespace}" in said
    scenario.apply(data_benchmark(name="absent", **by("absent", namespace=other_namespace)))
    absent = scenario.until_reason(BENCHMARK, "absent", "ConnectionNotAllowed")["message"]
    assert absent == said.replace("/shared", "/absent"), "whether it exists is not shown"
    assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "False", "Stalled": "True"}
    assert scenario.event("rows", "ConnectionNotAllowed")["type"] == "Warning"

    others.patch(CONNECTION, "shared", {"spec": {"allowedNamespaces": [namespace]}})
    assert (
        scenario.until_phase("guest", "Succeeded")["evaluator"]["connection"] == f"{other_namespace}/shared"
    )


def test_credentials_come_from_secrets_and_a_new_one_lets_us_in(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start, tmp_path: Path
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    password = {"Authorization": "Bearer right-token", "X-Tenant": "tenant-value"}
    auth = {
        "bearerToken": {"name": "door", "key": "token"},
        "headers": [{"name": "X-Tenant", "secretKeyRef": {"name": "door", "key": "tenant"}}],
    }
    with AuthProxy(evaluator_url, password=password) as door:
        start(env={"NEMO_LOG_LEVEL": "debug"})
        scenario.apply(
            connection("door", door.url, auth=auth), data_benchmark(**by("door")), data_job("let-in")
        )
        missing = scenario.until_reason(CONNECTION, "door", "ConnectionNotReady")
        assert f"there is no Secret {namespace}/door with text under the key" in missing["message"]
        assert scenario.until_reason(BENCHMARK, "rows", "ConnectionNotReady")
        assert door.heard == []

        scenario.apply(secret("door", token="wrong-token", tenant="tenant-value\n"))
        scenario.until_reason(CONNECTION, "door", "Unauthorized")
        assert scenario.conditions(CONNECTION, "door") == {"Ready": "False", "Stalled": "True"}
        scenario.apply(secret("door", token="right-token", tenant="tenant-value\n"))
        scenario.until_phase("let-in", "Succeeded", seconds=90)
        scenario.until_reason(CONNECTION, "door", "Reachable")

    assert "not with" in scenario.status(CONNECTION, "door")["lastError"]
    shown = scenario.kubectl(
        "get", "nemoevaljobs,nemobenchmarks,nemoevaluatorconnections,configmaps,events", "-o", "yaml"
    )
    for value in ("right-token", "wrong-token", "tenant-value"):
        assert value not in shown
        assert value not in (tmp_path / "operator.log").read_text()


def test_a_private_authority_is_trusted_where_a_connection_names_it(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario, authority = Scenario(cluster, namespace, evaluator_url), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "authority"},
        "data": {"ca.crt": authority.cert_pem.bytes().decode()},
    }
    trust = {"ca": {"configMapKeyRef": {"name": "authority", "key": "ca.crt"}}}
    with AuthProxy(evaluator_url, tls=context) as door:
        start()
        scenario.apply(
            bundle,
            connection("private", door.url, tls=trust),
            connection("public", door.url),
            connection("careless", door.url, tls={"insecureSkipVerify": True}),
            data_benchmark(**by("private")),
            data_job("over-tls"),
        )
        scenario.until_phase("over-tls", "Succeeded")
        assert "certificate" in scenario.until_reason(CONNECTION, "public", "TLSError")["message"].lower()
        scenario.until_reason(CONNECTION, "careless", "Reachable")
    assert scenario.conditions(CONNECTION, "careless") == {"Ready": "True", "InsecureSkipVerify": "True"}
    assert "tls.ca" in scenario.event("careless", "InsecureSkipVerify")["message"]


def test_a_dead_evaluator_holds_up_no_job_of_another_and_is_not_stormed(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    names = [f"waits-{number}" for number in range(8)]
    with AuthProxy(code=401) as dead:
        start(env={"NEMO_WORKERS": "2"})
        scenario.apply(
            connection("dead", dead.url),
            connection("alive", evaluator_url, default=True),
            data_benchmark("healthy"),
            *(job_in_place(name, **by("dead")) for name in names),
        )
        for name in names:
            scenario.until_reason(JOB, name, "EvaluatorUnreachable")
        scenario.apply(data_job("goes-on", of="healthy"))
        scenario.until_phase("goes-on", "Succeeded", seconds=20)
        eventually(
            lambda: scenario.status(CONNECTION, "dead").get("jobsWaiting") == len(names), "all counted"
        )
        begun = time.monotonic()
        # 1, 2, 4 and then 8 s apart at most: whoever waits, one knocks.
        eventually(lambda: time.monotonic() - begun > 6, "six seconds")
        assert dead.posted == []
        assert len([one for one in dead.heard if one.at > begun]) < 8

        dead.behind = evaluator_url
        for name in names:
            scenario.until_phase(name, "Succeeded", seconds=90)
        assert len(dead.posted) == len(names)
    eventually(lambda: scenario.status(CONNECTION, "dead").get("jobsWaiting") == 0, "nobody waits")


def test_a_connection_says_why_it_is_not_ready(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    start()
    page = "<h1>Welcome to nginx!</h1>"
    with (
        AuthProxy(code=503, body="<h1>upstream</h1>") as failing,
        AuthProxy(code=401, body='{"detail": "who are you"}') as closed,
        AuthProxy(code=200, body=page) as page_server,
        AuthProxy(code=404, body=page) as elsewhere,
        AuthProxy(code=307, location=evaluator_url) as moved,
    ):
        reasons = {
            "dns": ("http://no-such-host.invalid", "DNSError", "Reconciling"),
            "refused": (f"http://127.0.0.1:{free_port()}", "ConnectionRefused", "Reconciling"),
            "failing": (failing.url, "ServerError", "Reconciling"),
            "closed": (closed.url, "Unauthorized", "Stalled"),
            "page": (page_server.url, "NotAnEvaluator", "Stalled"),
            "elsewhere": (elsewhere.url, "NotAnEvaluator", "Stalled"),
            "moved": (moved.url, "NotAnEvaluator", "Stalled"),
            "tls": (closed.url.replace("http:", "https:"), "TLSError", "Stalled"),
            "metadata": ("http://169.254.169.254", "AddressForbidden", "Stalled"),
            "fine": (evaluator_url, "Reachable", None),
        }
        scenario.apply(*(connection(name, url) for name, (url, *_) in reasons.items()))
        for name, (_, reason, standing) in reasons.items():
            status = scenario.until_reason(CONNECTION, name, reason)
            conditions = {"Ready": "False", standing: "True"} if standing else {"Ready": "True"}
            assert scenario.conditions(CONNECTION, name) == conditions
            assert status.get("lastError") == (status["message"] if standing else None)
        table = scenario.kubectl("get", "nec")
    heading, *rows = table.splitlines()
    assert heading.split() == ["NAME", "URL", "READY", "REASON", "RUNNING", "WAITING", "AGE"]
    fine = next(row.split() for row in rows if row.startswith("fine "))
    assert fine[1:6] == [evaluator_url, "True", "Reachable", "0", "0"]


def test_a_run_stays_with_its_evaluator_though_the_connection_and_the_default_go_elsewhere(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start, outspoken: StubModel
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    outspoken.hush()
    with AuthProxy(evaluator_url) as first, AuthProxy(evaluator_url) as second:
        operator = start()
        scenario.apply(connection("main", first.url, default=True), benchmark(), model_job("staying"))
        job_id = scenario.until_phase("staying", "Running", seconds=90)["jobId"]
        eventually(lambda: scenario.status(CONNECTION, "main").get("jobsRunning") == 1, "counted")

        scenario.patch(CONNECTION, "main", {"spec": {"url": second.url}})
        status = scenario.until_reason(JOB, "staying", "EvaluatorChanged")
        assert first.url in status["message"]
        assert second.url in status["message"]
        assert scenario.conditions(JOB, "staying") == {"Ready": "False", "Stalled": "True"}
        assert (status["phase"], status["jobId"]) == ("Running", job_id)
        eventually(lambda: scenario.status(BENCHMARK, "qa")["evaluator"]["url"] == second.url, "config moved")
        start.stop(operator)

        start()
        scenario.until_reason(JOB, "staying", "EvaluatorChanged")
        asked = [one.path for one in second.heard if "/jobs/" in one.path or one.method == "POST"]
        assert [path for path in asked if not path.endswith("/configs")] == []

        outspoken.speak()
        scenario.patch(CONNECTION, "main", {"spec": {"url": first.url}})
        scenario.until_phase("staying", "Succeeded")
    assert len(scenario.remote_jobs("staying")) == 1


def test_of_two_defaults_the_oldest_is_used_and_both_say_so(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    start()
    scenario.apply(connection("b-oldest", evaluator_url, default=True))
    eventually(lambda: ready(scenario, "b-oldest") == "True", "ready")
    time.sleep(1.1)  # Kubernetes' times have whole seconds, and the names are in the other order.
    scenario.apply(connection("a-later", evaluator_url, default=True), data_benchmark())
    for name in ("a-later", "b-oldest"):
        eventually(partial(in_conflict, scenario, name), f"{name} in conflict")
        assert f"{namespace}/b-oldest is used" in scenario.event(name, "DefaultConflict")["message"]
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    assert scenario.status(BENCHMARK, "rows")["evaluator"]["connection"] == f"{namespace}/b-oldest"

    scenario.patch(CONNECTION, "b-oldest", {"spec": {"default": False}})
    for name in ("a-later", "b-oldest"):
        eventually(partial(in_peace, scenario, name), f"{name} in peace")
    eventually(
        lambda: scenario.status(BENCHMARK, "rows")["evaluator"]["connection"] == f"{namespace}/a-later",
        "the benchmark follows the default",
    )


def test_what_depends_on_a_connection_waits_for_it(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    """As GitOps tools apply in any order."""
    scenario = Scenario(cluster, namespace, evaluator_url)
    start()
    scenario.apply(data_benchmark(**by("late")), data_job("patient"))
    assert scenario.until_reason(BENCHMARK, "rows", "ConnectionNotFound")["message"] == (
        f"there is no NemoEvaluatorConnection {namespace}/late"
    )
    assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "False", "Reconciling": "True"}
    scenario.apply(connection("late", evaluator_url))
    scenario.until_phase("patient", "Succeeded")


def test_statuses_are_not_written_again_and_again(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    start()
    with AuthProxy(code=503) as failing:
        scenario.apply(connection("fine", evaluator_url), connection("failing", failing.url))
        scenario.until_reason(CONNECTION, "fine", "Reachable")
        scenario.until_reason(CONNECTION, "failing", "ServerError")
        eventually(lambda: len(failing.heard) >= 2, "probed")
        before = _versions(scenario)
        eventually(lambda: len(failing.heard) >= 5, "probed again and again")
    assert _versions(scenario) == before


def _versions(scenario: Scenario) -> dict[str, str]:
    found = json.loads(scenario.kubectl("get", "nec", "-o", "json"))
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in found["items"]}


def test_a_connections_own_times_go_before_the_operators(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    with AuthProxy(evaluator_url) as door, socket.create_server(("127.0.0.1", 0)) as silent:
        # The operator's own would be noticed only when the test has given up.
        start(env={"NEMO_POLL_INTERVAL_SECONDS": "600", "NEMO_REQUEST_TIMEOUT_SECONDS": "100"})
        host, port = silent.getsockname()
        scenario.apply(
            connection("quick", door.url, pollIntervalSeconds=1),
            connection("silent", f"http://{host}:{port}", timeouts={"requestSeconds": 1}),
            job_in_place("polled", **by("quick")),
        )

        scenario.until_phase("polled", "Succeeded")
        eventually(lambda: scenario.reason(CONNECTION, "silent") == "TimedOut", "no answer within a second")

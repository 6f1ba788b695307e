"""NemoEvaluatorConnections: credentials, TLS, time-outs and defaults, and what their status reports."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from testbed.cluster import Cluster
from testbed.processes import Processes, free_port
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.connection_operators import CONNECTION, Start, by, job_in_place, ready, secret
from tests.e2e.scenario import BENCHMARK, Scenario, connection, data_benchmark, data_job, eventually


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    with Processes() as processes:
        yield Start(processes, cluster, namespace, tmp_path)
        processes.check()


def in_conflict(scenario: Scenario, name: str) -> bool:
    return "DefaultConflict" in scenario.conditions(CONNECTION, name)


def without_conflict(scenario: Scenario, name: str) -> bool:
    return not in_conflict(scenario, name)


def test_credentials_come_from_secrets_and_a_corrected_secret_is_used(
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
        assert door.received == []

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
        assert (
            f"{namespace}/b-oldest, the oldest, is used" in scenario.event(name, "DefaultConflict")["message"]
        )
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    assert scenario.status(BENCHMARK, "rows")["evaluator"]["connection"] == f"{namespace}/b-oldest"

    scenario.patch(CONNECTION, "b-oldest", {"spec": {"default": False}})
    for name in ("a-later", "b-oldest"):
        eventually(partial(without_conflict, scenario, name), f"{name} without a conflict")
    eventually(
        lambda: scenario.status(BENCHMARK, "rows")["evaluator"]["connection"] == f"{namespace}/a-later",
        "the benchmark follows the default",
    )


def test_statuses_are_not_written_again_and_again(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    start()
    with AuthProxy(code=503) as failing:
        scenario.apply(connection("fine", evaluator_url), connection("failing", failing.url))
        scenario.until_reason(CONNECTION, "fine", "Reachable")
        scenario.until_reason(CONNECTION, "failing", "ServerError")
        eventually(lambda: len(failing.received) >= 2, "probed")
        before = _versions(scenario)
        eventually(lambda: len(failing.received) >= 5, "probed again and again")
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

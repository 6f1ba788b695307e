"""Jobs on several evaluators at once: which evaluator runs a job, and how long a job stays with it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.connection_operators import CONNECTION, Start, by, job_in_place
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
        # Probes come 1, 2, 4 and then 8 s apart at most, however many jobs wait.
        eventually(lambda: time.monotonic() - begun > 6, "six seconds")
        assert dead.posted == []
        assert len([one for one in dead.received if one.at > begun]) < 8

        dead.behind = evaluator_url
        for name in names:
            scenario.until_phase(name, "Succeeded", seconds=90)
        assert len(dead.posted) == len(names)
    eventually(lambda: scenario.status(CONNECTION, "dead").get("jobsWaiting") == 0, "no job waits")


def test_a_run_stays_with_its_evaluator_though_the_connection_and_the_default_go_elsewhere(
    cluster: Cluster, namespace: str, evaluator_url: str, start: Start, pausable_model: StubModel
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    pausable_model.stop_answering()
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
        asked = [one.path for one in second.received if "/jobs/" in one.path or one.method == "POST"]
        assert [path for path in asked if not path.endswith("/configs")] == []

        pausable_model.answer_again()
        scenario.patch(CONNECTION, "main", {"spec": {"url": first.url}})
        scenario.until_phase("staying", "Succeeded")
    assert len(scenario.remote_jobs("staying")) == 1


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

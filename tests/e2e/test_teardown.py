"""A team's folder or namespace is removed: what runs is cancelled, in whatever order its objects go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes
from tests.e2e.auth_proxy import AuthProxy
from tests.e2e.connection_operators import CONNECTION, Start, by, ready, secret
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, benchmark, connection, eventually, model_job
from tests.e2e.stub_model import StubModel

TOKEN = {"Authorization": "Bearer team-a-token"}

OBJECTS = {CONNECTION: "own", "secret": "access", BENCHMARK: "qa", JOB: "run"}

SECONDS = 25
"""For a deletion that cancels: far less than the 60 s after which a job is released uncancelled."""


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    with Processes() as processes:
        yield Start(processes, cluster, namespace, tmp_path)
        processes.check()


@pytest.fixture
def door(evaluator_url: str) -> Iterator[AuthProxy]:
    """The team's evaluator, which needs the token of the team's Secret."""
    with AuthProxy(evaluator_url, password=TOKEN) as door:
        yield door


@pytest.fixture
def scenario(cluster: Cluster, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


def run_a_job(scenario: Scenario, door: AuthProxy, *, default: bool = True, **spec: Any) -> None:
    """A namespace that holds all that its one running job needs."""
    auth = {"bearerToken": {"name": "access", "key": "token"}}
    named = {} if default else by("own")
    scenario.apply(
        secret("access", token="team-a-token"),
        connection("own", door.url, default=default, auth=auth),
        benchmark(**named),
        model_job("run", **spec),
    )
    scenario.until_phase("run", "Running")


def remove(scenario: Scenario, *kinds: str) -> None:
    for kind in kinds:
        scenario.kubectl("delete", kind, OBJECTS[kind], "--wait=false")


def assert_removed(scenario: Scenario) -> None:
    for kind, name in OBJECTS.items():
        scenario.until_gone(kind, name, seconds=SECONDS)
    assert [job["status"] for job in scenario.remote_jobs("run")] == ["cancelled"]
    assert scenario.remote_config("qa") is None


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((CONNECTION, "secret", BENCHMARK, JOB), id="connection-first"),
        pytest.param(("secret", CONNECTION, JOB, BENCHMARK), id="secret-first"),
        pytest.param((BENCHMARK, CONNECTION, "secret", JOB), id="benchmark-first"),
        pytest.param((JOB, "secret", CONNECTION, BENCHMARK), id="job-first"),
    ],
)
@pytest.mark.parametrize("default", [True, False], ids=["default", "named"])
def test_what_runs_is_cancelled_in_whatever_order_its_objects_are_deleted(
    order: tuple[str, ...],
    default: bool,
    scenario: Scenario,
    door: AuthProxy,
    start: Start,
    pausable_model: StubModel,
) -> None:
    pausable_model.stop_answering()
    start()
    run_a_job(scenario, door, default=default)

    remove(scenario, *order)

    assert_removed(scenario)


@pytest.mark.usefixtures("controllers")
def test_a_namespace_that_is_deleted_cancels_what_runs_in_it(
    cluster: Cluster, scenario: Scenario, door: AuthProxy, start: Start, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    team = Scenario(cluster, f"{scenario.namespace}-team", scenario.evaluator_url)
    cluster.kubectl("create", "namespace", team.namespace)
    start(team.namespace)
    run_a_job(team, door)

    cluster.kubectl("delete", "namespace", team.namespace, "--wait=false")

    assert_removed(team)


def test_a_connection_that_is_deleted_counts_what_needs_it_and_takes_no_more(
    scenario: Scenario, door: AuthProxy, start: Start, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    start()
    run_a_job(scenario, door, default=False)

    remove(scenario, CONNECTION)

    message = eventually(lambda: condition(scenario, "ConnectionInUse"), "the connection says who needs it")
    assert "1 NemoEvalJob and 1 NemoBenchmark still need it" in message
    scenario.until_reason(BENCHMARK, "qa", "ConnectionTerminating")
    pausable_model.answer_again()
    scenario.until_phase("run", "Succeeded")
    remove(scenario, BENCHMARK)
    scenario.until_gone(CONNECTION, "own", seconds=SECONDS)
    assert scenario.remote_config("qa") is None


def condition(scenario: Scenario, kind: str) -> str:
    """The message of a connection's condition; empty where it does not have it."""
    conditions = scenario.status(CONNECTION, "own").get("conditions", [])
    return next((one["message"] for one in conditions if one["type"] == kind), "")


def test_an_operator_that_starts_in_the_middle_cancels_what_runs(
    scenario: Scenario, door: AuthProxy, start: Start, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    first = start()
    run_a_job(scenario, door)
    remove(scenario, CONNECTION)
    start.stop(first)
    remove(scenario, JOB, BENCHMARK)

    start()

    scenario.until_gone(JOB, "run", seconds=SECONDS)
    remove(scenario, "secret")
    assert_removed(scenario)


def test_without_operator_and_secret_the_credentials_are_lost_and_the_deletion_ends_all_the_same(
    scenario: Scenario, door: AuthProxy, start: Start, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    first = start()
    run_a_job(scenario, door, cancelTimeoutSeconds=5)
    start.stop(first)
    remove(scenario, "secret", CONNECTION, JOB)

    start()

    scenario.until_gone(JOB, "run", seconds=SECONDS)
    (remote,) = scenario.remote_jobs("run")
    assert remote["id"] in scenario.event("run", "LeftInEvaluator")["message"]
    assert remote["status"] == "running"


def test_a_connection_that_nothing_needs_is_deleted_at_once(
    scenario: Scenario, door: AuthProxy, start: Start
) -> None:
    start()
    scenario.apply(connection("own", door.url))
    eventually(lambda: ready(scenario, "own") == "False", "the connection has been looked at")

    scenario.kubectl("delete", CONNECTION, "own", "--timeout=20s")

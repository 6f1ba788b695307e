"""A team's folder or namespace is removed: what runs is cancelled, in whatever order its objects go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import Cluster
from testbed.processes import Processes
from tests.e2e.doorman import Doorman
from tests.e2e.parrot import Parrot
from tests.e2e.test_connections import CONNECTION, Start, by, ready, secret
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, connection, eventually, model_job

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
def door(evaluator_url: str) -> Iterator[Doorman]:
    """The team's evaluator, which needs the token of the team's Secret."""
    with Doorman(evaluator_url, password=TOKEN) as door:
        yield door


@pytest.fixture
def world(cluster: Cluster, namespace: str, evaluator_url: str) -> World:
    return World(cluster, namespace, evaluator_url)


def run_a_job(world: World, door: Doorman, *, default: bool = True, **spec: Any) -> None:
    """A namespace that holds all that its one running job needs."""
    auth = {"bearerToken": {"name": "access", "key": "token"}}
    named = {} if default else by("own")
    world.apply(
        secret("access", token="team-a-token"),
        connection("own", door.url, default=default, auth=auth),
        benchmark(**named),
        model_job("run", **spec),
    )
    world.until_phase("run", "Running")


def remove(world: World, *kinds: str) -> None:
    for kind in kinds:
        world.kubectl("delete", kind, OBJECTS[kind], "--wait=false")


def assert_removed(world: World) -> None:
    for kind, name in OBJECTS.items():
        world.until_gone(kind, name, seconds=SECONDS)
    assert [job["status"] for job in world.remote_jobs("run")] == ["cancelled"]
    assert world.remote_config("qa") is None


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
    order: tuple[str, ...], default: bool, world: World, door: Doorman, start: Start, outspoken: Parrot
) -> None:
    outspoken.hush()
    start()
    run_a_job(world, door, default=default)

    remove(world, *order)

    assert_removed(world)


@pytest.mark.usefixtures("controllers")
def test_a_namespace_that_is_deleted_cancels_what_runs_in_it(
    cluster: Cluster, world: World, door: Doorman, start: Start, outspoken: Parrot
) -> None:
    outspoken.hush()
    team = World(cluster, f"{world.namespace}-team", world.evaluator_url)
    cluster.kubectl("create", "namespace", team.namespace)
    start(team.namespace)
    run_a_job(team, door)

    cluster.kubectl("delete", "namespace", team.namespace, "--wait=false")

    assert_removed(team)


def test_a_connection_that_is_deleted_counts_what_needs_it_and_takes_no_more(
    world: World, door: Doorman, start: Start, outspoken: Parrot
) -> None:
    outspoken.hush()
    start()
    run_a_job(world, door, default=False)

    remove(world, CONNECTION)

    message = eventually(lambda: condition(world, "ConnectionInUse"), "the connection says who needs it")
    assert "1 NemoEvalJob and 1 NemoBenchmark still need it" in message
    world.until_reason(BENCHMARK, "qa", "ConnectionTerminating")
    outspoken.speak()
    world.until_phase("run", "Succeeded")
    remove(world, BENCHMARK)
    world.until_gone(CONNECTION, "own", seconds=SECONDS)
    assert world.remote_config("qa") is None


def condition(world: World, kind: str) -> str:
    """The message of a connection's condition; empty where it does not have it."""
    conditions = world.status(CONNECTION, "own").get("conditions", [])
    return next((one["message"] for one in conditions if one["type"] == kind), "")


def test_an_operator_that_starts_in_the_middle_cancels_what_runs(
    world: World, door: Doorman, start: Start, outspoken: Parrot
) -> None:
    outspoken.hush()
    first = start()
    run_a_job(world, door)
    remove(world, CONNECTION)
    start.stop(first)
    remove(world, JOB, BENCHMARK)

    start()

    world.until_gone(JOB, "run", seconds=SECONDS)
    remove(world, "secret")
    assert_removed(world)


def test_without_operator_and_secret_the_credentials_are_lost_and_the_deletion_ends_all_the_same(
    world: World, door: Doorman, start: Start, outspoken: Parrot
) -> None:
    outspoken.hush()
    first = start()
    run_a_job(world, door, cancelTimeoutSeconds=5)
    start.stop(first)
    remove(world, "secret", CONNECTION, JOB)

    start()

    world.until_gone(JOB, "run", seconds=SECONDS)
    (remote,) = world.remote_jobs("run")
    assert remote["id"] in world.event("run", "LeftInEvaluator")["message"]
    assert remote["status"] == "running"


def test_a_connection_that_nothing_needs_is_deleted_at_once(
    world: World, door: Doorman, start: Start
) -> None:
    start()
    world.apply(connection("own", door.url))
    eventually(lambda: ready(world, "own") == "False", "the connection has been looked at")

    world.kubectl("delete", CONNECTION, "own", "--timeout=20s")

"""Of several operators one works. When it ends, another goes on, and no job is submitted twice."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.cluster import Cluster
from tests.e2e.cable import Cable
from tests.e2e.replicas import Replicas
from tests.e2e.world import World, data_benchmark, data_job, eventually

JOBS = [f"job-{number:02d}" for number in range(24)]


@pytest.fixture
def world(cluster: Cluster, crds: None, namespace: str, evaluator_url: str) -> World:
    return World(cluster, namespace, evaluator_url)


@pytest.fixture
def replicas(world: World, tmp_path: Path) -> Iterator[Replicas]:
    with Replicas(world, tmp_path) as replicas:
        yield replicas


def electing(world: World, **times: str) -> dict[str, str]:
    return {"NEMO_LEADER_ELECT": "true", "NEMO_LEASE_NAMESPACE": world.namespace, **times}


def holder(world: World) -> str | None:
    lease = world.get("lease", "nemo-eval-operator") or {}
    identity: str | None = lease.get("spec", {}).get("holderIdentity")
    return identity


def assert_each_ended_once(world: World, names: list[str]) -> None:
    for name in names:
        status = world.until_phase(name, "Succeeded")
        (remote,) = world.remote_jobs(name)
        assert status["jobId"] == remote["id"]
        assert status["attempt"] == 1


def test_a_standby_takes_over_from_a_killed_leader_without_a_second_job(
    world: World, replicas: Replicas
) -> None:
    leader = replicas.start("leader", electing(world))
    leader.until("active")
    standby = replicas.start("standby", electing(world))
    assert standby.state() == "standby"
    world.apply(data_benchmark())
    world.apply(*map(data_job, JOBS[:12]))
    eventually(leader.submitted, "a first submission")

    killed = time.monotonic()
    leader.process.kill()
    assert standby.sent == [], "a standby asks the evaluator for nothing"
    world.apply(*map(data_job, JOBS[12:]))
    standby.until("active")
    print(f"taken over {time.monotonic() - killed:.1f} s after the kill")  # noqa: T201 - for whoever runs -s

    assert_each_ended_once(world, JOBS)
    assert set(standby.submitted()) >= set(JOBS[12:])


def test_a_leader_that_is_asked_to_end_hands_over_at_once(world: World, replicas: Replicas) -> None:
    for_ever = {"NEMO_LEASE_DURATION_SECONDS": "600", "NEMO_LEASE_RENEW_DEADLINE_SECONDS": "500"}
    leader = replicas.start("leader", electing(world, **for_ever))
    standby = replicas.start("standby", electing(world, **for_ever))
    first = holder(world)

    leader.process.terminate()
    standby.until("active")

    assert leader.process.wait(10) == 0
    assert holder(world) not in {None, first}


def test_a_standby_that_is_asked_to_end_ends(world: World, replicas: Replicas) -> None:
    leader = replicas.start("leader", electing(world))
    standby = replicas.start("standby", electing(world))
    first = holder(world)

    standby.process.terminate()

    assert standby.process.wait(10) == 0
    assert holder(world) == first
    assert leader.state() == "active"


def test_a_leader_cut_off_from_kubernetes_is_gone_before_the_standby_starts(
    world: World, replicas: Replicas, tmp_path: Path
) -> None:
    config = yaml.safe_load(world.cluster.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    with Cable(int(server.rpartition(":")[2])) as cable:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{cable.port}"
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        leader = replicas.start("leader", electing(world), kubeconfig=kubeconfig)
        leader.until("active")
        standby = replicas.start("standby", electing(world))
        world.apply(data_benchmark(), *map(data_job, JOBS[:6]))
        eventually(leader.submitted, "a first submission")

        cable.cut()
        world.apply(*map(data_job, JOBS[6:12]))
        eventually(lambda: leader.state() != "active" or standby.state() == "active", "the leader's end")
        assert standby.state() == "standby", "never two at once"
        standby.until("active")

        assert leader.process.wait(10) == 1
        assert_each_ended_once(world, JOBS[:12])


def test_a_leader_that_was_frozen_sends_nothing_when_it_wakes(world: World, replicas: Replicas) -> None:
    leader = replicas.start("leader", electing(world, NEMO_WORKERS="1"))
    leader.until("active")
    standby = replicas.start("standby", electing(world))
    world.apply(data_benchmark(), *map(data_job, JOBS[:12]))
    eventually(leader.submitted, "a first submission")

    os.killpg(leader.process.pid, signal.SIGSTOP)
    standby.until("active")
    assert_each_ended_once(world, JOBS[:12])
    sent = len(leader.sent)
    os.killpg(leader.process.pid, signal.SIGCONT)

    assert leader.process.wait(20) == 1
    assert len(leader.sent) == sent
    assert_each_ended_once(world, JOBS[:12])

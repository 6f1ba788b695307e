"""Of several operators one works. When it ends, another goes on, and no job is submitted twice."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from testbed.cluster import Cluster
from tests.e2e.cuttable_proxy import CuttableProxy
from tests.e2e.replicas import Replicas, electing
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually

JOBS = [f"job-{number:02d}" for number in range(24)]


@pytest.fixture
def scenario(cluster: Cluster, crds: None, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


def holder(scenario: Scenario) -> str | None:
    lease = scenario.get("lease", "nemo-eval-operator") or {}
    identity: str | None = lease.get("spec", {}).get("holderIdentity")
    return identity


def assert_each_ended_once(scenario: Scenario, names: list[str]) -> None:
    for name in names:
        status = scenario.until_phase(name, "Succeeded")
        (remote,) = scenario.remote_jobs(name)
        assert status["jobId"] == remote["id"]
        assert status["attempt"] == 1


def test_a_standby_takes_over_from_a_killed_leader_without_a_second_job(
    scenario: Scenario, replicas: Replicas
) -> None:
    leader = replicas.start("leader", electing(scenario))
    leader.until("active")
    standby = replicas.start("standby", electing(scenario))
    assert standby.state() == "standby"
    scenario.apply(data_benchmark())
    scenario.apply(*map(data_job, JOBS[:12]))
    eventually(leader.submitted, "a first submission")

    killed = time.monotonic()
    leader.process.kill()
    assert standby.sent == [], "a standby asks the evaluator for nothing"
    scenario.apply(*map(data_job, JOBS[12:]))
    standby.until("active")
    print(f"taken over {time.monotonic() - killed:.1f} s after the kill")  # noqa: T201 - shown with -s

    assert_each_ended_once(scenario, JOBS)
    assert set(standby.submitted()) >= set(JOBS[12:])


def test_a_leader_that_is_asked_to_end_hands_over_at_once(scenario: Scenario, replicas: Replicas) -> None:
    long_lease = {"NEMO_LEASE_DURATION_SECONDS": "600", "NEMO_LEASE_RENEW_DEADLINE_SECONDS": "500"}
    leader = replicas.start("leader", electing(scenario, **long_lease))
    standby = replicas.start("standby", electing(scenario, **long_lease))
    first = holder(scenario)

    leader.process.terminate()
    standby.until("active")

    assert leader.process.wait(10) == 0
    assert holder(scenario) not in {None, first}


def test_a_standby_that_is_asked_to_end_ends(scenario: Scenario, replicas: Replicas) -> None:
    leader = replicas.start("leader", electing(scenario))
    standby = replicas.start("standby", electing(scenario))
    first = holder(scenario)

    standby.process.terminate()

    assert standby.process.wait(10) == 0
    assert holder(scenario) == first
    assert leader.state() == "active"


def test_a_leader_cut_off_from_kubernetes_is_gone_before_the_standby_starts(
    scenario: Scenario, replicas: Replicas, tmp_path: Path
) -> None:
    config = yaml.safe_load(scenario.cluster.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    with CuttableProxy(int(server.rpartition(":")[2])) as cuttable_proxy:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{cuttable_proxy.port}"
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        leader = replicas.start("leader", electing(scenario), kubeconfig=kubeconfig)
        leader.until("active")
        standby = replicas.start("standby", electing(scenario))
        scenario.apply(data_benchmark(), *map(data_job, JOBS[:6]))
        eventually(leader.submitted, "a first submission")

        cuttable_proxy.cut()
        scenario.apply(*map(data_job, JOBS[6:12]))
        eventually(lambda: leader.state() != "active" or standby.state() == "active", "the leader's end")
        assert standby.state() == "standby", "never two at once"
        standby.until("active")

        assert leader.process.wait(10) == 1
        assert_each_ended_once(scenario, JOBS[:12])


def test_a_leader_that_was_frozen_sends_nothing_when_it_wakes(scenario: Scenario, replicas: Replicas) -> None:
    leader = replicas.start("leader", electing(scenario, NEMO_WORKERS="1"))
    leader.until("active")
    standby = replicas.start("standby", electing(scenario))
    scenario.apply(data_benchmark(), *map(data_job, JOBS[:12]))
    eventually(leader.submitted, "a first submission")

    os.killpg(leader.process.pid, signal.SIGSTOP)
    standby.until("active")
    assert_each_ended_once(scenario, JOBS[:12])
    sent = len(leader.sent)
    os.killpg(leader.process.pid, signal.SIGCONT)

    assert leader.process.wait(20) == 1
    assert len(leader.sent) == sent
    assert_each_ended_once(scenario, JOBS[:12])

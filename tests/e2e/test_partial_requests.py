"""A submission that has arrived in part when its sender gives up, or is frozen, is never completed later."""

from __future__ import annotations

import os
import re
import signal

import pytest

from testbed.cluster import Cluster
from tests.connection_table import bytes_unsent, needs_connection_table
from tests.e2e.holding_proxy import HoldingProxy
from tests.e2e.replicas import Replicas, electing
from tests.e2e.scenario import BENCHMARK, Scenario, data_benchmark, data_job, eventually
from tests.small_buffers import BODY_BYTES

SENT_AT_ONCE_BYTES = 70_000
"""More than what the kernel takes while nothing is read; it takes the rest in one piece once all was read."""

PATIENT = {"NEMO_REQUEST_TIMEOUT_SECONDS": "120", "NEMO_SETTLE_SECONDS": "121"}
"""Settings with which a request lives longer than the lease: only the lease's alarm ends it."""

SUBMISSION = re.compile(rb"POST [^ ]*/v1/evaluation/jobs ")


@pytest.fixture
def scenario(cluster: Cluster, crds: None, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


def submit_in_part(scenario: Scenario, connections: HoldingProxy, *, body_bytes: int = BODY_BYTES) -> None:
    """Apply a job and wait until its submission has arrived in part."""
    rows = [{"question": "?" * body_bytes, "answer": "Paris", "output": "Paris"}]
    scenario.apply(data_benchmark())
    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    connections.hold_next = SUBMISSION
    scenario.apply(data_job("job", target={"type": "rows", "rows": rows}))
    assert connections.is_held.wait(40)


def assert_ended_once(scenario: Scenario) -> None:
    status = scenario.until_phase("job", "Succeeded")
    (remote,) = scenario.remote_jobs("job")
    assert status["jobId"] == remote["id"]
    assert status["attempt"] == 1


def test_the_rest_of_a_submission_that_was_given_up_is_not_sent(
    scenario: Scenario, replicas: Replicas
) -> None:
    operator = replicas.start("operator", {})
    submit_in_part(scenario, replicas.connections)

    assert_ended_once(scenario)
    replicas.connections.release()

    assert replicas.connections.ended.wait(20)
    assert operator.submitted() == ["job"]
    assert_ended_once(scenario)


@needs_connection_table
def test_a_leader_that_was_frozen_does_not_send_the_rest_of_a_submission(
    scenario: Scenario, replicas: Replicas
) -> None:
    leader = replicas.start("leader", electing(scenario, **PATIENT))
    leader.until("active")
    standby = replicas.start("standby", electing(scenario))
    submit_in_part(scenario, replicas.connections, body_bytes=SENT_AT_ONCE_BYTES)

    os.killpg(leader.process.pid, signal.SIGSTOP)
    standby.until("active")
    assert_ended_once(scenario)
    replicas.connections.release()
    eventually(lambda: bytes_unsent(replicas.connections.port) == 0, "all read that the kernel had taken")
    os.killpg(leader.process.pid, signal.SIGCONT)

    assert leader.process.wait(20) == 1
    assert replicas.connections.ended.wait(20)
    assert leader.submitted() == []
    assert_ended_once(scenario)

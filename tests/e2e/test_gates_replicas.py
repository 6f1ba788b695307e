"""Gates with two operators and with restarts: each run is judged once, and no later operator writes to it."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from testbed.cluster import Cluster
from tests.e2e.replicas import Replica, Replicas, electing
from tests.e2e.scenario import JOB, Scenario, data_benchmark, data_job, eventually

SCORE = "rows/exact/string-check"
RIGHT = [{"question": f"{number}?", "answer": "yes", "output": "yes"} for number in range(200)]
HALF = [row | {"output": "yes" if number % 2 else "no"} for number, row in enumerate(RIGHT)]

VERDICTS = {
    "passed": "Passed",
    "failed": "Failed",
    "inconclusive": "Inconclusive",
    "let-through": "Inconclusive",
    "compared": "Passed",
}


def gated(name: str, rows: list[dict[str, str]], *, rule: dict[str, Any], **gate: Any) -> dict[str, Any]:
    spec = {"criteria": [{"score": SCORE, **rule}], **gate}
    return data_job(name, target={"type": "rows", "rows": rows}, gate=spec)


def jobs() -> list[dict[str, Any]]:
    prod = {"baseline": {"jobRef": {"name": "passed"}}}
    return [
        gated("passed", RIGHT, rule={"minimum": 0.9}),
        gated("failed", HALF, rule={"minimum": 0.9}),
        gated("inconclusive", RIGHT, rule={"maxDrop": 0.001}, **prod),
        gated("let-through", RIGHT, rule={"maxDrop": 0.001}, **prod, onInconclusive="Pass"),
        gated("compared", RIGHT, rule={"maxDrop": 0.1}, **prod),
    ]


@pytest.fixture
def scenario(cluster: Cluster, crds: None, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


def until_judged(scenario: Scenario, name: str, verdict: str) -> None:
    eventually(
        lambda: scenario.status(JOB, name).get("gate", {}).get("verdict") == verdict,
        f"{verdict} on {name}",
        seconds=90,
    )


def judged_by(replica: Replica) -> int:
    """Verdicts that this process has written."""
    text = httpx.get(replica.health_url.replace("healthz", "metrics"), timeout=5).text
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return int(sum(one.value for one in samples if one.name.endswith("gate_verdicts_total")))


def written(scenario: Scenario) -> dict[str, str]:
    """Every judged job and every ConfigMap of the namespace as the API server has it, as text."""
    found = json.loads(scenario.kubectl("get", "nejob,configmap", "-o", "json"))["items"]
    ours = [one for one in found if one["kind"] == "ConfigMap" or one["metadata"]["name"] in VERDICTS]
    return {f"{one['kind']}/{one['metadata']['name']}": json.dumps(one, sort_keys=True) for one in ours}


def verdict_events(scenario: Scenario) -> dict[str, int]:
    """How often each verdict was posted, by job: `count` has the events that Kubernetes merged."""
    found = json.loads(scenario.kubectl("get", "events", "-o", "json"))["items"]
    counts: dict[str, int] = {}
    for event in found:
        if event["reason"].startswith("Gate"):
            name = event["involvedObject"]["name"]
            counts[name] = counts.get(name, 0) + (event.get("count") or 1)
    return counts


def assert_nothing_is_written_again(
    scenario: Scenario, replica: Replica, before: dict[str, str], *, probe: str
) -> None:
    """The replica has gone through its list when it has judged a job that was created after that."""
    scenario.apply(gated(probe, RIGHT, rule={"minimum": 0.9}))
    until_judged(scenario, probe, "Passed")
    eventually(lambda: judged_by(replica) == 1, "the verdict on the probe alone")
    probes = {f"ConfigMap/{probe}-results", f"ConfigMap/{probe}-evidence"}
    after = {name: text for name, text in written(scenario).items() if name not in probes}
    assert after == before
    assert {name: verdict_events(scenario)[name] for name in VERDICTS} == dict.fromkeys(VERDICTS, 1)


def test_neither_a_takeover_nor_a_restart_judges_again(scenario: Scenario, replicas: Replicas) -> None:
    leader = replicas.start("leader", electing(scenario))
    leader.until("active")
    standby = replicas.start("standby", electing(scenario))
    scenario.apply(data_benchmark(), *jobs())
    for name, verdict in VERDICTS.items():
        until_judged(scenario, name, verdict)
        scenario.event(name, f"Gate{verdict}")
    eventually(lambda: judged_by(leader) == len(VERDICTS), "one verdict for each job")
    assert judged_by(standby) == 0
    before = written(scenario)

    leader.process.kill()
    standby.until("active")
    assert_nothing_is_written_again(scenario, standby, before, probe="after-takeover")

    before = written(scenario)
    standby.process.terminate()
    assert standby.process.wait(20) == 0
    restarted = replicas.start("restarted", electing(scenario))
    restarted.until("active")
    assert_nothing_is_written_again(scenario, restarted, before, probe="after-restart")


def test_a_gate_that_waits_is_judged_by_the_operator_that_takes_over(
    scenario: Scenario, replicas: Replicas
) -> None:
    leader = replicas.start("leader", electing(scenario))
    leader.until("active")
    standby = replicas.start("standby", electing(scenario))
    prod = gated("passed", RIGHT, rule={"minimum": 0.9})
    prod["spec"]["suspend"] = True
    scenario.apply(data_benchmark(), prod, jobs()[-1])
    scenario.until_reason(JOB, "compared", "WaitingForBaseline")

    os.killpg(leader.process.pid, signal.SIGSTOP)
    standby.until("active")
    scenario.patch(JOB, "passed", {"spec": {"suspend": False}})
    until_judged(scenario, "compared", "Passed")
    scenario.event("compared", "GatePassed")
    eventually(lambda: judged_by(standby) == len(("passed", "compared")), "both verdicts are its own")
    before = written(scenario)
    os.killpg(leader.process.pid, signal.SIGCONT)

    assert leader.process.wait(20) == 1
    assert written(scenario) == before
    assert verdict_events(scenario) == {"passed": 1, "compared": 1}
    assert len(scenario.remote_jobs("compared")) == 1

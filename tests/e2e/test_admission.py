"""NEMO_MAX_RUNNING_JOBS: how many jobs the evaluator runs at once, and what those in line say."""

from __future__ import annotations

import json
from datetime import datetime

from tests.e2e.operator_stack import OperatorStack
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, benchmark, eventually, model_job
from tests.e2e.stub_model import StubModel

LIMIT = 2
LIMITED = {"NEMO_MAX_RUNNING_JOBS": str(LIMIT)}


def most_at_once(scenario: Scenario) -> int:
    """Of all remote jobs there ever were, by when each began and ended."""
    spans = [
        (datetime.fromisoformat(job["created_at"]), datetime.fromisoformat(job["updated_at"]))
        for job in scenario.remote_jobs()
    ]
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


def queued(scenario: Scenario) -> dict[str, int]:
    """The position in the status of each queued job."""
    items = json.loads(scenario.kubectl("get", JOB, "-o", "json"))["items"]
    return {
        item["metadata"]["name"]: item["status"]["queuePosition"]
        for item in items
        if item.get("status", {}).get("queuePosition") is not None
    }


def test_the_limit_of_running_jobs_holds_across_a_restart(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    stack.start_evaluator()
    operator = stack.start_operator(LIMITED)
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    scenario.apply(benchmark())
    scenario.until_reason(BENCHMARK, "qa", "ConfigReady")
    names = [f"job-{number}" for number in range(5)]

    scenario.apply(*(model_job(name) for name in names))
    waiting = eventually(lambda: found if len(found := queued(scenario)) == 3 else None, "three wait")

    eventually(lambda: len(scenario.remote_jobs()) == LIMIT, "the others are submitted")
    assert set(waiting.values()) <= {1, 3}
    status = scenario.status(JOB, next(iter(waiting)))
    assert status["phase"] == "Pending"
    assert "all 2 evaluator slots are in use" in status["message"]
    # A job that is just being looked at again may have left the line for a moment.
    eventually(lambda: stack.metric("nemo_eval_operator_evaluator_slots_waiting") == 3, "three in line")

    stack.kill(operator)
    scenario.apply(model_job("urgent", priority=100))
    stack.start_operator(LIMITED)
    eventually(lambda: "urgent" in queued(scenario), "the new one waits too")
    assert len(scenario.remote_jobs()) == LIMIT, "those that ran before the restart count"

    pausable_model.answer_again()
    for name in [*names, "urgent"]:
        scenario.until_phase(name, "Succeeded")

    assert not queued(scenario)
    assert len(scenario.remote_jobs()) == len(names) + 1
    assert most_at_once(scenario) == LIMIT
    order = sorted(scenario.remote_jobs(), key=lambda job: str(job["created_at"]))
    # Both slots become free at once: of the two that get them, either may be submitted first.
    first = {job["custom_fields"]["k8s-name"] for job in order[LIMIT : 2 * LIMIT]}
    assert "urgent" in first, "of those that got the first slots"


def test_a_deleted_and_a_suspended_job_give_up_their_slots(
    stack: OperatorStack, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    stack.start_evaluator()
    stack.start_operator({"NEMO_MAX_RUNNING_JOBS": "1"})
    scenario = Scenario(stack.cluster, stack.namespace, stack.evaluator_url)
    scenario.apply(benchmark(), model_job("running"))
    scenario.until_phase("running", "Running")
    scenario.apply(model_job("second"))
    eventually(lambda: "second" in queued(scenario), "the second waits")
    scenario.apply(model_job("third"))
    eventually(lambda: "third" in queued(scenario), "the third waits")

    scenario.patch(JOB, "second", {"spec": {"suspend": True}})
    scenario.until_phase("second", "Suspended")
    assert "second" not in queued(scenario)
    scenario.kubectl("delete", JOB, "running", "--timeout=20s")

    scenario.until_phase("third", "Running")
    assert not scenario.remote_jobs("second")

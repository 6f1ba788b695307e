"""NEMO_MAX_RUNNING_JOBS: how many jobs the evaluator runs at once, and what those in line say."""

from __future__ import annotations

import json
from datetime import datetime

from tests.e2e.lab import Lab
from tests.e2e.parrot import Parrot
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, eventually, model_job

LIMIT = 2
LIMITED = {"NEMO_MAX_RUNNING_JOBS": str(LIMIT)}


def most_at_once(world: World) -> int:
    """Of all remote jobs there ever were, by when each began and ended."""
    spans = [
        (datetime.fromisoformat(job["created_at"]), datetime.fromisoformat(job["updated_at"]))
        for job in world.remote_jobs()
    ]
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


def queued(world: World) -> dict[str, int]:
    """The place that each waiting job's status tells."""
    items = json.loads(world.kubectl("get", JOB, "-o", "json"))["items"]
    return {
        item["metadata"]["name"]: item["status"]["queuePosition"]
        for item in items
        if item.get("status", {}).get("queuePosition") is not None
    }


def test_the_limit_of_running_jobs_holds_across_a_restart(lab: Lab, outspoken: Parrot) -> None:
    outspoken.hush()
    lab.start_evaluator()
    operator = lab.start_operator(LIMITED)
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    world.apply(benchmark())
    world.until_reason(BENCHMARK, "qa", "ConfigReady")
    names = [f"job-{number}" for number in range(5)]

    world.apply(*(model_job(name) for name in names))
    waiting = eventually(lambda: found if len(found := queued(world)) == 3 else None, "three wait")

    eventually(lambda: len(world.remote_jobs()) == LIMIT, "the others are submitted")
    assert set(waiting.values()) <= {1, 3}
    status = world.status(JOB, next(iter(waiting)))
    assert status["phase"] == "Pending"
    assert "all 2 evaluator slots are in use" in status["message"]
    # A job that is just being looked at again may have left the line for a moment.
    eventually(lambda: lab.metric("nemo_eval_operator_evaluator_places_waiting") == 3, "three in line")

    lab.kill(operator)
    world.apply(model_job("urgent", priority=100))
    lab.start_operator(LIMITED)
    eventually(lambda: "urgent" in queued(world), "the new one waits too")
    assert len(world.remote_jobs()) == LIMIT, "those that ran before the restart count"

    outspoken.speak()
    for name in [*names, "urgent"]:
        world.until_phase(name, "Succeeded")

    assert not queued(world)
    assert len(world.remote_jobs()) == len(names) + 1
    assert most_at_once(world) == LIMIT
    order = sorted(world.remote_jobs(), key=lambda job: str(job["created_at"]))
    # Both places become free at once: of the two that get them, either may be submitted first.
    first = {job["custom_fields"]["k8s-name"] for job in order[LIMIT : 2 * LIMIT]}
    assert "urgent" in first, "of those that got the first places"


def test_a_deleted_and_a_suspended_job_give_up_their_places(lab: Lab, outspoken: Parrot) -> None:
    outspoken.hush()
    lab.start_evaluator()
    lab.start_operator({"NEMO_MAX_RUNNING_JOBS": "1"})
    world = World(lab.cluster, lab.namespace, lab.evaluator_url)
    world.apply(benchmark(), model_job("running"))
    world.until_phase("running", "Running")
    world.apply(model_job("second"))
    eventually(lambda: "second" in queued(world), "the second waits")
    world.apply(model_job("third"))
    eventually(lambda: "third" in queued(world), "the third waits")

    world.patch(JOB, "second", {"spec": {"suspend": True}})
    world.until_phase("second", "Suspended")
    assert "second" not in queued(world)
    world.kubectl("delete", JOB, "running", "--timeout=20s")

    world.until_phase("third", "Running")
    assert not world.remote_jobs("second")

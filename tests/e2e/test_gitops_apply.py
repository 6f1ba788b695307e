"""What GitOps tools do to objects over and over: apply them again, mark them, keep them by a finalizer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.argocd import HOOK_FINALIZER, health
from tests.e2e.parrot import Parrot
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, data_benchmark, data_job, eventually, model_job

OBJECTS = {BENCHMARK: ["rows", "qa"], JOB: ["done", "runs"]}
MANIFESTS = yaml.safe_dump_all([data_benchmark(), benchmark(), data_job("done"), model_job("runs")])

SERVER_SIDE = [
    ("apply", "--server-side", "--field-manager=argocd-controller"),
    ("apply", "--server-side", "--field-manager=kustomize-controller", "--force-conflicts"),
]
CLIENT_SIDE = ("apply",)


def test_applying_again_changes_nothing_and_starts_nothing(world: World, outspoken: Parrot) -> None:
    outspoken.hush()
    world.kubectl(*CLIENT_SIDE, "-f", "-", input=MANIFESTS)
    world.until_phase("done", "Succeeded")
    world.until_phase("runs", "Running")
    eventually(
        lambda: world.status(JOB, "runs").get("progress"), "all that is told of a run that stands still"
    )
    eventually(lambda: "finalizers" not in metadata(world, JOB, "done"), "nothing holds the finished job")
    statuses = {name: world.status(kind, name) for kind, names in OBJECTS.items() for name in names}
    configs = {name: world.remote_config(name) for name in OBJECTS[BENCHMARK]}

    for command in (*SERVER_SIDE, CLIENT_SIDE):
        # The first time writes the manager's name, and kubectl's own annotation where it applies client-side.
        world.kubectl(*command, "-f", "-", input=MANIFESTS)
        written = versions(world)
        world.kubectl(*command, "-f", "-", input=MANIFESTS)
        world.kubectl("diff", *command[1:], "-f", "-", input=MANIFESTS)
        assert versions(world) == written
    world.kubectl("label", f"{BENCHMARK},{JOB}", "--all", "kustomize.toolkit.fluxcd.io/name=evaluations")
    world.kubectl("annotate", f"{BENCHMARK},{JOB}", "--all", "argocd.argoproj.io/tracking-id=evaluations:x")
    marked = versions(world)
    until_the_operator_has_seen_it_all(world)

    assert versions(world) == marked, "the operator had nothing to write"
    assert {generation for generation, _ in marked.values()} == {1}
    assert {name: world.status(kind, name) for kind, names in OBJECTS.items() for name in names} == statuses
    assert {name: world.remote_config(name) for name in OBJECTS[BENCHMARK]} == configs
    assert [len(world.remote_jobs(name)) for name in OBJECTS[JOB]] == [1, 1]


def test_a_rerun_asked_for_in_git_is_one_attempt_however_often_it_is_applied(world: World) -> None:
    job = data_job("again")
    world.apply(data_benchmark(), job)
    world.until_phase("again", "Succeeded")

    job["metadata"]["annotations"] = {"evaluator.nemo.dev/rerun": "2"}
    for command in (*SERVER_SIDE, *SERVER_SIDE):
        world.kubectl(*command, "-f", "-", input=json.dumps(job))
    eventually(lambda: world.status(JOB, "again")["attempt"] == 2, "the second attempt")
    world.until_phase("again", "Succeeded")
    until_the_operator_has_seen_it_all(world)

    assert len(world.remote_jobs("again")) == 2


@pytest.mark.parametrize("submitted", [True, False], ids=["running", "waiting"])
def test_a_hook_that_somebody_deletes_reads_as_failed_so_that_the_sync_ends(
    world: World, outspoken: Parrot, submitted: bool
) -> None:
    """Argo CD holds it until it reads as ended; it would wait for a hook that is gone for all others."""
    outspoken.hush()
    hook = model_job("gate", of="qa" if submitted else "nowhere")
    hook["metadata"]["finalizers"] = [HOOK_FINALIZER]
    world.apply(benchmark(), hook)
    if submitted:
        world.until_phase("gate", "Running")
    else:
        world.until_reason(JOB, "gate", "BenchmarkNotFound")
    assert health(world.get(JOB, "gate")).status == "Progressing"

    world.kubectl("delete", JOB, "gate", "--wait=false")

    world.until_phase("gate", "Cancelled")
    assert health(world.get(JOB, "gate")).status == "Degraded"
    assert metadata(world, JOB, "gate")["finalizers"] == [HOOK_FINALIZER]
    assert [remote["status"] for remote in world.remote_jobs("gate")] == ["cancelled"] * submitted
    world.patch(JOB, "gate", {"metadata": {"finalizers": None}})
    world.until_gone(JOB, "gate")


def metadata(world: World, kind: str, name: str) -> dict[str, Any]:
    found = world.get(kind, name)
    assert found is not None
    read: dict[str, Any] = found["metadata"]
    return read


def versions(world: World) -> dict[str, tuple[int, str]]:
    """Of each object its generation and resourceVersion."""
    found = {name: metadata(world, kind, name) for kind, names in OBJECTS.items() for name in names}
    return {name: (meta["generation"], meta["resourceVersion"]) for name, meta in found.items()}


def until_the_operator_has_seen_it_all(world: World) -> None:
    """What is applied last is handled last: its events come by the same watches, and its turn too."""
    world.apply(data_benchmark("last"), data_job("last", of="last"))
    world.until_phase("last", "Succeeded")

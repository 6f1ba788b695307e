"""What GitOps tools do to objects over and over: apply them again, mark them, keep them by a finalizer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.argocd import HOOK_FINALIZER, health
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel

OBJECTS = {BENCHMARK: ["rows", "qa"], JOB: ["done", "runs"]}
MANIFESTS = yaml.safe_dump_all([data_benchmark(), benchmark(), data_job("done"), model_job("runs")])

SERVER_SIDE = [
    ("apply", "--server-side", "--field-manager=argocd-controller"),
    ("apply", "--server-side", "--field-manager=kustomize-controller", "--force-conflicts"),
]
CLIENT_SIDE = ("apply",)


def test_applying_again_changes_nothing_and_starts_nothing(
    scenario: Scenario, pausable_model: StubModel
) -> None:
    pausable_model.stop_answering()
    scenario.kubectl(*CLIENT_SIDE, "-f", "-", input=MANIFESTS)
    scenario.until_phase("done", "Succeeded")
    scenario.until_phase("runs", "Running")
    eventually(
        lambda: scenario.status(JOB, "runs").get("progress"), "the progress of a run that makes no more"
    )
    eventually(lambda: "finalizers" not in metadata(scenario, JOB, "done"), "nothing holds the finished job")
    statuses = {name: scenario.status(kind, name) for kind, names in OBJECTS.items() for name in names}
    configs = {name: scenario.remote_config(name) for name in OBJECTS[BENCHMARK]}

    for command in (*SERVER_SIDE, CLIENT_SIDE):
        # The first time writes the manager's name, and kubectl's own annotation where it applies client-side.
        scenario.kubectl(*command, "-f", "-", input=MANIFESTS)
        written = versions(scenario)
        scenario.kubectl(*command, "-f", "-", input=MANIFESTS)
        scenario.kubectl("diff", *command[1:], "-f", "-", input=MANIFESTS)
        assert versions(scenario) == written
    scenario.kubectl("label", f"{BENCHMARK},{JOB}", "--all", "kustomize.toolkit.fluxcd.io/name=evaluations")
    scenario.kubectl(
        "annotate", f"{BENCHMARK},{JOB}", "--all", "argocd.argoproj.io/tracking-id=evaluations:x"
    )
    marked = versions(scenario)
    until_the_operator_has_seen_it_all(scenario)

    assert versions(scenario) == marked, "the operator had nothing to write"
    assert {generation for generation, _ in marked.values()} == {1}
    assert {
        name: scenario.status(kind, name) for kind, names in OBJECTS.items() for name in names
    } == statuses
    assert {name: scenario.remote_config(name) for name in OBJECTS[BENCHMARK]} == configs
    assert [len(scenario.remote_jobs(name)) for name in OBJECTS[JOB]] == [1, 1]


def test_a_rerun_asked_for_in_git_is_one_attempt_however_often_it_is_applied(scenario: Scenario) -> None:
    job = data_job("again")
    scenario.apply(data_benchmark(), job)
    scenario.until_phase("again", "Succeeded")

    job["metadata"]["annotations"] = {"evaluator.nemo.dev/rerun": "2"}
    for command in (*SERVER_SIDE, *SERVER_SIDE):
        scenario.kubectl(*command, "-f", "-", input=json.dumps(job))
    eventually(lambda: scenario.status(JOB, "again")["attempt"] == 2, "the second attempt")
    scenario.until_phase("again", "Succeeded")
    until_the_operator_has_seen_it_all(scenario)

    assert len(scenario.remote_jobs("again")) == 2


@pytest.mark.parametrize("submitted", [True, False], ids=["running", "waiting"])
def test_a_hook_that_a_user_deletes_reads_as_failed_so_that_the_sync_ends(
    scenario: Scenario, pausable_model: StubModel, submitted: bool
) -> None:
    """Argo CD holds it until it reads as ended; it would wait for a hook that is gone for all others."""
    pausable_model.stop_answering()
    hook = model_job("gate", of="qa" if submitted else "nowhere")
    hook["metadata"]["finalizers"] = [HOOK_FINALIZER]
    scenario.apply(benchmark(), hook)
    if submitted:
        scenario.until_phase("gate", "Running")
    else:
        scenario.until_reason(JOB, "gate", "BenchmarkNotFound")
    assert health(scenario.get(JOB, "gate")).status == "Progressing"

    scenario.kubectl("delete", JOB, "gate", "--wait=false")

    scenario.until_phase("gate", "Cancelled")
    assert health(scenario.get(JOB, "gate")).status == "Degraded"
    assert metadata(scenario, JOB, "gate")["finalizers"] == [HOOK_FINALIZER]
    assert [remote["status"] for remote in scenario.remote_jobs("gate")] == ["cancelled"] * submitted
    scenario.patch(JOB, "gate", {"metadata": {"finalizers": None}})
    scenario.until_gone(JOB, "gate")


def metadata(scenario: Scenario, kind: str, name: str) -> dict[str, Any]:
    found = scenario.get(kind, name)
    assert found is not None
    read: dict[str, Any] = found["metadata"]
    return read


def versions(scenario: Scenario) -> dict[str, tuple[int, str]]:
    """Of each object its generation and resourceVersion."""
    found = {name: metadata(scenario, kind, name) for kind, names in OBJECTS.items() for name in names}
    return {name: (meta["generation"], meta["resourceVersion"]) for name, meta in found.items()}


def until_the_operator_has_seen_it_all(scenario: Scenario) -> None:
    """What is applied last is handled last: its events come by the same watches, and its turn too."""
    scenario.apply(data_benchmark("last"), data_job("last", of="last"))
    scenario.until_phase("last", "Succeeded")

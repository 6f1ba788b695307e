"""The image and the chart under a real kubelet: installed, used, disturbed and uninstalled, on one node."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.image_archive import image_archives
from testbed.model import ModelEndpoint
from testbed.node import Node, expose, start_node, why_not_node
from testbed.processes import Processes, Program, free_port, http_ready
from testbed.stack import start_evaluator
from tests.e2e.node_release import EVALUATOR_IMAGE, OPERATOR_IMAGE, Release
from tests.e2e.scenario import JOB, Scenario, benchmark, data_benchmark, data_job, eventually, model_job
from tests.e2e.stub_model import StubModel
from tests.uncaptured import uncaptured

pytestmark = [
    pytest.mark.skipif(bool(why_not_node()), reason=why_not_node() or ""),
    pytest.mark.usefixtures("built_helm"),
]

ROOT = Path(__file__).parents[2]
PLUGIN = Path(sysconfig.get_path("scripts")) / "kubectl-nemoeval"


@pytest.fixture(scope="module")
def evaluator_url(
    stub_model: StubModel, datasets: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An evaluator of this machine that pods reach by the Service's name."""
    with Processes() as processes:
        yield start_evaluator(
            processes,
            tmp_path_factory.mktemp("evaluator"),
            datasets=datasets,
            models={"parrot": ModelEndpoint(stub_model.url, "parrot-1")},
            called=["nemo-evaluator.nemo.svc"],
        )
        processes.check()


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, evaluator_url: str
) -> Iterator[Node]:
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(Processes())
        with uncaptured(pytestconfig):
            images = image_archives({"operator": OPERATOR_IMAGE, "local-evaluator": EVALUATOR_IMAGE})
            directory = tmp_path_factory.mktemp("node")
            started = stack.enter_context(start_node(processes, directory, images=images))
        expose(started, evaluator_url, namespace="nemo", name="nemo-evaluator", port=7331)
        yield started
        processes.check()


@pytest.fixture(scope="module")
def cluster(node: Node) -> object:
    return node.cluster


@pytest.fixture(scope="module")
def release(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Two replicas of the operator, in a namespace that enforces Pod Security `restricted`."""
    release = Release(node, tmp_path_factory.mktemp("helm"))
    node.cluster.kubectl("create", "namespace", release.namespace)
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    node.cluster.kubectl("label", "namespace", release.namespace, restricted)
    release.install("--set", "replicas=2")
    return release


@pytest.fixture
def scenario(release: Release, namespace: str, evaluator_url: str) -> Iterator[Scenario]:
    scenario = Scenario(release.node.cluster, namespace, evaluator_url)
    scenario.apply(data_benchmark(), benchmark())
    yield scenario
    # While an operator is there to release them.
    scenario.kubectl("delete", f"{JOB}s,nemobenchmarks", "--all", "--timeout=60s")


def test_two_replicas_are_ready_and_one_leads(release: Release) -> None:
    pods = release.pods()
    assert len(pods) == 2
    assert all(release.is_ready(pod["metadata"]["name"]) for pod in pods)
    assert release.leader() in {pod["metadata"]["name"] for pod in pods}
    assert all(release.restarts(pod["metadata"]["name"]) == 0 for pod in pods)


def test_an_evaluation_from_apply_to_scores_that_the_plugin_reads(scenario: Scenario) -> None:
    scenario.apply(data_job("rows-1"), model_job("asked"))
    scenario.until_phase("rows-1", "Succeeded")
    scenario.until_phase("asked", "Succeeded")

    shown = plugin(scenario, "results", "rows-1")
    assert "exact" in shown
    assert "0.5" in shown


def plugin(scenario: Scenario, *argv: str) -> str:
    env = {**os.environ, "KUBECONFIG": str(scenario.cluster.kubeconfig)}
    command = [str(PLUGIN), *argv, "-n", scenario.namespace]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.fixture
def release_with_evaluator(release: Release) -> Iterator[Release]:
    release.install("--set", "localEvaluator.enabled=true")
    yield release
    # For the next tests, also if this one failed.
    release.install("--set", "replicas=2")


def test_the_chart_can_bring_an_evaluator(
    release_with_evaluator: Release, namespace: str, tmp_path: Path
) -> None:
    release = release_with_evaluator
    scenario = Scenario(release.node.cluster, namespace, "")
    scenario.apply(data_benchmark(), data_job("in-a-pod"))
    scenario.until_phase("in-a-pod", "Succeeded", seconds=90)
    with Processes() as processes:
        url = f"http://127.0.0.1:{(port := free_port())}"
        forward = ["port-forward", f"service/{release.name}-local", f"{port}:7331", "-n", release.namespace]
        processes.start(
            Program(
                "port-forward",
                [*scenario.cluster.kubectl_command, *forward],
                env={"KUBECONFIG": str(scenario.cluster.kubeconfig)},
                log=tmp_path / "port-forward.log",
                ready=http_ready(f"{url}/health"),
            )
        )
        assert "completed" in plugin(scenario, "logs", "in-a-pod", "--evaluator-url", url)
    scenario.kubectl("delete", f"{JOB}s,nemobenchmarks", "--all", "--timeout=60s")


def test_the_network_policy_selects_the_pods(release: Release) -> None:
    (policy,) = json.loads(release.kubectl("get", "networkpolicies", "-o", "json"))["items"]
    selected = policy["spec"]["podSelector"]["matchLabels"]
    selector = ",".join(f"{name}={value}" for name, value in selected.items())

    found = release.kubectl("get", "pods", "-l", selector, "-o", "name").split()

    assert {f"pod/{pod['metadata']['name']}" for pod in release.pods()} <= {*found}


def test_every_line_of_the_log_is_json(release: Release) -> None:
    for line in release.kubectl("logs", release.leader()).splitlines():
        assert "message" in json.loads(line), line


def test_a_container_stays_within_its_memory(release: Release, scenario: Scenario) -> None:
    scenario.apply(*(data_job(f"load-{number}") for number in range(40)))
    for number in range(40):
        scenario.until_phase(f"load-{number}", "Succeeded", seconds=120)

    pid = release.node.container_pid(release.namespace, release.leader())
    memory = release.node.run("cat", f"/proc/{pid}/status")
    peak = next(int(line.split()[1]) for line in memory.splitlines() if line.startswith("VmHWM"))
    limit = release.pods()[0]["spec"]["containers"][0]["resources"]["limits"]["memory"]

    assert peak < int(limit.removesuffix("Mi")) * 1024 / 2


def test_a_killed_leader_is_followed_by_the_standby_and_restarted(
    release: Release, scenario: Scenario, stub_model: StubModel
) -> None:
    leader = release.leader()
    before = release.restarts(leader)
    stub_model.stop_answering()
    scenario.apply(model_job("survivor"))
    scenario.until_phase("survivor", "Running")

    release.node.signal(release.namespace, leader, "KILL")

    release.another_leads(leader)
    stub_model.answer_again()
    scenario.until_phase("survivor", "Succeeded", seconds=60)
    assert len(scenario.remote_jobs("survivor")) == 1
    eventually(lambda: release.restarts(leader) == before + 1, f"{leader} restarted", seconds=60)
    eventually(lambda: release.is_ready(leader), f"{leader} ready", seconds=60)


def test_a_stopped_process_loses_the_lease_and_is_restarted(release: Release) -> None:
    leader = release.leader()
    before = release.restarts(leader)

    release.node.signal(release.namespace, leader, "STOP")

    release.another_leads(leader)
    eventually(lambda: release.restarts(leader) == before + 1, f"{leader} restarted", seconds=120)
    eventually(lambda: release.is_ready(leader), f"{leader} ready", seconds=60)


def test_a_rollout_while_jobs_arrive_submits_each_once(release: Release, scenario: Scenario) -> None:
    names = [f"arrival-{number}" for number in range(40)]
    release.kubectl("rollout", "restart", f"deployment/{release.name}")
    # A few at a time, for as long as the rollout takes.
    for start in range(0, len(names), 4):
        scenario.apply(*(data_job(name) for name in names[start : start + 4]))
    release.kubectl("rollout", "status", f"deployment/{release.name}", "--timeout=120s")

    for name in names:
        scenario.until_phase(name, "Succeeded", seconds=120)
    submitted = [job["custom_fields"]["k8s-name"] for job in scenario.remote_jobs()]
    assert sorted(submitted) == sorted(names)


def test_it_starts_with_the_cpu_that_it_requests_and_under_any_user(release: Release) -> None:
    user = 1_000_650_000
    release.install(
        *("--set", "replicas=1", "--set", "resources.limits.cpu=50m"),
        *("--set", f"podSecurityContext.runAsUser={user}"),
    )

    eventually(lambda: len(release.pods()) == 1, "one pod is left", seconds=60)
    name = release.pods()[0]["metadata"]["name"]
    eventually(lambda: release.leader() == name, f"{name} leads", seconds=120)
    pid = release.node.container_pid(release.namespace, name)
    status = release.node.run("cat", f"/proc/{pid}/status")
    assert f"Uid:\t{user}" in status
    assert "CapEff:\t0000000000000000" in status
    assert release.restarts(name) == 0


def test_a_release_that_is_rolled_back_goes_on(release: Release, scenario: Scenario) -> None:
    release.install("--set", "replicas=2")
    release.install("--set", "replicas=2", "--set", "settings.logLevel=debug")
    release.helm("rollback", release.name, "--wait", "--timeout", "120s")
    scenario.apply(data_job("after"))
    scenario.until_phase("after", "Succeeded", seconds=60)


def test_an_uninstalled_release_says_what_it_left_and_adopts_it_when_it_is_back(
    release: Release, scenario: Scenario, stub_model: StubModel
) -> None:
    stub_model.stop_answering()
    scenario.apply(model_job("adopted"))
    remote = scenario.until_phase("adopted", "Running")["jobId"]

    shown = release.uninstall()

    assert "adopted" in shown
    assert release.pods() == []
    assert scenario.finalizers(JOB, "adopted") == []
    release.install("--set", "replicas=2")
    stub_model.answer_again()
    status = scenario.until_phase("adopted", "Succeeded", seconds=60)
    assert status["jobId"] == remote
    assert len(scenario.remote_jobs("adopted")) == 1


def test_the_manifests_of_kubectl_run_and_leave_nothing(release: Release) -> None:
    release.uninstall()
    install = str(ROOT / "deploy" / "install.yaml")
    release.kubectl("delete", "namespace", release.namespace)
    release.kubectl("apply", "--server-side", "--force-conflicts", "-f", install)
    release.kubectl("rollout", "status", f"deployment/{release.name}", "--timeout=120s")

    release.kubectl("delete", "--timeout=120s", "-f", install)

    left = release.node.cluster.kubectl("get", "crds,namespaces,clusterroles", "-o", "name").stdout
    assert not [line for line in left.splitlines() if "nemo" in line and line != "namespace/nemo"]

"""The chart on a real API server: installed, upgraded from older CRDs, and uninstalled without a trace.

There is no kubelet: where a pod would have run, the test runs what the pod says, with the pod's identity.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.chart import CHART, helm, helm_homes, template
from testbed.cluster import Cluster
from testbed.processes import Processes
from testbed.stack import operator_command, start_operator
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

pytestmark = pytest.mark.usefixtures("built_helm", "crds")

RELEASE = "evals"
NAME = "evals-nemo-eval-operator"  # of the Deployment and of all that goes with it
EVERYTHING = Path(__file__).parents[1] / "golden" / "chart" / "everything.values.yaml"
POLICIES = "validatingadmissionpolicies,validatingadmissionpolicybindings"
FINALIZER = "evaluator.nemo.dev/finalizer"


@dataclass(frozen=True)
class Helm:
    """Helm for one namespace, where the operator is and what it watches."""

    namespace: str
    env: Mapping[str, str]

    def __call__(self, *args: str, timeout: float = 60) -> str:
        return helm(*args, "--namespace", self.namespace, env=self.env, timeout=timeout)

    def install(self, chart: Path = CHART, *options: str) -> str:
        # The CRDs are there already, as `kubectl apply` left them.
        watched = f"watch.namespaces={{{self.namespace}}}"
        return self("install", RELEASE, str(chart), "--take-ownership", "--set", watched, *options)


@pytest.fixture
def scenario(cluster: Cluster, namespace: str, evaluator_url: str) -> Scenario:
    return Scenario(cluster, namespace, evaluator_url)


@pytest.fixture
def release(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Helm]:
    yield Helm(namespace, {"KUBECONFIG": str(cluster.kubeconfig), **helm_homes(tmp_path)})
    cluster.apply_crds()
    # The cluster's, and other tests apply objects that it refuses.
    cluster.kubectl("delete", POLICIES, "-l", f"app.kubernetes.io/instance={RELEASE}")


def chart_without_priority(directory: Path) -> Path:
    """The chart of an older version, which did not have that field yet."""
    older = directory / "older"
    shutil.copytree(CHART, older)
    path = older / "files" / "crds" / "nemoevaljobs.yaml"
    crd = yaml.safe_load(path.read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["priority"]
    spec["x-kubernetes-validations"] = [
        rule for rule in spec.get("x-kubernetes-validations", []) if "priority" not in rule["rule"]
    ]
    path.write_text(yaml.safe_dump(crd, sort_keys=False))
    return older


def test_an_upgrade_brings_new_fields_and_leaves_objects_alone(
    release: Helm, scenario: Scenario, tmp_path: Path
) -> None:
    release.install(chart_without_priority(tmp_path))
    urgent = yaml.safe_dump(data_job("urgent", priority=5))
    eventually(
        lambda: (
            'unknown field "spec.priority"' in scenario.kubectl("apply", "-f", "-", input=urgent, check=False)
        ),
        "the older CRD is in force",
    )
    scenario.apply(data_job("waiting"))
    before = scenario.get(JOB, "waiting")

    release("upgrade", RELEASE, str(CHART), "--reuse-values")

    eventually(
        lambda: "created" in scenario.kubectl("apply", "-f", "-", input=urgent, check=False),
        "the newer CRD is in force",
    )
    assert scenario.get(JOB, "waiting") == before


def test_all_that_can_be_switched_on_is_taken_by_the_api_server(scenario: Scenario) -> None:
    rendered = template("--values", str(EVERYTHING), namespace=scenario.namespace)
    # The Prometheus operator's kinds are not served here.
    served = [
        manifest
        for manifest in yaml.safe_load_all(rendered)
        if manifest and not manifest["apiVersion"].startswith("monitoring.coreos.com/")
    ]

    said = scenario.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(served)
    )

    assert len(said.splitlines()) == len(served)


@dataclass(frozen=True)
class Kubelet:
    """Runs the pod of the uninstalling Job, and lets the operator's pod end."""

    scenario: Scenario

    def run(self, job: Mapping[str, Any]) -> str:
        """What the pod printed; the Job is Complete then."""
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        kubeconfig = self.scenario.cluster.service_account_kubeconfig(
            self.scenario.namespace, pod["serviceAccountName"]
        )
        done = subprocess.run(
            [*operator_command(), *container["args"], "--kubeconfig", str(kubeconfig)],
            env={variable["name"]: variable["value"] for variable in container.get("env", [])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
        self._complete(job["metadata"]["name"])
        return done.stdout

    def _complete(self, name: str) -> None:
        now = "2026-01-01T00:00:00Z"
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
        patch = yaml.safe_dump({"status": {**status, "uncountedTerminatedPods": {}}})
        self.scenario.kubectl("patch", "job", name, "--subresource=status", "--type=merge", "-p", patch)


def start(processes: Processes, scenario: Scenario, workdir: Path, kubeconfig: Path) -> None:
    start_operator(
        processes,
        workdir,
        kubeconfig=kubeconfig,
        evaluator_url=scenario.evaluator_url,
        namespaces=[scenario.namespace],
        env={
            "NEMO_LEADER_ELECT": "true",
            "NEMO_LEASE_NAME": NAME,
            "NEMO_LEASE_NAMESPACE": scenario.namespace,
        },
    )


def operators_pod(scenario: Scenario) -> dict[str, Any]:
    """The pod that the Deployment would have, were there a controller for it."""
    deployment = scenario.get("deployment", NAME)
    assert deployment is not None
    template = deployment["spec"]["template"]
    metadata = {"name": "the-operator", "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def everything_of_the_release(scenario: Scenario) -> str:
    """Whatever has the chart's labels, the cluster's roles included, and Helm's own record."""
    kinds = (
        "deployments,services,jobs,pods,networkpolicies,serviceaccounts,roles,rolebindings,clusterroles,"
        f"clusterrolebindings,{POLICIES}"
    )
    labelled = scenario.kubectl("get", kinds, "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name")
    return labelled + scenario.kubectl("get", "secrets", "-l", "owner=helm", "-o", "name")


def test_uninstalling_leaves_nothing_behind_but_objects_and_results(
    release: Helm, scenario: Scenario, pausable_model: StubModel, tmp_path: Path
) -> None:
    release.install()
    scenario.apply(operators_pod(scenario))
    account = scenario.cluster.service_account_kubeconfig(scenario.namespace, NAME)
    with Processes() as processes, ThreadPoolExecutor() as meanwhile:
        start(processes, scenario, tmp_path / "first", account)
        scenario.apply(data_benchmark(), data_job("done"), benchmark())
        scenario.until_phase("done", "Succeeded")
        pausable_model.stop_answering()
        scenario.apply(model_job("running"))
        remote = scenario.until_phase("running", "Running")["jobId"]
        assert scenario.finalizers(JOB, "running") == scenario.finalizers(BENCHMARK, "qa") == [FINALIZER]

        uninstalled = meanwhile.submit(release, "uninstall", RELEASE, "--timeout=60s", timeout=90)
        job = eventually(lambda: scenario.get("job", f"{NAME}-uninstall"), "the hook's Job")
        printed = meanwhile.submit(Kubelet(scenario).run, job)
        scaled = ("get", "deployment", NAME, "-o", "jsonpath={.spec.replicas}")
        eventually(lambda: scenario.kubectl(*scaled) == "0", "the operator is asked to end")
        assert scenario.get("lease", NAME)
        assert scenario.finalizers(JOB, "running") == [FINALIZER], "not before the operator is gone"
        processes.stop()
        scenario.kubectl("delete", "pod", "the-operator", "--force", "--grace-period=0")
        said = printed.result()
        uninstalled.result()

        assert f"{scenario.namespace}/running: remote job {remote} goes on in the evaluator" in said
        assert "objects released: 3, not released: 0, remote jobs that go on: 1" in said
        assert scenario.finalizers(JOB, "running") == scenario.finalizers(BENCHMARK, "qa") == []
        assert scenario.results("done")["tasks"]
        assert everything_of_the_release(scenario) == ""
        assert scenario.get("lease", NAME) is None

        # A new installation continues where the other stopped.
        start(processes, scenario, tmp_path / "second", scenario.cluster.kubeconfig)
        eventually(lambda: scenario.finalizers(JOB, "running") == [FINALIZER], "it is held again")
        pausable_model.answer_again()
        assert scenario.until_phase("running", "Succeeded")["jobId"] == remote
        assert [found["id"] for found in scenario.remote_jobs("running")] == [remote]


def test_crds_go_with_the_release_where_that_is_asked_for(release: Helm, scenario: Scenario) -> None:
    if not scenario.cluster.throwaway:
        pytest.skip("all objects of a cluster that is not ours would go with them")
    everywhere = ("--set", "watch.namespaces=null,crds.keep=false")
    release.install(CHART, *everywhere)
    left = data_benchmark()
    left["metadata"]["finalizers"] = [FINALIZER]
    scenario.apply(left)

    with ThreadPoolExecutor() as meanwhile:
        uninstalled = meanwhile.submit(release, "uninstall", RELEASE, "--timeout=60s", timeout=90)
        Kubelet(scenario).run(eventually(lambda: scenario.get("job", f"{NAME}-uninstall"), "the hook's Job"))
        uninstalled.result()

    eventually(lambda: "nemo.dev" not in scenario.kubectl("get", "crds", "-o", "name"), "the CRDs are gone")
    assert everything_of_the_release(scenario) == ""

"""`nemo-eval-operator release-finalizers`: frees what it should, says what goes on, and can be run again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import Cluster
from testbed.faults import Fault, FaultProxy, Rule, Upstream, proxied_kubeconfig
from testbed.processes import free_port
from testbed.stack import operator_command
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, connection, data_benchmark, data_job

FINALIZER = "evaluator.nemo.dev/finalizer"

LEASE = ("--lease-name", "of-no-operator")


@pytest.fixture
def scenario(cluster: Cluster, crds: None, namespace: str) -> Scenario:
    """Without an operator: the objects are as one left them."""
    return Scenario(cluster, namespace, "http://evaluator.invalid")


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(Upstream.of_kubeconfig(cluster.kubeconfig), seed=1) as proxy:
        yield proxy


def release(kubeconfig: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # Other tests' operators hold leases of the usual name.
        [*operator_command(), "release-finalizers", "--kubeconfig", str(kubeconfig), *LEASE, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def left(
    scenario: Scenario, manifest: dict[str, Any], *, labels: dict[str, str] | None = None, **status: Any
) -> None:
    """An object as the operator left it, with its finalizer and a foreign one, and with that status."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    manifest["metadata"] |= {"finalizers": [FINALIZER, "example.com/foreign"], "labels": labels or {}}
    scenario.apply(manifest)
    if status:
        patch = json.dumps({"status": status})
        scenario.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


def let_go(scenario: Scenario) -> None:
    """The foreign finalizer would keep the namespace from ending."""
    kinds = "nemoevaljobs,nemobenchmarks,nemoevaluatorconnections"
    for name in scenario.kubectl("get", kinds, "-o", "name").split():
        scenario.kubectl("patch", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def test_it_frees_all_objects_and_names_what_goes_on(scenario: Scenario) -> None:
    submitted = {"nonce": "n", "time": "2026-01-01T00:00:00.000000Z"}
    left(scenario, connection("main", "http://evaluator.invalid"))
    left(scenario, data_benchmark("rows"))
    left(scenario, data_job("running"), attempt=1, jobId="eval-1", submission=submitted)
    left(scenario, data_job("submitting"), attempt=1, submission=submitted)
    left(scenario, data_job("ended"), attempt=1, jobId="eval-2", completionTime="2026-01-01T00:00:00Z")

    first = release(scenario.cluster.kubeconfig, "--namespace", scenario.namespace)
    again = release(scenario.cluster.kubeconfig, "--namespace", scenario.namespace)

    objects = [("nec", "main"), (BENCHMARK, "rows"), (JOB, "running"), (JOB, "submitting"), (JOB, "ended")]
    assert [scenario.finalizers(*named) for named in objects] == [["example.com/foreign"]] * 5
    submitting = "a remote job that was being submitted"
    assert set(first.stdout.splitlines()) == {
        f"{scenario.namespace}/running: remote job eval-1 goes on in the evaluator",
        f"{scenario.namespace}/submitting: {submitting} goes on in the evaluator",
        "objects released: 5, not released: 0, remote jobs that go on: 2",
    }
    assert again.stdout.splitlines() == ["objects released: 0, not released: 0, remote jobs that go on: 0"]
    assert (first.returncode, again.returncode) == (0, 0)
    let_go(scenario)


def test_it_frees_only_what_the_operator_took_care_of(scenario: Scenario) -> None:
    left(scenario, data_benchmark("ours"), labels={"shard": "a"})
    left(scenario, data_benchmark("theirs"), labels={"shard": "b"})

    done = release(
        scenario.cluster.kubeconfig, "--selector", "shard in (a)", "--namespace", scenario.namespace
    )

    assert done.returncode == 0
    assert scenario.finalizers(BENCHMARK, "ours") == ["example.com/foreign"]
    assert scenario.finalizers(BENCHMARK, "theirs") == [FINALIZER, "example.com/foreign"]
    let_go(scenario)


FALTERING = [
    Rule("GET", "*/nemoevaljobs", Fault.ERROR_BEFORE, 503, times=2),
    Rule("PATCH", "*/lost", Fault.DROP_AFTER, times=1),
    Rule("PATCH", "*/busy", Fault.BUSY, times=2),
    Rule("PATCH", "*/written", Fault.ERROR_BEFORE, 409, times=2),
]


def test_it_gets_through_to_a_server_that_falters(
    scenario: Scenario, proxy: FaultProxy, tmp_path: Path
) -> None:
    names = ["lost", "busy", "written"]
    for name in names:
        left(scenario, data_job(name), attempt=1, jobId=f"eval-{name}")
    proxy.rules = FALTERING
    kubeconfig = proxied_kubeconfig(
        scenario.cluster.kubeconfig, proxy_url=proxy.url, target=tmp_path / "config"
    )

    done = release(kubeconfig, "--namespace", scenario.namespace)

    assert proxy.struck == 7, done.stdout
    assert [scenario.finalizers(JOB, name) for name in names] == [["example.com/foreign"]] * 3
    assert done.stdout.splitlines()[-1] == "objects released: 3, not released: 0, remote jobs that go on: 3"
    assert done.stdout.count("goes on in the evaluator") == 3
    assert done.returncode == 0
    let_go(scenario)


def test_an_object_that_is_written_all_the_time_is_named(
    scenario: Scenario, proxy: FaultProxy, tmp_path: Path
) -> None:
    left(scenario, data_benchmark("busy"))
    left(scenario, data_benchmark("free"))
    proxy.rules = [Rule("PATCH", "*/busy", Fault.ERROR_BEFORE, 409)]
    kubeconfig = proxied_kubeconfig(
        scenario.cluster.kubeconfig, proxy_url=proxy.url, target=tmp_path / "config"
    )

    done = release(kubeconfig, "--namespace", scenario.namespace)

    assert done.returncode == 1
    assert f"not released: nemobenchmarks {scenario.namespace}/busy: it is being written" in done.stderr
    assert done.stdout.splitlines()[-1] == "objects released: 1, not released: 1, remote jobs that go on: 0"
    let_go(scenario)


def hold_lease(scenario: Scenario, *, seconds_ago: int) -> None:
    renewed = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    time = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "pod-1", "leaseDurationSeconds": 15, "renewTime": time}
    meta = {"name": "own-lease"}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
    scenario.apply({**lease, "spec": spec})


def test_beside_a_running_operator_it_refuses_and_says_what_to_do(scenario: Scenario) -> None:
    left(scenario, data_benchmark("held"))
    hold_lease(scenario, seconds_ago=-600)
    options = ("--namespace", scenario.namespace, "--lease-name", "own-lease")

    for more in ((), ("--lease-namespace", scenario.namespace)):
        refused = release(scenario.cluster.kubeconfig, *options, *more)
        assert refused.returncode == 1
        assert (
            f"pod-1 holds the lease {scenario.namespace}/own-lease. Scale its Deployment to 0"
            in refused.stderr
        )
        assert "--stop-deployment NAMESPACE/NAME" in refused.stderr
    assert FINALIZER in scenario.finalizers(BENCHMARK, "held")

    hold_lease(scenario, seconds_ago=60)
    assert release(scenario.cluster.kubeconfig, *options).returncode == 0, "its holder has gone"
    assert FINALIZER not in scenario.finalizers(BENCHMARK, "held")
    let_go(scenario)


def test_without_an_api_server_it_gives_up_in_time(tmp_path: Path) -> None:
    cluster = {"name": "none", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "none", "context": {"cluster": "none", "user": "none"}}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "none", "clusters": [cluster]}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps({**config, "contexts": [context], "users": [{"name": "none", "user": {"token": "t"}}]})
    )

    done = release(kubeconfig, "--timeout", "1")

    assert done.returncode == 1
    assert "given up after 1 s; run it again to go on" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_list_permission_is_reported(scenario: Scenario) -> None:
    scenario.kubectl("create", "serviceaccount", "without-permissions")

    done = release(scenario.cluster.service_account_kubeconfig(scenario.namespace, "without-permissions"))

    assert done.returncode == 1
    assert 'cannot list resource "nemoevaljobs"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deployment_is_named_with_its_namespace(cluster: Cluster) -> None:
    done = release(cluster.kubeconfig, "--stop-deployment", "nemo-eval-operator")

    assert done.returncode == 2
    assert "--stop-deployment is written NAMESPACE/NAME" in done.stderr

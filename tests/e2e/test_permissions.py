"""The chart's roles: enough for every feature, and each permission in them is needed by one.

Operators run with the identity, the roles and the settings that the chart gives them; a proxy in front of the
API server records their requests, and which ones are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from testbed.chart import template
from testbed.cluster import Cluster
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.permissions import Manifest, Permission, Record, granted, permission_for, recorded, without
from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    Scenario,
    benchmark,
    connection,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)
from tests.e2e.stub_model import StubModel

pytestmark = pytest.mark.usefixtures("built_helm", "crds")

RELEASE = "nemo-eval-operator"
INSTALL = Path(__file__).parents[2] / "deploy" / "install.yaml"


@dataclass(frozen=True)
class Stage:
    """One operator with the chart's permissions, and what it can be seen by."""

    scenario: Scenario
    record: Record
    readyz: str

    def ready(self, name: str) -> bool:
        return self.scenario.conditions(BENCHMARK, name).get("Ready") == "True"

    def phase(self, name: str) -> str | None:
        return self.scenario.status(JOB, name).get("phase")

    def succeeded(self, name: str) -> bool:
        return self.phase(name) == "Succeeded"

    def gone(self, kind: str, name: str) -> bool:
        return self.scenario.get(kind, name) is None

    def has_event(self, name: str) -> bool:
        selector = f"involvedObject.name={name}"
        return name in self.scenario.kubectl("get", "events", "--field-selector", selector, "-o", "name")

    def leads(self) -> bool:
        answer = httpx.get(self.readyz, timeout=5)
        return bool(answer.json()["state"] == "active")


@dataclass(frozen=True)
class Feature:
    """What a user does, and what comes of it while the operator may do what it has to."""

    applied: Callable[[], list[Manifest]]
    works: Callable[[Stage], bool]
    # When the operator has listed what there is.
    later: bool = False
    # Beforehand, as the operator finds the Lease when it starts.
    before: Callable[[], list[Manifest]] = list


def named(name: str, kind: str, **content: object) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


def free_lease() -> list[Manifest]:
    lease = named(RELEASE, "Lease", spec={"leaseDurationSeconds": 1, "leaseTransitions": 1})
    return [{**lease, "apiVersion": "coordination.k8s.io/v1"}]


def bench(name: str) -> Feature:
    return Feature(lambda: [data_benchmark(name)], lambda stage: stage.ready(name))


def job(name: str, **spec: Any) -> Feature:
    """With a config of its own: no benchmark has to be handled first."""
    return Feature(lambda: [inline(name, **spec)], lambda stage: stage.succeeded(name))


def unreachable_connection(name: str) -> Feature:
    """A connection whose evaluator does not answer: its status reports it."""
    manifest = connection(name, "http://evaluator.invalid")
    return Feature(lambda: [manifest], lambda stage: stage.scenario.reason("nec", name) is not None)


def inline(name: str, **spec: Any) -> Manifest:
    manifest = data_job(name, **spec)
    del manifest["spec"]["benchmarkRef"]
    manifest["spec"]["config"] = data_benchmark()["spec"]["config"]
    return manifest


def with_secret(name: str) -> list[Manifest]:
    values = [{"secretKeyRef": {"name": name, "key": "token"}, "targetPath": "params.extra.hf_token"}]
    return [named(name, "Secret", stringData={"token": "hf_x"}), data_benchmark(name, valuesFrom=values)]


FEATURES: dict[Permission, Feature] = {
    ("nemobenchmarks", "get"): bench("b-get"),
    ("nemobenchmarks", "list"): bench("b-list"),
    ("nemobenchmarks", "watch"): replace(bench("b-watch"), later=True),
    ("nemobenchmarks", "patch"): bench("b-patch"),
    ("nemobenchmarks/status", "patch"): bench("b-status"),
    ("nemoevaljobs", "get"): job("j-get"),
    ("nemoevaljobs", "list"): job("j-list"),
    ("nemoevaljobs", "watch"): replace(job("j-watch"), later=True),
    ("nemoevaljobs", "patch"): job("j-patch"),
    ("nemoevaljobs/status", "patch"): job("j-status"),
    ("nemoevaljobs", "delete"): Feature(
        lambda: [inline("j-ttl", ttlSecondsAfterFinished=0)], lambda stage: stage.gone(JOB, "j-ttl")
    ),
    ("nemoevaluatorconnections", "get"): unreachable_connection("c-get"),
    ("nemoevaluatorconnections", "list"): unreachable_connection("c-list"),
    ("nemoevaluatorconnections", "watch"): replace(unreachable_connection("c-watch"), later=True),
    ("nemoevaluatorconnections", "patch"): Feature(
        lambda: [connection("c-patch", "http://evaluator.invalid")],
        lambda stage: bool(stage.scenario.finalizers("nec", "c-patch")),
    ),
    ("nemoevaluatorconnections/status", "patch"): unreachable_connection("c-status"),
    ("configmaps", "create"): job("j-results"),
    ("configmaps", "get"): Feature(
        lambda: [named("j-taken-results", "ConfigMap", data={"mine": "yes"}), inline("j-taken")],
        lambda stage: stage.succeeded("j-taken"),
    ),
    ("secrets", "get"): Feature(lambda: with_secret("b-secret"), lambda stage: stage.ready("b-secret")),
    ("events", "create"): Feature(
        lambda: [data_job("j-event", of="missing")], lambda stage: stage.has_event("j-event")
    ),
    ("leases", "get"): Feature(list, Stage.leads),
    ("leases", "create"): Feature(list, Stage.leads),
    ("leases", "patch"): Feature(list, Stage.leads, before=free_lease),
}


@dataclass(frozen=True)
class Installation:
    """The objects of a chart that was rendered into namespace `system`."""

    system: str
    manifests: list[Manifest]

    def of_kinds(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    @property
    def roles(self) -> list[Manifest]:
        return self.of_kinds("Role", "ClusterRole")

    @property
    def settings(self) -> dict[str, str]:
        (deployment,) = self.of_kinds("Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return {variable["name"]: variable["value"] for variable in container["env"]}

    @property
    def identity(self) -> list[Manifest]:
        return self.of_kinds("Namespace", "ServiceAccount", "RoleBinding", "ClusterRoleBinding")


def for_one_namespace(namespace: str) -> Installation:
    """In the namespace that it watches."""
    values = f"crds.install=false,watch.namespaces={{{namespace}}}"
    text = template("--no-hooks", "--set", values, release=RELEASE, namespace=namespace)
    return Installation(namespace, [document for document in yaml.safe_load_all(text) if document])


def as_install_yaml() -> Installation:
    manifests = [document for document in yaml.safe_load_all(INSTALL.read_text()) if document]
    return Installation("nemo-eval-system", manifests)


def apply(scenario: Scenario, manifests: list[Manifest]) -> None:
    if manifests:
        scenario.apply(*manifests)


@contextmanager
def operating(
    scenario: Scenario, workdir: Path, installation: Installation, roles: Sequence[Manifest]
) -> Iterator[Stage]:
    """An operator with the installation's identity and settings, and with these roles and no others."""
    cluster = scenario.cluster
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([*installation.identity, *roles]))
    with (
        recorded(cluster, installation.system, RELEASE, workdir) as record,
        Processes() as processes,
    ):
        health = start_operator(
            processes,
            workdir,
            kubeconfig=record.kubeconfig,
            evaluator_url=scenario.evaluator_url,
            env=installation.settings,
            # Without rights to the Lease it is never ready.
            probe="healthz",
        )
        yield Stage(scenario, record, health.replace("healthz", "readyz"))


@pytest.mark.parametrize("mode", ["all namespaces", "one namespace"])
def test_the_chart_allows_every_feature_and_no_more(
    mode: str, cluster: Cluster, namespace: str, evaluator_url: str, pausable_model: StubModel, tmp_path: Path
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    installation = for_one_namespace(namespace) if mode == "one namespace" else as_install_yaml()
    lease = ("lease", RELEASE, "--namespace", installation.system)
    cluster.kubectl("delete", *lease, "--ignore-not-found")  # an earlier test's

    with operating(scenario, tmp_path, installation, installation.roles) as stage:
        eventually(stage.leads, "the operator leads")
        scenario.apply(*(manifest for feature in FEATURES.values() for manifest in feature.applied()))
        for permission, feature in FEATURES.items():
            eventually(partial(feature.works, stage), f"what {permission} is for")
        pausable_model.stop_answering()
        scenario.apply(benchmark(), model_job("cancelled"), model_job("deleted"))
        scenario.until_phase("cancelled", "Running")
        scenario.until_phase("deleted", "Running")
        scenario.patch(JOB, "cancelled", {"spec": {"cancel": True}})
        scenario.until_phase("cancelled", "Cancelled")
        scenario.kubectl("delete", JOB, "deleted", "--timeout=20s")
        scenario.kubectl("delete", BENCHMARK, "--all", "--timeout=20s")

    assert stage.record.refused == []
    assert stage.record.used == granted(installation.roles)


def test_each_permission_has_its_feature(namespace: str) -> None:
    assert set(FEATURES) == granted(for_one_namespace(namespace).roles)


@pytest.mark.parametrize("permission", FEATURES, ids=" ".join)
def test_without_one_permission_a_feature_is_missing(
    permission: Permission, cluster: Cluster, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    scenario, feature = Scenario(cluster, namespace, evaluator_url), FEATURES[permission]
    installation = for_one_namespace(namespace)
    apply(scenario, feature.before())

    with operating(scenario, tmp_path, installation, without(installation.roles, permission)) as stage:
        if not feature.later:
            apply(scenario, feature.applied())
        eventually(lambda: stage.record.refusals(permission), f"{permission} is refused")
        if feature.later:
            apply(scenario, feature.applied())
            so_far = stage.record.refusals(permission)
            eventually(lambda: stage.record.refusals(permission) > so_far, f"{permission} is refused again")

        assert not feature.works(stage)
        refused = {permission_for(exchange) for exchange in stage.record.exchanges if exchange.status == 403}
        assert refused == {permission}

"""The chart's roles: enough for every feature, and each permission in them is needed by one.

Operators run with the identity, the roles and the settings that the chart gives them; a proxy in front of the
API server sees what they ask, and what is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from testbed.chart import template
from testbed.cluster import Cluster
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.parrot import Parrot
from tests.e2e.permissions import Manifest, Permission, Record, granted, permission_for, recorded, without
from tests.e2e.world import BENCHMARK, JOB, World, benchmark, data_benchmark, data_job, eventually, model_job

pytestmark = pytest.mark.usefixtures("built_helm", "crds")

RELEASE = "nemo-eval-operator"


@dataclass(frozen=True)
class Stage:
    """One operator with the chart's permissions, and what it can be seen by."""

    world: World
    record: Record
    readyz: str

    def ready(self, name: str) -> bool:
        return self.world.conditions(BENCHMARK, name).get("Ready") == "True"

    def phase(self, name: str) -> str | None:
        return self.world.status(JOB, name).get("phase")

    def succeeded(self, name: str) -> bool:
        return self.phase(name) == "Succeeded"

    def gone(self, kind: str, name: str) -> bool:
        return self.world.get(kind, name) is None

    def has_event(self, name: str) -> bool:
        selector = f"involvedObject.name={name}"
        return name in self.world.kubectl("get", "events", "--field-selector", selector, "-o", "name")

    def leads(self) -> bool:
        answer = httpx.get(self.readyz, timeout=5)
        return bool(answer.json()["state"] == "active")


@dataclass(frozen=True)
class Feature:
    """What a user does, and what comes of it while the operator may do what it has to."""

    applied: Callable[[], list[Manifest]]
    works: Callable[[Stage], bool]
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
    ("nemobenchmarks", "watch"): bench("b-watch"),
    ("nemobenchmarks", "patch"): bench("b-patch"),
    ("nemobenchmarks/status", "patch"): bench("b-status"),
    ("nemoevaljobs", "get"): job("j-get"),
    ("nemoevaljobs", "list"): job("j-list"),
    ("nemoevaljobs", "watch"): job("j-watch"),
    ("nemoevaljobs", "patch"): job("j-patch"),
    ("nemoevaljobs/status", "patch"): job("j-status"),
    ("nemoevaljobs", "delete"): Feature(
        lambda: [inline("j-ttl", ttlSecondsAfterFinished=0)], lambda stage: stage.gone(JOB, "j-ttl")
    ),
    ("configmaps", "create"): job("j-results"),
    ("configmaps", "get"): Feature(
        lambda: [named("j-taken-results", "ConfigMap", data={"mine": "yes"}), inline("j-taken")],
        lambda stage: stage.succeeded("j-taken"),
    ),
    ("secrets", "get"): Feature(lambda: with_secret("b-secret"), lambda stage: stage.ready("b-secret")),
    ("events", "create"): Feature(lambda: [inline("j-event")], lambda stage: stage.has_event("j-event")),
    ("leases", "get"): Feature(list, Stage.leads),
    ("leases", "create"): Feature(list, Stage.leads),
    ("leases", "patch"): Feature(list, Stage.leads, before=free_lease),
}


def rendered(system: str, watched: str | None) -> list[Manifest]:
    """The chart's objects for an operator that watches that namespace, or all of them."""
    values = ["crds.install=false", "settings.pollIntervalSeconds=1"]
    values += [f"watch.namespaces={{{watched}}}"] if watched else []
    text = template("--no-hooks", "--set", ",".join(values), release=RELEASE, namespace=system)
    return [document for document in yaml.safe_load_all(text) if document]


def of_kinds(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def settings(manifests: Sequence[Manifest]) -> dict[str, str]:
    (deployment,) = of_kinds(manifests, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


@contextmanager
def operating(world: World, workdir: Path, manifests: list[Manifest]) -> Iterator[Stage]:
    """The chart's identity and roles, and an operator that has them and no others."""
    roles = of_kinds(manifests, "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    world.apply(*roles)
    with (
        recorded(world.cluster, world.namespace, RELEASE, workdir) as record,
        Processes() as processes,
    ):
        health = start_operator(
            processes,
            workdir,
            kubeconfig=record.kubeconfig,
            evaluator_url=world.evaluator_url,
            env=settings(manifests),
        )
        yield Stage(world, record, health.replace("healthz", "readyz"))


def cluster_roles_removed(world: World, manifests: Sequence[Manifest]) -> None:
    """They are the cluster's: with them, the operator of the next test would be another one's too."""
    for manifest in of_kinds(manifests, "ClusterRole", "ClusterRoleBinding"):
        world.kubectl("delete", manifest["kind"], manifest["metadata"]["name"])


@pytest.mark.parametrize("mode", ["all namespaces", "one namespace"])
def test_the_chart_allows_every_feature_and_no_more(
    mode: str, cluster: Cluster, namespace: str, evaluator_url: str, outspoken: Parrot, tmp_path: Path
) -> None:
    world = World(cluster, namespace, evaluator_url)
    manifests = rendered(namespace, namespace if mode == "one namespace" else None)
    roles = of_kinds(manifests, "Role", "ClusterRole")
    world.apply(*free_lease())

    with operating(world, tmp_path, manifests) as stage:
        eventually(stage.leads, "the operator leads")
        world.apply(*(manifest for feature in FEATURES.values() for manifest in feature.applied()))
        for permission, feature in FEATURES.items():
            eventually(lambda works=feature.works: works(stage), f"what {permission} is for")  # type: ignore[misc]
        outspoken.hush()
        world.apply(benchmark(), model_job("cancelled"), model_job("deleted"))
        world.until_phase("cancelled", "Running")
        world.until_phase("deleted", "Running")
        world.patch(JOB, "cancelled", {"spec": {"cancel": True}})
        world.until_phase("cancelled", "Cancelled")
        world.kubectl("delete", JOB, "deleted", "--timeout=20s")
        world.kubectl("delete", BENCHMARK, "--all", "--timeout=20s")
        world.kubectl("delete", "lease", RELEASE)
        eventually(lambda: ("leases", "create") in stage.record.used, "the lease is made anew")

    cluster_roles_removed(world, manifests)
    assert stage.record.refused == []
    assert stage.record.used == granted(roles)


def test_each_permission_has_its_feature(namespace: str) -> None:
    assert set(FEATURES) == granted(of_kinds(rendered(namespace, namespace), "Role"))


@pytest.mark.parametrize("permission", FEATURES, ids=" ".join)
def test_without_one_permission_a_feature_is_missing(
    permission: Permission, cluster: Cluster, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    world, feature = World(cluster, namespace, evaluator_url), FEATURES[permission]
    manifests = rendered(namespace, namespace)
    others = [manifest for manifest in manifests if manifest["kind"] != "Role"]
    world.apply(*feature.before()) if feature.before() else None

    with operating(world, tmp_path, without(of_kinds(manifests, "Role"), permission) + others) as stage:
        if applied := feature.applied():
            world.apply(*applied)
        eventually(lambda: stage.record.was_refused(permission), f"{permission} is refused")

        assert not feature.works(stage)
        refused = {permission_for(exchange) for exchange in stage.record.exchanges if exchange.status == 403}
        assert refused == {permission}

"""A tenant: a namespace and a service account of its own, with all rights there and none elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from testbed.cluster import Cluster
from tests.e2e.scenario import Scenario

ACCOUNT = "tenant"
RULES = [
    {
        "apiGroups": ["evaluator.nemo.dev"],
        "resources": ["nemobenchmarks", "nemoevaljobs", "nemoevaluatorconnections"],
        "verbs": ["*"],
    },
    {"apiGroups": [""], "resources": ["configmaps", "secrets", "events"], "verbs": ["*"]},
]


@contextmanager
def tenant(cluster: Cluster, namespace: str, evaluator_url: str) -> Iterator[Scenario]:
    """A new namespace as its tenant sees it."""
    cluster.kubectl("create", "namespace", namespace)
    try:
        yield as_tenant(cluster, namespace, evaluator_url)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def as_tenant(cluster: Cluster, namespace: str, evaluator_url: str) -> Scenario:
    """The namespace as its own account sees it, which has no rights anywhere else."""
    kubeconfig = cluster.create_account(namespace, ACCOUNT, RULES)
    return Scenario(replace(cluster, kubeconfig=kubeconfig), namespace, evaluator_url)

"""deploy/gitops against the API server: our kinds are taken as they are, and argocd-cm keeps what it had."""

from pathlib import Path

import pytest
import yaml

from testbed.cluster import Cluster

GITOPS = Path(__file__).parents[2] / "deploy" / "gitops"
OURS = sorted(
    path.relative_to(GITOPS).as_posix()
    for path in GITOPS.rglob("*.yaml")
    if "apiVersion: evaluator.nemo.dev/" in path.read_text()
)


@pytest.mark.parametrize("path", OURS)
def test_a_manifest_of_ours_is_valid(cluster: Cluster, crds: None, namespace: str, path: str) -> None:
    applied = cluster.kubectl(
        "apply",
        "--dry-run=server",
        "--server-side",
        "--validate=strict",
        "-n",
        namespace,
        "-f",
        str(GITOPS / path),
    )

    assert applied.stderr == ""
    assert applied.stdout.endswith("serverside-applied (server dry run)\n")


def test_the_health_checks_are_added_to_the_argocd_cm_that_is_there(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl(
        "create", "configmap", "argocd-cm", "-n", namespace, "--from-literal=url=https://argocd.test"
    )

    patch = GITOPS / "argocd" / "argocd-cm.yaml"
    snippet = yaml.safe_load(patch.read_text())
    del snippet["metadata"]["namespace"]  # the test's own
    cluster.kubectl("patch", "configmap", "argocd-cm", "-n", namespace, "-p", yaml.safe_dump(snippet))

    found = yaml.safe_load(
        cluster.kubectl("get", "configmap", "argocd-cm", "-n", namespace, "-o", "yaml").stdout
    )
    assert found["data"] == {"url": "https://argocd.test", **snippet["data"]}

"""deploy/gitops and deploy/samples against the API server: it accepts our objects as they are written.

argocd-cm keeps the keys that it had.
"""

from pathlib import Path

import pytest
import yaml

from testbed.cluster import Cluster

DEPLOY = Path(__file__).parents[2] / "deploy"
GITOPS = DEPLOY / "gitops"
OURS = sorted(
    path.relative_to(DEPLOY).as_posix()
    for path in [*GITOPS.rglob("*.yaml"), *(DEPLOY / "samples").rglob("*.yaml")]
    if "apiVersion: evaluator.nemo.dev/" in path.read_text()
)
GATED = [
    path for path in OURS if path.startswith("gitops/") and "kind: NemoEvalJob" in (DEPLOY / path).read_text()
]


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
        str(DEPLOY / path),
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


@pytest.mark.parametrize("path", GATED)
def test_every_gitops_job_has_a_gate(path: str) -> None:
    """Flux and Argo CD then fail on bad scores by the object's conditions, without any expression."""
    job = yaml.safe_load((DEPLOY / path).read_text())

    assert job["spec"]["gate"]["criteria"]

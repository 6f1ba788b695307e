"""A pod's token under a real kubelet, which replaces it while the operator runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from testbed.image_archive import image_archive
from testbed.node import Node, expose, start_node, why_not_node
from testbed.processes import Processes
from testbed.stack import start_evaluator
from tests.e2e.node_release import OPERATOR_IMAGE, Release
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually
from tests.uncaptured import uncaptured

pytestmark = [
    pytest.mark.skipif(
        "NEMO_TEST_SLOW" not in os.environ,
        reason="a token lasts ten minutes: run it by `make nightly` or with NEMO_TEST_SLOW=1",
    ),
    pytest.mark.skipif(bool(why_not_node()), reason=why_not_node() or ""),
    pytest.mark.usefixtures("built_helm"),
]

ACCOUNT: Final = "system:serviceaccount:nemo-eval-system:nemo-eval-operator"
MOUNTED: Final = "/var/run/secrets/kubernetes.io/serviceaccount"

TOKEN_SECONDS: Final = 600
"""The shortest time that Kubernetes allows. A kubelet replaces a token when 80 % of it have passed."""

ACCEPTED_SECONDS: Final = 120
"""Upper bound of how long an expired token is accepted: 60 s of leeway and 10 s in the API server's cache."""

OWN_TOKEN: Final = f"""
spec:
  template:
    spec:
      automountServiceAccountToken: false
      containers:
        - name: operator
          volumeMounts: [{{name: account, mountPath: {MOUNTED}, readOnly: true}}]
      volumes:
        - name: account
          projected:
            sources:
              - serviceAccountToken: {{path: token, expirationSeconds: {TOKEN_SECONDS}}}
              - configMap: {{name: kube-root-ca.crt, items: [{{key: ca.crt, path: ca.crt}}]}}
              - downwardAPI: {{items: [{{path: namespace, fieldRef: {{fieldPath: metadata.namespace}}}}]}}
"""
"""What every pod has by default, with a token that expires sooner."""


@pytest.fixture
def node(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Node]:
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(Processes())
        with uncaptured(pytestconfig):
            image = image_archive("operator", reference=OPERATOR_IMAGE)
            yield stack.enter_context(start_node(processes, tmp_path / "node", images=[image]))
        processes.check()


def test_an_operator_whose_first_token_has_expired_evaluates(node: Node, tmp_path: Path) -> None:
    release = Release(node, tmp_path / "helm")
    with Processes() as processes:
        url = start_evaluator(
            processes, tmp_path / "evaluator", datasets=tmp_path, called=["nemo-evaluator.nemo.svc"]
        )
        expose(node, url, namespace="nemo", name="nemo-evaluator", port=7331)
        scenario = Scenario(node.cluster, "evaluated", url)
        node.cluster.kubectl("create", "namespace", scenario.namespace)
        release.kubectl("create", "namespace", release.namespace)
        release.install()
        pod = with_own_token(release)
        first = token_in(release, pod)
        assert ACCOUNT in owner(node, first)

        eventually(
            lambda: token_in(release, pod) != first, "the token is replaced", seconds=TOKEN_SECONDS, every=2
        )
        eventually(
            lambda: "Unauthorized" in owner(node, first),
            "the first token is refused",
            seconds=TOKEN_SECONDS + ACCEPTED_SECONDS,
            every=2,
        )
        scenario.apply(data_benchmark(), data_job("afterwards"))
        status = scenario.until_phase("afterwards", "Succeeded")

        assert [(score["metric"], score["value"]) for score in status["scores"]] == [("exact", 0.5)]
        assert ACCOUNT in owner(node, token_in(release, pod))
        assert [each["metadata"]["name"] for each in release.pods()] == [pod]
        assert release.restarts(pod) == 0


def with_own_token(release: Release) -> str:
    """Give the operator a token that expires soon; returns its only pod, which leads."""
    deployment = f"deployment/{release.name}"
    release.kubectl("patch", deployment, "--patch", OWN_TOKEN)
    release.kubectl("rollout", "status", deployment, "--timeout=120s")
    (pod,) = eventually(lambda: pods if len(pods := release.pods()) == 1 else [], "one pod is left")
    name: str = pod["metadata"]["name"]
    eventually(lambda: release.leader() == name, f"{name} leads")
    return name


def token_in(release: Release, pod: str) -> str:
    """Return the token that the operator's container sees."""
    pid = release.node.container_pid(release.namespace, pod)
    return release.node.run("cat", f"/proc/{pid}/root{MOUNTED}/token")


def owner(node: Node, token: str) -> str:
    """Return the user whom the API server takes the token's bearer for, or its refusal."""
    answer = node.cluster.kubectl("--token", token, "auth", "whoami", check=False)
    return answer.stdout + answer.stderr

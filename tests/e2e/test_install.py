"""The manifest that users apply, and its permissions: enough for everything, and nothing beyond."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.cluster import Cluster
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.scenario import JOB, Scenario, benchmark, model_job
from tests.e2e.stub_model import StubModel

INSTALL = Path(__file__).parents[2] / "deploy" / "install.yaml"
SYSTEM = "nemo-eval-system"
ACCOUNT = "nemo-eval-operator"


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[None]:
    """install.yaml applied; its Deployment is accepted, its image is not needed here."""
    cluster.kubectl("apply", "-f", str(INSTALL))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    cluster.kubectl("scale", "deployment", ACCOUNT, "--namespace", SYSTEM, "--replicas=0")
    yield
    # They hold for the whole cluster, and other tests apply objects that they refuse.
    policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
    cluster.kubectl("delete", policies, "-l", f"app.kubernetes.io/instance={ACCOUNT}")


def test_applying_it_once_more_changes_nothing(cluster: Cluster, installed: None) -> None:
    said = cluster.kubectl("apply", "-f", str(INSTALL)).stdout.splitlines()

    # The Deployment is scaled, above.
    assert [line for line in said if not line.endswith("unchanged")] == [
        f"deployment.apps/{ACCOUNT} configured"
    ]


@pytest.mark.parametrize(
    "question",
    [
        "list secrets",
        "watch secrets",
        "update configmaps",
        "delete configmaps",
        "get pods",
        "delete nemobenchmarks",
        "get leases",
    ],
)
def test_the_service_account_may_not_do_more(cluster: Cluster, installed: None, question: str) -> None:
    verb, resource = question.split()
    user = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"

    answer = cluster.kubectl("auth", "can-i", verb, resource, "--all-namespaces", "--as", user, check=False)

    assert answer.stdout.strip() == "no"


def test_a_secret_value_reaches_the_evaluator_and_nothing_else(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, stub_model: StubModel, tmp_path: Path
) -> None:
    canary = "canary-5f1c9"
    scenario = Scenario(cluster, namespace, evaluator_url)
    values = [
        {"secretKeyRef": {"name": "keys", "key": "api"}, "targetPath": "target.model.api_endpoint.api_key"}
    ]
    endpoint = {"url": f"{stub_model.url}/chat/completions", "model_id": "parrot-1", "format": "openai"}
    job = model_job("secretive", valuesFrom=values)
    del job["spec"]["model"]
    job["spec"]["target"] = {"type": "model", "model": {"api_endpoint": endpoint}}
    with Processes() as processes:
        start_operator(
            processes,
            tmp_path,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[namespace],
            env={"NEMO_LOG_LEVEL": "debug"},
        )
        scenario.apply(benchmark(), job)
        status = scenario.until_reason(JOB, "secretive", "SecretNotFound")
        assert f"Secret {namespace}/keys with key 'api' is needed" in status["message"]
        scenario.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "keys"},
                "stringData": {"api": canary},
            }
        )
        scenario.until_phase("secretive", "Succeeded")

    assert any(key == f"Bearer {canary}" for key in stub_model.authorizations), "the model got it"
    seen = scenario.kubectl("get", "nemoevaljobs,nemobenchmarks,configmaps,events", "-o", "yaml")
    for hiding_place in (seen, (tmp_path / "operator.log").read_text()):
        assert canary not in hiding_place
        assert base64.b64encode(canary.encode()).decode() not in hiding_place


def test_every_permission_is_for_a_named_resource() -> None:
    roles = [
        document
        for document in yaml.safe_load_all(INSTALL.read_text())
        if document and document["kind"] in {"Role", "ClusterRole"}
    ]

    assert roles
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}

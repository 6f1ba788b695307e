"""The chart as it is rendered: sound, up to date with what is made of it, and strict about values."""

import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemo_eval_operator.evaluator.http.addresses import METADATA_ADDRESSES
from nemo_eval_operator.resources import MAX_PARTS, MAX_SPEC_BYTES
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.settings import Settings
from testbed.binaries import OLDEST_KUBERNETES
from testbed.chart import (
    CHART,
    HelmError,
    copies_of_crds,
    helm,
    made_of_the_chart,
    template,
    with_the_version,
)

pytestmark = pytest.mark.usefixtures("built_helm")

GOLDEN = Path(__file__).parents[1] / "golden" / "chart"
CRDS = Path(__file__).parents[2] / "crds"


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def test_lint_finds_nothing() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_what_is_generated_is_fresh() -> None:
    for path, text in {**with_the_version(), **copies_of_crds(), **made_of_the_chart()}.items():
        assert path.read_text() == text, f"{path} is stale: run `make generate`"


def test_every_golden_file_has_its_values_and_no_crd_is_left_over() -> None:
    made = {*copies_of_crds(), *made_of_the_chart()}
    kept = {path for path in GOLDEN.glob("*.yaml") if ".values." not in path.name}

    assert kept | {*(CHART / "files" / "crds").iterdir()} <= made


@pytest.mark.parametrize("keep", [True, False])
def test_crds_are_those_of_the_project(keep: bool) -> None:
    rendered = documents(
        template("--set", f"crds.keep={str(keep).lower()}", "--show-only", "templates/crds.yaml")
    )

    expected = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    for crd in expected if keep else []:
        crd["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    assert rendered == expected


REFUSED = [
    ("replica=2", "additional properties 'replica' not allowed"),
    ("watch.namespace=team-a", "at '/watch': additional properties 'namespace' not allowed"),
    ("watch.namespaces={Team_A}", "at '/watch/namespaces/0': 'Team_A' does not match pattern"),
    ("evaluator.url=nemo:7331", "at '/evaluator/url': 'nemo:7331' does not match pattern"),
    ("replicas=two", "at '/replicas': got string, want integer"),
    ("settings.workers=0", "at '/settings/workers': minimum: got 0, want 1"),
    ("settings.logLevel=trace", "at '/settings/logLevel': value must be one of 'debug', 'info'"),
    ("image.digest=sha256:1", "at '/image/digest': 'sha256:1' does not match pattern"),
    (
        "replicas=2,leaderElection.enabled=false",
        "replicas: 2 needs leaderElection.enabled: true, so that one of them works and the others stand by",
    ),
    (
        "leaderElection.retrySeconds=4",
        "leaderElection.renewDeadlineSeconds must be twice leaderElection.retrySeconds or more",
    ),
    (
        "leaderElection.renewDeadlineSeconds=10",
        "leaderElection.leaseDurationSeconds must be longer than leaderElection.renewDeadlineSeconds",
    ),
    (
        "settings.requestTimeoutSeconds=120",
        "settings.settleSeconds must be longer than settings.requestTimeoutSeconds",
    ),
    ("rbac.create=false", "rbac.create: false needs uninstall.releaseFinalizers: false"),
    ("serviceAccount.create=false", "serviceAccount.create: false needs serviceAccount.name"),
    (
        "metrics.objectNames=true",
        "metrics.objectNames: true needs metrics.tokenSecret.name",
    ),
    (
        "localEvaluator.enabled=true,evaluator.url=http://nemo:7331",
        "localEvaluator.enabled: true is an evaluator of this release: leave evaluator.url as it is",
    ),
    ("settings.allowedModelHosts={http://nim}", "at '/settings/allowedModelHosts/0'"),
    (
        "metrics.dashboard.enabled=true",
        "metrics.dashboard.enabled: true needs metrics.objectNames: true",
    ),
    (
        "metrics.prometheusRule.enabled=true,metrics.prometheusRule.failedGate=true",
        "metrics.prometheusRule.failedGate: true needs metrics.objectNames: true",
    ),
    (
        "metrics.service.enabled=false,metrics.serviceMonitor.enabled=true",
        "metrics.serviceMonitor.enabled: true needs metrics.service.enabled: true",
    ),
]


@pytest.mark.parametrize(("values", "objection"), REFUSED, ids=[values for values, _ in REFUSED])
def test_bad_values_are_refused_with_their_path(values: str, objection: str) -> None:
    with pytest.raises(HelmError) as refusal:
        template("--set", values)

    assert objection in str(refusal.value)


def test_namespaced_mode_has_no_cluster_role_and_the_same_rules() -> None:
    clusterwide = documents(template("--set", "crds.install=false", "--no-hooks"))
    namespaced = documents(
        template("--set", "crds.install=false,watch.namespaces={team-a,team-b}", "--no-hooks")
    )

    (cluster_role,) = [found for found in clusterwide if found["kind"] == "ClusterRole"]
    roles = [
        found for found in namespaced if found["kind"] == "Role" and "lease" not in str(found["metadata"])
    ]
    assert [role["rules"] for role in roles] == [cluster_role["rules"]] * 2
    assert not [found for found in namespaced if "Cluster" in str(found["kind"])]


def egress_of(*options: str) -> list[dict[str, Any]]:
    (policy,) = documents(template("--show-only", "templates/networkpolicy.yaml", *options))
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    rules: list[dict[str, Any]] = policy["spec"]["egress"]
    return rules


def test_by_default_pods_reach_what_they_need_and_no_metadata_service() -> None:
    dns, api_server, evaluators = egress_of()
    assert {entry["port"] for entry in dns["ports"]} == {53, 5353}
    assert [entry["port"] for entry in api_server["ports"]] == [443, 6443]
    assert {"namespaceSelector": {}} in evaluators["to"]
    blocks = [ip_network(block["cidr"]) for peer in evaluators["to"] if (block := peer.get("ipBlock"))]
    assert blocks == [ip_network("0.0.0.0/0"), ip_network("::/0")]
    left_out = [
        ip_network(block)
        for peer in evaluators["to"]
        if "ipBlock" in peer
        for block in peer["ipBlock"]["except"]
    ]
    link_local = ("169.254.0.0/16", "fe80::/10")
    for network in (*METADATA_ADDRESSES, *map(ip_network, link_local)):
        assert network in left_out, network


def test_each_part_of_the_way_out_can_be_narrowed_widened_or_replaced() -> None:
    peer = {"ipBlock": {"cidr": "192.0.2.1/32"}}
    values = ("apiServerTo", "evaluatorsTo")
    options = [
        option for value in values for option in ("--set-json", f"networkPolicy.{value}=[{json.dumps(peer)}]")
    ]
    rules = egress_of(*options, "--set-json", f'networkPolicy.extraEgress=[{{"to": [{json.dumps(peer)}]}}]')
    assert [rule.get("to") for rule in rules] == [None, [peer], [peer], [peer]]
    assert egress_of("--set-json", f'networkPolicy.egress=[{{"to": [{json.dumps(peer)}]}}]') == [
        {"to": [peer]}
    ]
    assert "kind: NetworkPolicy" not in template("--set", "networkPolicy.enabled=false")


def kinds_of(*options: str) -> set[str]:
    return {found["kind"] for found in documents(template(*options))}


def test_the_admission_policy_comes_with_the_crds_and_can_be_switched_off() -> None:
    policy = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert policy <= kinds_of()
    for options in (
        ("--set", "crds.install=false"),
        ("--set", "admissionPolicy.enabled=false"),
    ):
        assert not policy & kinds_of(*options), options


def test_the_admission_policy_has_the_limits_of_the_operator() -> None:
    policy = template("--show-only", "templates/admissionpolicy.yaml")
    assert f"expression: variables.values <= {MAX_PARTS}\n" in policy
    assert f"expression: variables.text <= {MAX_SPEC_BYTES}\n" in policy


def deployment() -> dict[str, Any]:
    (found,) = documents(template("--show-only", "templates/deployment.yaml"))
    return found


def test_a_slow_start_is_not_killed_and_a_stuck_process_is_replaced_soon() -> None:
    spec = deployment()["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    starting, living, ready = (container[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))

    assert [probe["httpGet"]["path"] for probe in (starting, living, ready)] == [
        "/healthz",
        "/healthz",
        "/readyz",
    ]
    # With 50m of CPU the imports alone take most of a minute.
    assert starting["periodSeconds"] * starting["failureThreshold"] >= 120
    # A stuck process does not answer SIGTERM either: the pod's grace period would be lost.
    assert (
        living["periodSeconds"] * living["failureThreshold"] + living["terminationGracePeriodSeconds"] == 65
    )
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > living["terminationGracePeriodSeconds"]
    assert spec["minReadySeconds"] == 10


@pytest.mark.parametrize(
    ("values", "group"), [((), 65532), (("podSecurityContext.fsGroup=1000650000",), 1000650000)]
)
def test_the_local_evaluators_volume_has_the_group_that_the_values_name(
    values: tuple[str, ...], group: int
) -> None:
    chosen = ",".join(("localEvaluator.enabled=true", "localEvaluator.persistence.enabled=true", *values))
    rendered = documents(template("--show-only", "templates/localevaluator.yaml", "--set", chosen))
    (pod,) = [found["spec"]["template"]["spec"] for found in rendered if found["kind"] == "Deployment"]

    assert pod["securityContext"]["fsGroup"] == group
    assert pod["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("elects", [True, False])
def test_the_uninstalling_job_prints_its_log_and_may_delete_its_own_lease_only(elects: bool) -> None:
    chosen = f"leaderElection.enabled={str(elects).lower()},leaderElection.leaseName=mine"
    hooks = documents(
        template("--show-only", "templates/uninstall.yaml", "--set", chosen, namespace="system")
    )
    (job,) = [hook for hook in hooks if hook["kind"] == "Job"]
    annotations = job["metadata"]["annotations"]

    assert annotations["helm.sh/hook-output-log-policy"] == "hook-succeeded,hook-failed"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert ("--delete-lease=system/mine" in container["args"]) == elects
    rules = [
        rule
        for hook in hooks
        for rule in hook.get("rules", [])
        if "leases" in rule["resources"] or "*" in rule["resources"]
    ]
    lease = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["mine"]}
    assert rules == ([{**lease, "verbs": ["get", "delete"]}] if elects else [])


def operators_environment(path: Path) -> dict[str, str]:
    return environment_in(documents(path.read_text()))


def environment_in(manifests: list[dict[str, Any]]) -> dict[str, str]:
    deployments = [found for found in manifests if found["kind"] == "Deployment"]
    containers = [one for found in deployments for one in found["spec"]["template"]["spec"]["containers"]]
    (container,) = [one for one in containers if one["name"] == "operator"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def field_of(variable: str) -> str:
    return "evaluator_url" if variable == "NVIDIA_EVALUATOR_URL" else variable.removeprefix("NEMO_").lower()


def test_every_setting_of_the_operator_can_be_set() -> None:
    golden = (operators_environment(GOLDEN / f"{name}.yaml") for name in ("everything", "namespaced"))
    set_by_the_chart = {
        field_of(name) for environment in golden for name in environment if "PROXY" not in name
    }

    # The account comes with the pod, and the port is that of probes and Services. No connection should reach
    # a program on the pod's loopback.
    not_for_pods = {"kubeconfig", "health_port", "allow_loopback_connections"}
    assert set_by_the_chart == Settings.model_fields.keys() - not_for_pods


def test_defaults_are_those_of_the_operator() -> None:
    from_chart = {
        field_of(name): value for name, value in operators_environment(GOLDEN / "default.yaml").items()
    }
    of_a_pod = {"evaluator_url", "leader_elect", "lease_namespace"}

    for field in from_chart.keys() - of_a_pod:
        given, default = (
            getattr(Settings.model_validate({field: from_chart[field]}), field),
            getattr(Settings(), field),
        )
        assert str(given).lower() == str(default).lower(), field


def test_alerts_are_about_metrics_that_exist() -> None:
    alerts = (GOLDEN / "everything.yaml").read_text()
    metrics = Metrics()
    metrics.show_queue(depth=lambda: 0, oldest_wait=lambda: 0.0)
    exposed = metrics.exposition().decode()

    named = set(re.findall(r"(nemo_eval_operator_[a-z_]+)\{", alerts))
    assert len(named) == 4
    for metric in named:
        assert f"# TYPE {metric.removesuffix('_count')} " in exposed, metric


def test_every_value_is_described() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    def undescribed(part: dict[str, object], path: str) -> list[str]:
        properties = part.get("properties")
        found = [] if "description" in part else [path]
        for name, child in properties.items() if isinstance(properties, dict) else ():
            found += undescribed(child, f"{path}.{name}")
        return found

    assert not [path for path in undescribed(schema, "") if not path.startswith(".extraEnv")]


def test_an_evaluator_of_the_release_is_what_the_operator_uses() -> None:
    manifests = documents(template("--set", "localEvaluator.enabled=true", namespace="evals"))

    local = [found for found in manifests if found["metadata"]["name"] == "nemo-eval-operator-local"]
    assert [found["kind"] for found in local] == ["NetworkPolicy", "Service", "Deployment"]
    policy, service, deployment = local
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    url = environment_in(manifests)["NVIDIA_EVALUATOR_URL"]
    assert url == f"http://nemo-eval-operator-local.evals.svc:{service['spec']['ports'][0]['port']}"
    # Neither the operator's Service nor its own policy means the evaluator's pods.
    operators = [one for one in manifests if one["metadata"]["name"] == "nemo-eval-operator"]
    (own,) = [one for one in operators if one["kind"] == "Deployment"]
    assert not own["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_evaluators_pod_has_no_token_and_is_restricted() -> None:
    manifests = documents(template("--set", "localEvaluator.enabled=true"))

    (pod,) = [
        found["spec"]["template"]["spec"]
        for found in manifests
        if found["kind"] == "Deployment" and found["metadata"]["name"].endswith("-local")
    ]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "--host=::" in container["args"]


def test_an_older_api_server_gets_crds_without_the_field_that_it_refuses() -> None:
    only = ("--show-only", "templates/crds.yaml")
    older, newer = (
        {one["metadata"]["name"]: one for one in documents(template("--kube-version", version, *only))}
        for version in (OLDEST_KUBERNETES, "v1.30.0")
    )

    jobs = newer["nemoevaljobs.evaluator.nemo.dev"]["spec"]["versions"][0]
    assert jobs.pop("selectableFields")
    assert older == newer

"""deploy/recipes: manifests against the CRDs of their projects, commands against a real API server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemo_eval_operator.kube import config as kube_config
from nemo_eval_operator.plugin import access
from nemo_eval_operator.plugin.main import run_command_line
from testbed.cluster import Cluster
from testbed.notifications import messages_about
from tests.e2e.scenario import eventually
from tests.integration.crds import Api
from tests.recipes import CRDS, RECIPES, containers, documents, words_of

pytestmark = pytest.mark.usefixtures("crds")

RUN = {"benchmarkRef": {"name": "qa"}, "model": "meta/llama-3.1-8b-instruct"}
WHEN = {"lastTransitionTime": "2026-01-02T03:04:05Z", "message": "what happened"}
SCHEMAS = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}
MANIFESTS = sorted(path.name for path in RECIPES.glob("*.yaml"))
IN_PODS = [name for name in MANIFESTS if any(containers(documents(name)))]


@pytest.fixture(scope="session")
def foreign_crds(cluster: Cluster) -> None:
    """The CRDs of Argo Rollouts, Flagger, Flux and Tekton, as they publish them."""
    files = [str(module.directory / path) for module, paths in CRDS.values() for path in paths]
    for file in files:
        cluster.kubectl("apply", "--server-side", "-f", file)

    def established(file: str) -> bool:
        # kubectl fails at once where the CRD has no conditions yet.
        wait = ("wait", "--for=condition=Established", "--timeout=30s", "-f", file)
        return cluster.kubectl(*wait, check=False).returncode == 0

    for file in files:
        eventually(partial(established, file), f"{file} established")


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_api_server_takes_every_manifest(
    cluster: Cluster, foreign_crds: None, namespace: str, name: str
) -> None:
    for document in documents(name):
        document["metadata"]["namespace"] = namespace
        created = cluster.kubectl(
            *("create", "--dry-run=server", "--validate=strict", "-f", "-"), input=json.dumps(document)
        )
        assert created.stderr == ""
        assert created.stdout.endswith("created (server dry run)\n")


@pytest.mark.parametrize("name", CRDS)
def test_a_mistake_in_a_field_would_be_found(
    cluster: Cluster, foreign_crds: None, namespace: str, name: str
) -> None:
    """The CRDs describe what the recipes use; an open schema would take anything."""
    document = next(one for one in documents(name) if one["apiVersion"] != "batch/v1")
    document["metadata"]["namespace"] = namespace
    document["spec"]["misspelt"] = {}

    refused = cluster.kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        input=json.dumps(document),
        check=False,
    )
    assert 'unknown field "spec.misspelt"' in refused.stderr


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_pipeline_matches_the_schema_of_its_product(name: str, tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    checker = [program, "--builtin-schema", SCHEMAS[name]]
    subprocess.run([*checker, str(RECIPES / name)], check=True, timeout=60)
    pipeline = yaml.safe_load((RECIPES / name).read_text())
    (tmp_path / name).write_text(yaml.safe_dump(pipeline | {"evaluate": 7, "jobs": 7}))
    refused = subprocess.run([*checker, str(tmp_path / name)], check=False, capture_output=True, timeout=60)
    assert refused.returncode == 1


def end(jobs: Api, name: str, *conditions: tuple[str, str, str]) -> None:
    """Give a run the status that the operator would give it at its end."""
    jobs.create(RUN, name=name)
    entries = [{"type": kind, "status": status, "reason": why, **WHEN} for kind, status, why in conditions]
    status = {"observedGeneration": 1, "message": "what happened", "conditions": entries}
    jobs.patch_status(status, name=name)


@pytest.fixture
def runs(cluster: Cluster, namespace: str) -> dict[str, int]:
    """Runs by name, with the exit code of `wait`."""
    jobs = Api(cluster, namespace, "NemoEvalJob")
    done = ("Complete", "True", "Completed")
    end(jobs, "good", ("Ready", "True", "GatePassed"), ("GatePassed", "True", "GatePassed"), done)
    failed = [(kind, status, "GateFailed") for kind, status in (("Ready", "False"), ("Stalled", "True"))]
    end(jobs, "bad", *failed, ("GatePassed", "False", "GateFailed"), done)
    return {"good": 0, "bad": 1, "missing": 4}


def account(cluster: Cluster, namespace: str) -> Path:
    """Create the account of rbac.yaml with its rights; returns its kubeconfig."""
    cluster.kubectl("apply", "-n", namespace, "-f", str(RECIPES / "rbac.yaml"))
    return cluster.service_account_kubeconfig(namespace, "nemo-eval-wait")


@pytest.mark.parametrize("name", IN_PODS)
def test_a_pod_of_a_recipe_ends_as_its_run_did_with_no_other_rights(
    cluster: Cluster, namespace: str, runs: dict[str, int], name: str
) -> None:
    environment = os.environ | {"KUBECONFIG": str(account(cluster, namespace))}
    (container,) = containers(documents(name))
    for run, code in runs.items():
        command, *arguments = words_of(container, run)
        done = subprocess.run(
            [Path(sys.executable).with_name(command), *arguments, "-n", namespace],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr + done.stdout


def test_the_account_may_read_a_run_and_nothing_else(cluster: Cluster, namespace: str) -> None:
    kubeconfig = str(account(cluster, namespace))
    may = ("auth", "can-i", "-n", namespace, "--kubeconfig", kubeconfig)
    assert cluster.kubectl(*may, "get", "nemoevaljobs.evaluator.nemo.dev").stdout == "yes\n"
    for verb, resource in [
        *(
            (verb, "nemoevaljobs.evaluator.nemo.dev")
            for verb in ("list", "watch", "create", "delete", "patch")
        ),
        *(("get", resource) for resource in ("configmaps", "secrets", "pods")),
    ]:
        assert cluster.kubectl(*may, verb, resource, check=False).stdout == "no\n", (verb, resource)


def test_in_a_pod_its_service_account_is_used(
    cluster: Cluster,
    namespace: str,
    runs: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without any option, as in the recipes: namespace, token and address come from the pod."""
    given = yaml.safe_load(account(cluster, namespace).read_text())
    files = mounted(given, namespace, tmp_path / "serviceaccount")
    host, _, port = given["clusters"][0]["cluster"]["server"].removeprefix("https://").partition(":")
    monkeypatch.setattr(kube_config, "SERVICE_ACCOUNT", files)
    monkeypatch.setattr(access, "USERS_KUBECONFIG", tmp_path / "none")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port or "443")
    monkeypatch.delenv("KUBECONFIG", raising=False)

    for run, code in runs.items():
        assert run_command_line(["wait", run, "--timeout=30s"]) == code, capsys.readouterr()

    # A kubeconfig that the user names goes before it.
    assert run_command_line(["wait", "good", "--kubeconfig", str(tmp_path / "none")]) == 5


def mounted(kubeconfig: dict[str, Any], namespace: str, directory: Path) -> Path:
    """What the kubelet mounts into a pod of the account."""
    directory.mkdir()
    cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    (directory / "namespace").write_text(namespace)
    (directory / "token").write_text(user["token"])
    authority = b64decode(cluster["certificate-authority-data"])
    (directory / "ca.crt").write_bytes(authority)
    return directory


def test_the_alert_matches_what_flux_reports_of_a_failed_run() -> None:
    """The message is that of docs/explanation/gitops.md, which kstatus produces."""
    (alert,) = (one for one in documents("flux-alert.yaml") if one["kind"] == "Alert")
    page = (RECIPES.parents[1] / "docs" / "explanation" / "gitops.md").read_text()
    failed, waiting = re.findall(r"^(?:failed early|timeout waiting).*$", page, re.MULTILINE)

    (pattern,) = alert["spec"]["inclusionList"]
    assert re.search(pattern, failed)
    assert not re.search(pattern, waiting)


def job_of_argocd(name: str, health: str) -> dict[str, Any]:
    """A NemoEvalJob in status.resources of an Application."""
    message = {"message": "qa/answered: 0.62, minimum 0.7"} if health == "Degraded" else {}
    return {
        "kind": "NemoEvalJob",
        "namespace": "team-a",
        "name": name,
        "health": {"status": health, **message},
    }


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param({}, None, id="new"),
        pytest.param({"resources": [job_of_argocd("one", "Progressing")]}, None, id="running"),
        pytest.param({"resources": [job_of_argocd("one", "Healthy")]}, None, id="passed"),
        pytest.param(
            {"resources": [{"kind": "Deployment", "name": "web", "health": {"status": "Degraded"}}]},
            None,
            id="another kind is degraded",
        ),
        pytest.param(
            {"resources": [{"kind": "Service", "name": "web"}, job_of_argocd("one", "Degraded")]},
            "evaluations: a run or its gate failed\n- team-a/one: qa/answered: 0.62, minimum 0.7\n",
            id="failed",
        ),
        pytest.param(
            {
                "resources": [job_of_argocd("one", "Healthy")],
                "operationState": {
                    "startedAt": "2026-03-01T12:00:00Z",
                    "syncResult": {
                        "resources": [
                            {"kind": "NemoEvalJob", "namespace": "team-a", "name": "gate", "hookPhase": phase}
                            for phase in ("Failed", "Succeeded")
                        ]
                    },
                },
            },
            "evaluations: a run or its gate failed\n- team-a/gate\n",
            id="a hook failed",
        ),
    ],
)
def test_argocd_notifies_of_failed_runs_only(status: dict[str, Any], message: str | None) -> None:
    """Trigger and template are evaluated by Argo CD's own library."""
    (config_map,) = documents("argocd-notifications.yaml")

    sent = messages_about(config_map["data"], {"metadata": {"name": "evaluations"}, "status": status})

    assert sent == {"on-nemo-eval-failed": [message] if message else []}

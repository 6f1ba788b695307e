"""`kubectl nemoeval doctor`: each fault of a cluster is found, and a sound one has none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from nemo_eval_operator import __version__
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from nemo_eval_operator.resources.crd import custom_resource_definition
from tests.unit.lifecycle.objects import condition, evaljob
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

OPENAPI = "/openapi/v3/apis/evaluator.nemo.dev/v1alpha1"
LEASES = "/apis/coordination.k8s.io/v1/leases"
DEPLOYMENTS = "/apis/apps/v1/deployments"


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lease(seconds: float = 1, holder: str = "pod-1") -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 10, "renewTime": ago(seconds)}
    return {
        "items": [{"metadata": {"namespace": "nemo-eval-system", "name": "nemo-eval-operator"}, "spec": spec}]
    }


def deployment(available: int = 1, version: str = __version__) -> dict[str, Any]:
    labels = {"app.kubernetes.io/version": version}
    meta = {"namespace": "nemo-eval-system", "name": "nemo-eval-operator", "uid": "d", "labels": labels}
    return {
        "items": [{"metadata": meta, "spec": {"replicas": 1}, "status": {"availableReplicas": available}}]
    }


def schemas() -> dict[str, Any]:
    """What a real API server makes of the CRDs, names included."""
    found = {}
    for kind in (NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection):
        (version,) = custom_resource_definition(kind)["spec"]["versions"]
        found[f"dev.nemo.evaluator.v1alpha1.{kind.__name__}"] = version["schema"]["openAPIV3Schema"]
    found["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"] = {"type": "object"}
    return {"components": {"schemas": found}}


@pytest.fixture(autouse=True)
def sound(api: ClusterApi) -> None:
    api.documents |= {
        "/version": {"gitVersion": "v1.34.0"},
        OPENAPI: schemas(),
        LEASES: lease(),
        DEPLOYMENTS: deployment(),
    }
    connect(api, condition("Ready", "True", "Connected"))


def connect(api: ClusterApi, *conditions: dict[str, Any], generation: int = 1) -> None:
    api.put(
        "nemoevaluatorconnections",
        {
            "apiVersion": "evaluator.nemo.dev/v1alpha1",
            "kind": "NemoEvaluatorConnection",
            "metadata": {"namespace": "team-a", "name": "prod", "generation": generation},
            "spec": {"url": "http://evaluator.test"},
            "status": {"observedGeneration": 1, "conditions": list(conditions)},
        },
    )


def levels(out: str) -> dict[str, set[str]]:
    """Checks by level."""
    found: dict[str, set[str]] = {"ok": set(), "warning": set(), "error": set()}
    for one in json.loads(out):
        found[one["level"]].add(one["check"])
    return found


def test_a_sound_cluster_has_no_finding(run: Run) -> None:
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["✓", "Kubernetes"],
        ["✓", "clock"],
        ["✓", "CRDs"],
        ["✓", "operator"],
        ["✓", "operator"],
        ["✓", "version"],
        ["✓", "rights"],
        ["✓", "connection"],
    ]


def test_a_namespace_that_does_not_exist_is_an_error(api: ClusterApi, run: Run) -> None:
    api.missing_namespaces = {"team-b"}
    code, out, _ = run("doctor", "-n", "team-b", "-o", "json")
    found = levels(out)
    assert code == 1
    assert found["error"] == {"namespace"}
    assert not {"rights", "connection"} & found["ok"]

    # Whether it exists is known only to a user who may read namespaces.
    api.forbidden = {"namespaces"}
    assert levels(run("doctor", "-n", "team-b", "-o", "json")[1])["error"] == set()


def test_programs_get_each_finding_with_what_to_do(api: ClusterApi, run: Run) -> None:
    api.documents[LEASES] = lease(90)
    code, out, _ = run("doctor", "-o", "json")
    assert code == 1
    (found,) = (one for one in json.loads(out) if one["level"] == "error")
    assert found["check"] == "operator"
    assert (
        "no operator leads: lease nemo-eval-system/nemo-eval-operator was last renewed 1m" in found["message"]
    )
    assert found["action"].startswith("Look at its pods")


@pytest.mark.parametrize(
    ("path", "document", "level", "message"),
    [
        (LEASES, lease(holder=""), "error", "no operator holds its lease"),
        (LEASES, {"items": []}, "warning", "no lease was found"),
        (DEPLOYMENTS, deployment(available=0), "error", "0 of 1 pods available"),
        (DEPLOYMENTS, deployment(version="9.9"), "warning", "the operator is 9.9"),
        (OPENAPI, {"components": {"schemas": {}}}, "error", "does not serve NemoBenchmark, NemoEvalJob"),
    ],
)
def test_each_fault_of_the_installation_is_found(
    api: ClusterApi, run: Run, path: str, document: dict[str, Any], level: str, message: str
) -> None:
    api.documents[path] = document
    code, out, _ = run("doctor", "-o", "json")
    assert code == (1 if level == "error" else 0)
    assert any(one["level"] == level and message in one["message"] for one in json.loads(out))


@pytest.mark.parametrize(
    ("seconds", "seen", "level", "message"),
    [
        (120, 1, "ok", "it reconciles runs: the last change of a run in namespace team-a was 2m"),
        (7200, 1, "warning", "no lease was found, and the last change of a run in namespace team-a was 2h"),
        (120, None, "warning", "no lease was found, and run qa-llama in namespace team-a has not been"),
    ],
)
def test_an_operator_without_a_lease_is_judged_by_what_it_does(
    api: ClusterApi, run: Run, seconds: float, seen: int | None, level: str, message: str
) -> None:
    changed = datetime.now(UTC) - timedelta(seconds=seconds)
    status = {"conditions": [condition("Ready", "True", "Completed", since=changed)]}
    meta = {"creationTimestamp": ago(9000)}
    api.put("nemoevaljobs", evaljob(meta=meta, status=status | {"observedGeneration": seen}))
    api.documents |= {LEASES: {"items": []}, DEPLOYMENTS: {"items": []}}
    (found,) = (one for one in json.loads(run("doctor", "-o", "json")[1]) if one["check"] == "operator")
    assert found["level"] == level
    assert found["message"].startswith(message)
    assert bool(found["action"]) == (level == "warning")


def test_without_the_right_to_list_runs_a_missing_lease_is_all_that_is_known(
    api: ClusterApi, run: Run
) -> None:
    api.documents[LEASES] = {"items": []}
    api.forbidden.add("nemoevaljobs")
    assert "no lease was found: none is installed" in run("doctor")[1]


def test_crds_of_another_release_are_named_by_their_fields(api: ClusterApi, run: Run) -> None:
    document = schemas()
    spec = document["components"]["schemas"]["dev.nemo.evaluator.v1alpha1.NemoEvalJob"]["properties"]["spec"]
    del spec["properties"]["gate"]
    spec["properties"]["later"] = {"type": "string"}
    api.documents[OPENAPI] = document
    code, out, _ = run("doctor")
    assert code == 0
    assert "they are older than this plugin: they lack NemoEvalJob.spec.gate\n" in out
    assert "newer than this plugin, which does not know NemoEvalJob.spec.later\n" in out


def test_a_warning_of_the_deployment_is_shown(api: ClusterApi, run: Run) -> None:
    api.events = [
        {
            "involvedObject": {"uid": "d"},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": "quota\x1b[2J",
        }
    ]
    _, out, _ = run("doctor")
    assert "! operator    FailedCreate: quota" in out
    assert "\x1b" not in out


def test_missing_rights_are_named_with_the_commands_that_need_them(api: ClusterApi, run: Run) -> None:
    api.denied = {("create", "nemoevaljobs"), ("list", "events")}
    code, out, _ = run("doctor", "-o", "json")
    assert code == 0
    found = [one for one in json.loads(out) if one["check"] == "rights"]
    assert [one["message"] for one in found] == [
        "you may not create nemoevaljobs in namespace team-a. It is needed for run",
        "you may not list events in namespace team-a. It is needed for why",
    ]
    assert found[0]["action"] == "Ask for a Role with the verb create on nemoevaljobs.evaluator.nemo.dev."


def test_a_user_of_one_namespace_gets_what_the_operators_namespace_shows(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    del api.documents[LEASES], api.documents[DEPLOYMENTS]
    own = LEASES.replace("leases", "namespaces/ops/leases")
    api.documents[own] = lease()
    answer = api._answer  # noqa: SLF001

    def forbidden(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(("/leases", "/deployments")) and request.url.path != own:
            return httpx.Response(403, json={"message": "forbidden"})
        return answer(request)

    monkeypatch.setattr(api, "_answer", forbidden)
    code, out, _ = run("doctor", "--operator-namespace", "ops", "-o", "json")
    assert code == 0
    assert levels(out)["warning"] == {"operator"}
    assert any("pod-1 leads" in one["message"] for one in json.loads(out))


@pytest.mark.parametrize(
    ("conditions", "generation", "message"),
    [
        ([condition("Ready", "False", "EvaluatorUnreachable")], 1, "is not ready (EvaluatorUnreachable)"),
        ([], 1, "has not been reconciled yet"),
        ([condition("Ready", "True", "Connected")], 2, "has not been reconciled yet"),
    ],
)
def test_a_connection_that_is_not_ready_is_an_error(
    api: ClusterApi, run: Run, conditions: list[dict[str, Any]], generation: int, message: str
) -> None:
    connect(api, *conditions, generation=generation)
    code, out, _ = run("doctor", "-o", "json")
    assert code == 1
    (found,) = (one for one in json.loads(out) if one["level"] == "error")
    assert found["message"].startswith(f"team-a/prod {message}")
    assert found["action"]


@pytest.mark.parametrize(
    ("seconds", "code", "text"),
    [(30, 0, "behind the API server's"), (-30, 0, "ahead of the API server's"), (900, 1, "behind")],
)
def test_clocks_that_differ_are_found(api: ClusterApi, run: Run, seconds: int, code: int, text: str) -> None:
    api.skew = timedelta(seconds=seconds)
    api.documents[LEASES] = lease(-seconds)
    done, out, _ = run("doctor", "-o", "json")
    assert done == code
    (found,) = (one for one in json.loads(out) if one["check"] == "clock")
    assert found["level"] == ("error" if code else "warning")
    assert text in found["message"]


def test_an_api_server_that_does_not_answer_has_its_own_exit_code(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_answer", lambda _: httpx.Response(503))
    assert run("doctor")[0] == 5

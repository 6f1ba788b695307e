"""The CRD of NemoEvaluatorConnection, and evaluatorRef of the other kinds, before a real API server.

For each constraint: a manifest that is taken, and one that is refused with a sentence that helps.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cluster import Cluster
from tests.integration.crds import Api

pytestmark = pytest.mark.usefixtures("crds")

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "how-to" / "connect-an-evaluator.md"
URL = {"url": "https://evaluator.example.com"}
KEY = {"name": "it", "key": "token"}
ONE_PLACE = "set exactly one of spec.url (a base URL) and spec.serviceRef"
ONE_CA = "set exactly one of tls.ca.secretKeyRef and tls.ca.configMapKeyRef"


@pytest.fixture
def dry(cluster: Cluster) -> Api:
    """For questions that leave nothing behind."""
    return Api(cluster, "default", "NemoEvaluatorConnection")


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:
    return Api(cluster, namespace, "NemoEvaluatorConnection")


def at(**fields: Any) -> dict[str, Any]:
    return {**URL, **fields}


def auth(**fields: Any) -> dict[str, Any]:
    return at(auth=fields)


def tls(**fields: Any) -> dict[str, Any]:
    return at(tls=fields)


def header(name: str) -> dict[str, Any]:
    return {"name": name, "secretKeyRef": KEY}


@pytest.mark.parametrize(
    ("good", "bad", "objection"),
    [
        pytest.param(URL, {}, ONE_PLACE, id="neither url nor serviceRef"),
        pytest.param({"serviceRef": {"name": "e"}}, at(serviceRef={"name": "e"}), ONE_PLACE, id="both"),
        pytest.param({"url": "http://[::1]:7331/nemo"}, {"url": "ftp://x.test"}, "spec.url", id="scheme"),
        pytest.param(URL, {"url": "https://me:pw@x.test"}, "spec.url", id="no credentials in the URL"),
        pytest.param(URL, {"url": "https://x.test/?token=x"}, "spec.url", id="no query in the URL"),
        pytest.param(
            {"serviceRef": {"name": "e", "port": 1}},
            {"serviceRef": {"name": "e", "port": 0}},
            "greater than or equal to 1",
            id="port",
        ),
        pytest.param(
            {"serviceRef": {"name": "e", "scheme": "https"}},
            {"serviceRef": {"name": "e", "scheme": "gopher"}},
            'supported values: "http", "https"',
            id="serviceRef.scheme",
        ),
        pytest.param(
            {"serviceRef": {"name": "e", "namespace": "nemo"}},
            {"serviceRef": {"name": "e.evil.test", "namespace": "nemo"}},
            "spec.serviceRef.name",
            id="a Service's name is one label",
        ),
        pytest.param(
            auth(bearerToken=KEY),
            auth(bearerToken={"name": "it"}),
            "spec.auth.bearerToken.key: Required value",
            id="bearerToken.key",
        ),
        pytest.param(
            auth(headers=[header("X-Api-Key")]),
            auth(headers=[header("X-Api-Key: x")]),
            "spec.auth.headers[0].name",
            id="header's name",
        ),
        pytest.param(
            auth(headers=[header("Authorization")]),
            auth(headers=[header("Host")]),
            "the HTTP client sets this header itself",
            id="reserved headers",
        ),
        pytest.param(
            auth(headers=[header("X-A")], bearerToken=KEY),
            auth(headers=[header("authorization")], bearerToken=KEY),
            "auth.bearerToken is sent as the header Authorization: remove one of the two",
            id="one Authorization",
        ),
        pytest.param(
            auth(headers=[header("X-A"), header("X-B")]),
            auth(headers=[header("X-A"), header("X-A")]),
            "Duplicate value",
            id="each header once",
        ),
        pytest.param(tls(ca={"secretKeyRef": KEY}), tls(ca={}), ONE_CA, id="no CA"),
        pytest.param(
            tls(ca={"configMapKeyRef": KEY}),
            tls(ca={"configMapKeyRef": KEY, "secretKeyRef": KEY}),
            ONE_CA,
            id="two CAs",
        ),
        pytest.param(
            tls(insecureSkipVerify=True),
            tls(insecureSkipVerify=True, ca={"secretKeyRef": KEY}),
            "tls.insecureSkipVerify makes tls.ca meaningless",
            id="a CA that is not asked",
        ),
        pytest.param(
            tls(clientCertificate={"name": "it"}),
            tls(clientCertificate={}),
            "spec.tls.clientCertificate.name: Required value",
            id="clientCertificate.name",
        ),
        pytest.param(
            at(timeouts={"connectSeconds": 1.5, "requestSeconds": 60}),
            at(timeouts={"connectSeconds": 0}),
            "spec.timeouts.connectSeconds",
            id="connectSeconds",
        ),
        pytest.param(
            at(timeouts={"requestSeconds": 600}),
            at(timeouts={"requestSeconds": 601}),
            "less than or equal to 600",
            id="requestSeconds",
        ),
        pytest.param(at(maxRunningJobs=1), at(maxRunningJobs=0), "greater than or equal to 1", id="jobs"),
        pytest.param(
            at(pollIntervalSeconds=1), at(pollIntervalSeconds=0), "spec.pollIntervalSeconds", id="poll"
        ),
        pytest.param(
            at(allowedNamespaces=["*"]), at(allowedNamespaces=["team-*"]), "allowedNamespaces", id="pattern"
        ),
        pytest.param(
            at(allowedNamespaces=["a", "b"]), at(allowedNamespaces=["a", "a"]), "Duplicate value", id="set"
        ),
    ],
)
def test_what_a_connection_may_say(
    dry: Api, good: dict[str, Any], bad: dict[str, Any], objection: str
) -> None:
    assert dry.objection_to(good) == ""
    assert objection in dry.objection_to(bad)


def test_an_edit_may_move_it_and_change_all_else(api: Api) -> None:
    assert api.objection_to_change(URL, {"serviceRef": {"name": "e"}, "default": True}) == ""


def test_columns(api: Api) -> None:
    created = api.create(at(default=True))
    assert created["status"] == {"observedGeneration": -1}
    api.patch_status(
        {
            "url": URL["url"],
            "jobsRunning": 2,
            "jobsWaiting": 1,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Reachable",
                    "message": "it answers",
                    "lastTransitionTime": "2026-03-01T12:00:00Z",
                }
            ],
        }
    )
    heading, row = api.table()
    assert heading == ["NAME", "URL", "READY", "REASON", "RUNNING", "WAITING", "AGE"]
    assert row[:-1] == ["it", URL["url"], "True", "Reachable", "2", "1"]


@pytest.mark.parametrize("kind", ["NemoBenchmark", "NemoEvalJob"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"evaluatorRef": {"name": "other"}}, id="another"),
        pytest.param({"evaluatorRef": {"name": "main", "namespace": "shared"}}, id="of another namespace"),
        pytest.param({}, id="none"),
    ],
)
def test_what_chose_an_evaluator_stays_with_it(
    cluster: Cluster, namespace: str, kind: str, change: dict[str, Any]
) -> None:
    spec: dict[str, Any] = {"config": {"type": "gsm8k"}}
    if kind == "NemoEvalJob":
        spec["model"] = "m"
    before = {**spec, "evaluatorRef": {"name": "main"}}
    objection = Api(cluster, namespace, kind).objection_to_change(before, {**spec, **change})
    assert "spec.evaluatorRef is immutable" in objection


def test_what_the_documentation_shows_is_taken(dry: Api) -> None:
    shown = DOCUMENTATION.read_text().partition("```yaml\n")[2].partition("```")[0]
    assert dry.objection_to(yaml.safe_load(shown)["spec"]) == ""

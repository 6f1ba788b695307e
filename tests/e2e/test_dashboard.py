"""Dashboard and alerts of the chart, evaluated by a real Prometheus that scrapes an operator."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from nemo_eval_operator.plugin.report.axes import Axis
from testbed.chart import template
from testbed.cluster import Cluster
from testbed.dashboard.panels import as_sent, panels
from testbed.processes import Processes
from testbed.prometheus import Prometheus, prometheus_command, start_prometheus
from tests.e2e.replicas import Replicas
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually

VALUES = "metrics.objectNames=true,metrics.tokenSecret.name=scraping,metrics.dashboard.enabled=true"
RULES = (
    "metrics.prometheusRule.enabled=true,metrics.prometheusRule.failedGate=true,"
    "metrics.serviceMonitor.enabled=true"
)
OPERATOR = {"namespace": "nemo-eval-system", "job": "nemo-eval-operator-metrics"}
"""Labels that the Prometheus operator gives to the target of the chart's ServiceMonitor."""

GRAFANA_COLUMNS = 24


def rendered(kind: str, page: str) -> dict[str, Any]:
    text = template("--set", f"{VALUES},{RULES}", "--show-only", f"templates/{page}.yaml")
    document: dict[str, Any] = yaml.safe_load(text)
    assert document["kind"] == kind
    return document


@pytest.fixture(scope="module")
def dashboard(built_helm: None) -> dict[str, Any]:
    (text,) = rendered("ConfigMap", "dashboard")["data"].values()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


@pytest.fixture(scope="module")
def built_prometheus(pytestconfig: pytest.Config) -> None:
    """Prometheus takes minutes to build, in plain sight."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        prometheus_command()


def gated(name: str, benchmark: str, output: str) -> dict[str, Any]:
    """A job that passes if its one answer is Paris."""
    rows = [{"answer": "Paris", "output": output}]
    criteria = [{"score": "rows/exact/string-check", "minimum": 0.5}]
    return data_job(name, of=benchmark, target={"type": "rows", "rows": rows}, gate={"criteria": criteria})


@pytest.fixture(scope="module")
def prometheus(
    cluster: Cluster,
    crds: None,
    evaluator_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    built_helm: None,
    built_prometheus: None,
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes an operator of two gated jobs: one passed, and one failed."""
    workdir, namespace = tmp_path_factory.mktemp("dashboard"), f"test-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", namespace)
    scenario = Scenario(cluster, namespace, evaluator_url)
    with Replicas(scenario, workdir) as replicas, Processes() as processes:
        operator = replicas.start("one", {"NEMO_METRICS_OBJECT_NAMES": "true"})
        scraping = start_prometheus(
            processes,
            workdir / "prometheus",
            scrape=scrape_config(operator.health_url),
            rules=rendered("PrometheusRule", "prometheusrule")["spec"]["groups"],
        )
        scenario.apply(data_benchmark("good"), gated("passes", "good", "Paris"))
        scenario.apply(data_benchmark("bad"), gated("fails", "bad", "Rome"))
        eventually(lambda: len(scraping.query("nemo_eval_gate_passed")) == 2, "both verdicts are scraped")
        yield scraping
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        processes.check()


def scrape_config(health_url: str) -> dict[str, Any]:
    """What the Prometheus operator makes of the chart's ServiceMonitor, for a target without a token."""
    (endpoint,) = rendered("ServiceMonitor", "servicemonitor")["spec"]["endpoints"]
    return {
        "job_name": OPERATOR["job"],
        "honor_labels": endpoint["honorLabels"],
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": [httpx.URL(health_url).netloc.decode()], "labels": OPERATOR}],
    }


def queries(dashboard: dict[str, Any]) -> dict[str, str]:
    """By panel and letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }


def test_every_panel_shows_something_of_a_running_operator(
    prometheus: Prometheus, dashboard: dict[str, Any]
) -> None:
    asked = queries(dashboard)
    assert len(asked) > 10
    for name, query in asked.items():
        eventually(lambda query=query: prometheus.query(as_sent(query)), f"{name}: {query}")  # type: ignore[misc]


def test_the_documentations_picture_has_all_panels(prometheus: Prometheus, dashboard: dict[str, Any]) -> None:
    now = time.time()
    drawn = {panel.definition["title"]: panel for panel in panels(prometheus, Axis(now - 60, now))}
    assert [*drawn] == [panel["title"] for panel in dashboard["panels"]]
    assert drawn["Verdicts"].labels == ["benchmark", "model", "namespace", "verdict"]
    assert [drawn["Verdicts"].colour_of(value) for value in ("0", "1")] == ["red", "green"]
    assert [drawn["Failed gates"].colour_of(value) for value in ("0", "1")] == ["green", "red"]
    assert {"bad (rows): rows/exact/string-check", "good (rows): rows/exact/string-check"} == {
        *drawn["Scores over time"].lines
    }


def test_panels_count_gates_and_scores(prometheus: Prometheus, dashboard: dict[str, Any]) -> None:
    asked = queries(dashboard)

    def value(panel: str) -> str:
        ((_, found),) = (series["value"] for series in prometheus.query(as_sent(asked[f"{panel} A"])))
        return str(found)

    counts = {
        panel: value(panel) for panel in ("Benchmarks and models", "Failed gates", "Inconclusive gates")
    }
    assert counts == {"Benchmarks and models": "2", "Failed gates": "1", "Inconclusive gates": "0"}
    of_score = {
        series["metric"]["benchmark"]: series["value"][1]
        for series in prometheus.query(as_sent(asked["Latest scores A"]))
    }
    assert of_score == {"good": "1", "bad": "0"}


def test_panels_use_every_value_of_the_variables(prometheus: Prometheus, dashboard: dict[str, Any]) -> None:
    found = {}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert asked is not None
            found[variable["name"]] = prometheus.label_values(asked[2], as_sent(asked[1]))

    assert found["benchmark"] == ["bad", "good"]
    assert found["model"] == ["(rows)"]
    (namespace,) = found["namespace"]
    assert namespace.startswith("test-"), "the namespace of the runs, not that of the operator"


def test_the_alert_on_a_failed_gate_names_it_and_the_others_are_quiet(prometheus: Prometheus) -> None:
    eventually(lambda: all(rule["health"] == "ok" for rule in prometheus.rules().values()), "all evaluated")
    rules = prometheus.rules()

    assert {name: rule["state"] for name, rule in rules.items()} == {
        "NemoEvaluatorFails": "inactive",
        "NemoEvalOperatorFallsBehind": "inactive",
        "NemoEvalOperatorAbsent": "inactive",
        "NemoJobLeftBehind": "inactive",
        "NemoGateFailed": "firing",
    }
    (alert,) = rules["NemoGateFailed"]["alerts"]
    namespace = alert["labels"]["namespace"]
    assert alert["annotations"]["summary"] == f"The gate of (rows) on bad in namespace {namespace} failed"


def test_no_panel_covers_another(dashboard: dict[str, Any]) -> None:
    taken = [
        (x, y)
        for panel in dashboard["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < GRAFANA_COLUMNS

"""What a person writes in YAML is what the evaluator receives: nothing lost, nothing changed on the way."""

import json
from pathlib import Path
from typing import Any

import httpx
import yaml

from testbed.cluster import Cluster
from testbed.faults import Exchange, FaultProxy, Moment
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.scenario import Scenario, eventually
from tests.unit.resources.manifests import CONFIG, TARGET


def test_every_field_of_nemos_schemas_arrives_as_it_was_written(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    header: dict[str, Any] = {"apiVersion": "evaluator.nemo.dev/v1alpha1"}
    config = {**CONFIG, "namespace": namespace}
    benchmark = {**header, "kind": "NemoBenchmark", "metadata": {"name": "whole"}, "spec": {"config": config}}
    spec = {"config": config, "target": TARGET}
    job = {**header, "kind": "NemoEvalJob", "metadata": {"name": "whole"}, "spec": spec}
    # As a person does it: YAML text, kubectl, API server.
    manifest = tmp_path / "whole.yaml"
    manifest.write_text(yaml.safe_dump_all([benchmark, job], allow_unicode=True))

    posted: dict[str, dict[str, Any]] = {}

    def observe(exchange: Exchange, moment: Moment) -> bool:
        if exchange.method == "POST" and moment is Moment.FORWARDED:
            posted[exchange.path.rpartition("/")[2]] = json.loads(exchange.body)
        return False

    with FaultProxy(evaluator_url) as proxy, Processes() as processes:
        proxy.observers.append(observe)
        start_operator(
            processes,
            tmp_path,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=proxy.url,
            namespaces=[namespace],
        )
        scenario.kubectl("apply", "-f", str(manifest))
        sent_config = eventually(lambda: posted.get("configs"), "config posted")
        sent_job = eventually(lambda: posted.get("jobs"), "job posted")

    marks = sent_config.pop("custom_fields")
    assert marks == {**config["custom_fields"], **_marks(marks)}
    assert sent_config == _as_applied({key: value for key, value in config.items() if key != "custom_fields"})
    assert sent_job["config"] == _as_applied(config)
    assert sent_job["target"] == _as_applied(TARGET)
    assert sent_job["namespace"] == namespace
    assert all(isinstance(value, str) for value in sent_job["custom_fields"].values())


def test_any_config_type_passes_through(scenario: Scenario) -> None:
    types = ["gsm8k", "mmlu", "ifeval", "humaneval", "mt_bench", "retriever", "rag", "agentic"]
    types += ["similarity_metrics", "custom", "whatever_comes_next"]
    header: dict[str, Any] = {"apiVersion": "evaluator.nemo.dev/v1alpha1", "kind": "NemoBenchmark"}
    scenario.apply(
        *(
            {**header, "metadata": {"name": kind.replace("_", "-")}, "spec": {"config": {"type": kind}}}
            for kind in types
        )
    )

    def arrived() -> bool:
        url, params = (
            f"{scenario.evaluator_url}/v1/evaluation/configs",
            {"filter[namespace]": scenario.namespace},
        )
        configs = httpx.get(url, params={**params, "page_size": "100"}, timeout=10).json()["data"]
        return sorted(config["type"] for config in configs) == sorted(types)

    eventually(arrived, "all types arrived")


def _as_applied(value: Any) -> Any:
    """What kubectl apply makes of it: a null in an object means that the key is not set."""
    match value:
        case dict():
            return {key: _as_applied(item) for key, item in value.items() if item is not None}
        case list():
            return [_as_applied(item) for item in value]
        case _:
            return value


def _marks(custom_fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in custom_fields.items() if key.startswith("k8s-")}

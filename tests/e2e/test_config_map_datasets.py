"""Rows that come with the manifests: from a ConfigMap and `kubectl apply` to scores, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.scenario import (
    BENCHMARK,
    JOB,
    ROWS,
    Scenario,
    benchmark,
    data_benchmark,
    data_job,
    eventually,
    model_job,
)

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "configmap" / "ten-questions.yaml"
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def config_map(name: str = "questions", **data: str) -> dict[str, Any]:
    values = data or {"q.jsonl": LINES}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


def dataset(name: str = "questions", key: str = "q.jsonl", **others: Any) -> dict[str, Any]:
    return {"configMapRef": {"name": name, "key": key}, **others}


def asking(name: str = "qa", **reference: Any) -> dict[str, Any]:
    manifest = benchmark(name)
    manifest["spec"]["config"]["tasks"]["qa"]["dataset"] = dataset(**reference)
    return manifest


def of_target(name: str, **reference: Any) -> dict[str, Any]:
    return data_job(name, target={"type": "dataset", "dataset": dataset(**reference)})


def sent_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    url = found["tasks"]["qa"]["dataset"]["files_url"]
    return [json.loads(line) for line in base64.b64decode(url.partition(",")[2]).decode().splitlines()]


def recorded_config(scenario: Scenario, name: str) -> dict[str, Any]:
    found = scenario.get("configmap", f"{name}-results")
    assert found is not None
    config: dict[str, Any] = json.loads(found["data"]["config.json"])
    return config


def test_the_sample_of_ten_questions_runs_from_one_apply(scenario: Scenario) -> None:
    manifests = list(yaml.safe_load_all(SAMPLE.read_text()))
    for manifest in manifests:
        if manifest["kind"] == "NemoEvalJob":
            manifest["spec"]["model"] = "parrot"
    scenario.apply(*manifests)

    status = scenario.until_phase("ten-questions", "Succeeded")

    (score,) = status["scores"]
    assert (score["task"], score["metric"], score["count"]) == ("qa", "answered", 10)
    rows = recorded_config(scenario, "ten-questions")["tasks"]["qa"]["dataset"]["rows"]
    assert len(rows) == 10
    assert rows[0] == {"question": "What is the capital of France?", "answer": "Paris"}


def test_the_rows_of_a_target_are_sent_as_nemo_s_rows(scenario: Scenario) -> None:
    scenario.apply(config_map(), data_benchmark(), of_target("rows-run", limit=1))

    status = scenario.until_phase("rows-run", "Succeeded")

    (remote,) = scenario.remote_jobs("rows-run")
    assert (remote["target"]["type"], remote["target"]["rows"]) == ("rows", ROWS[:1])
    assert status["score"] == "exact=1"


def test_a_changed_config_map_reaches_the_config_before_the_next_job(scenario: Scenario) -> None:
    scenario.apply(config_map(), asking(), model_job("first"))
    first = scenario.until_phase("first", "Succeeded")
    versions = scenario.status(BENCHMARK, "qa")["configMaps"]

    scenario.apply(config_map(**{"q.jsonl": LINES.replace("Rome", "Milan")}), model_job("second"))

    second = scenario.until_phase("second", "Succeeded")
    assert (first["score"], second["score"]) == ("exact=0.5", "exact=1")
    assert first["benchmark"]["hash"] != second["benchmark"]["hash"]
    assert scenario.status(BENCHMARK, "qa")["configMaps"] != versions
    found = scenario.remote_config("qa")
    assert found is not None
    assert [row["answer"] for row in sent_rows(found)] == ["Paris", "Milan"]


def test_a_job_s_own_copy_of_the_config_has_the_rows_too(scenario: Scenario) -> None:
    scenario.apply(config_map(**{"q.csv": "question,answer\nCapital of France?,Paris\n2,x\n"}))
    scenario.apply(asking(key="q.csv"), model_job("copied", limitSamples=1))

    status = scenario.until_phase("copied", "Succeeded")

    assert status["score"] == "exact=1"
    assert recorded_config(scenario, "copied")["tasks"]["qa"]["dataset"] == {
        "rows": [{"question": "Capital of France?", "answer": "Paris"}, {"question": "2", "answer": "x"}]
    }


def test_a_large_dataset_is_recorded_by_count_and_digest(scenario: Scenario) -> None:
    lines = "".join(json.dumps({**ROWS[0], "number": number}) + "\n" for number in range(5_000))
    scenario.apply(data_benchmark())
    scenario.kubectl("create", "-f", "-", input=yaml.safe_dump(config_map(**{"q.jsonl": lines})))
    config = {**data_benchmark()["spec"]["config"]}
    config["tasks"]["rows"]["dataset"] = dataset()
    job = data_job("large", config=config, target={"type": "model", "model": "parrot"})
    del job["spec"]["benchmarkRef"]
    scenario.apply(job)

    status = scenario.until_phase("large", "Succeeded")

    assert status["scores"][0]["count"] == 5_000
    rows = recorded_config(scenario, "large")["tasks"]["rows"]["dataset"]["rows"]
    assert rows["count"] == 5_000


def test_a_missing_config_map_is_waited_for_and_named(scenario: Scenario) -> None:
    scenario.apply(asking(), model_job("early"), data_benchmark(), of_target("target-early"))

    status = scenario.until_reason(BENCHMARK, "qa", "ConfigMapNotFound")

    path = "spec.config.tasks.qa.dataset.configMapRef"
    assert status["message"].startswith(f"{path}: ConfigMap {scenario.namespace}/questions does not exist")
    assert path in scenario.event("qa", "ConfigMapNotFound")["message"]
    assert "qa is not ready: " in scenario.until_reason(JOB, "early", "BenchmarkNotReady")["message"]
    waiting = scenario.until_reason(JOB, "target-early", "ConfigMapNotFound")
    assert waiting["message"].startswith("spec.target.dataset.configMapRef: ConfigMap")

    scenario.apply(config_map())

    scenario.until_phase("early", "Succeeded", seconds=90)
    scenario.until_phase("target-early", "Succeeded", seconds=90)


@pytest.mark.parametrize(
    ("data", "key", "problem"),
    [
        (
            {"q.jsonl": '{"a": 1}\nnonsense\n'},
            "q.jsonl",
            "line 2 is not JSON: Expecting value",
        ),
        ({"q.json": '{"a": 1}'}, "q.json", "is not an array of objects"),
        ({"q.csv": "a,b\n1\n"}, "q.csv", "line 2 has 1 column, but the header has 2"),
        ({"q.jsonl": "{}\n" * 10_001}, "q.jsonl", "has more than 10,000 rows"),
    ],
)
def test_rows_that_cannot_be_read_are_named_with_their_line(
    scenario: Scenario, data: dict[str, str], key: str, problem: str
) -> None:
    scenario.apply(config_map(**data), asking(key=key), data_benchmark(), of_target("refused", key=key))

    for kind, name, path in (
        (BENCHMARK, "qa", "spec.config.tasks.qa.dataset.configMapRef"),
        (JOB, "refused", "spec.target.dataset.configMapRef"),
    ):
        status = scenario.until_reason(kind, name, "InvalidDataset")
        where = f"{path}: key {key!r} of ConfigMap {scenario.namespace}/questions"
        assert status["message"].startswith(where)
        assert problem in status["message"]
        assert scenario.conditions(kind, name) == {"Ready": "False", "Stalled": "True"}
        assert problem in scenario.event(name, "InvalidDataset")["message"]
    assert scenario.remote_jobs() == []


def test_a_benchmark_is_deleted_after_its_config_map(scenario: Scenario) -> None:
    scenario.apply(config_map(), asking())
    scenario.until_reason(BENCHMARK, "qa", "ConfigReady")
    scenario.kubectl("delete", "configmap", "questions")

    scenario.kubectl("delete", BENCHMARK, "qa", "--timeout=20s")

    eventually(lambda: scenario.remote_config("qa") is None, "config deleted")


def test_another_namespace_cannot_be_named(scenario: Scenario) -> None:
    manifest = asking()
    manifest["spec"]["config"]["tasks"]["qa"]["dataset"]["configMapRef"]["name"] = "kube-system/extension"
    said = scenario.kubectl("apply", "-f", "-", input=yaml.safe_dump(manifest), check=False)
    assert "configMapRef.name" in said


def test_a_dataset_has_one_source(scenario: Scenario) -> None:
    none, both = asking("none"), asking("both")
    none["spec"]["config"]["tasks"]["qa"]["dataset"] = {"limit": 1}
    both["spec"]["config"]["tasks"]["qa"]["dataset"]["files_url"] = "file://questions.jsonl"

    said = scenario.kubectl("apply", "-f", "-", input=yaml.safe_dump(none), check=False)
    assert '"spec.config.tasks.qa.dataset" must validate at least one schema (anyOf)' in said
    assert "files_url: Required value" in said

    scenario.apply(both)
    message = scenario.until_reason(BENCHMARK, "both", "InvalidDataset")["message"]
    assert message == "spec.config.tasks.qa.dataset: set exactly one of files_url and configMapRef"

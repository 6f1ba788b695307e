"""Columns, categories and explanations that kubectl shows of the kinds."""

from typing import Any

import pytest

from testbed.cluster import Cluster
from tests.integration.crds import Api

pytestmark = pytest.mark.usefixtures("crds")

BENCHMARK = {"benchmarkRef": {"name": "qa"}}
MODEL = {"model": "meta/llama-3.1-8b-instruct"}


@pytest.fixture
def dry(cluster: Cluster) -> Api:
    """For questions that leave nothing behind."""
    return Api(cluster, "default", "NemoEvalJob")


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:
    return Api(cluster, namespace, "NemoEvalJob")


def run(**fields: Any) -> dict[str, Any]:
    return {**BENCHMARK, **MODEL, **fields}


def test_columns(api: Api) -> None:
    """The longest cells of a usual job: a line that is wider than 250 characters wraps on most screens."""
    name, benchmark, model = (
        "gsm8k-llama-3.1-70b-instruct",
        "gsm8k-8-shot-strict",
        "meta/llama-3.1-70b-instruct",
    )
    api.create(run(benchmarkRef={"name": benchmark}, model=model, priority=1000), name=name)
    score = "answered=0.7083 sentence=31.19 +7 more"
    condition = {"status": "False", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}
    api.patch_status(
        {
            "phase": "Cancelling",
            "progress": {"percent": 40, "percentage": "40%", "samplesProcessed": 8},
            "score": score,
            "model": model,
            "jobId": "eval-4bNJEj16P2TyviL2momKcd",
            "evaluator": {"url": "http://nemo-evaluator.nemo-microservices.svc:7331"},
            "duration": "12h13m45s",
            "message": "the evaluator cannot be reached: " * 10,
            "gate": {"verdict": "Inconclusive", "hash": "sha256:0"},
            "conditions": [{"type": "Ready", "reason": "EvaluatorUnreachable", **condition}],
        },
        name=name,
    )
    heading, row = api.table()
    assert heading == ["NAME", "PHASE", "PROGRESS", "REASON", "SCORE", "VERDICT", "MODEL", "BENCHMARK", "AGE"]
    verdict = "Inconclusive"
    assert row[:-1] == [name, "Cancelling", "40%", "EvaluatorUnreachable", score, verdict, model, benchmark]
    heading, row = api.table("-o", "wide")
    assert heading[-3:] == ["JOB", "DURATION", "PRIORITY"]
    assert row[-3:] == ["eval-4bNJEj16P2TyviL2momKcd", "12h13m45s", "1000"]
    shown = api.cluster.kubectl("get", "nemoevaljobs", "-n", api.namespace, "-o", "wide").stdout
    assert max(map(len, shown.splitlines())) < 250


def test_kinds_are_found_by_their_category(cluster: Cluster, api: Api) -> None:
    api.create(run())
    found = cluster.kubectl("get", "nemo", "-n", api.namespace, "-o", "name").stdout
    assert found.split() == ["nemoevaljob.evaluator.nemo.dev/it"]


@pytest.mark.parametrize(
    ("path", "lesson"),
    [
        ("spec", "Default: 60."),
        ("spec.target.model", "api_endpoint <Object>"),
        ("spec.target.retriever.pipeline", "index_embedding_model <Object> -required-"),
        ("spec.target", "A name (NAMESPACE/NAME) is not accepted"),
        ("spec.config", "create a NemoBenchmark"),
        ("spec.samplingParams", "stop <[]string>"),
        ("spec.valuesFrom.secretKeyRef", "key <string> -required-"),
        ("status.scores", "stddev <number>"),
    ],
)
def test_explain(dry: Api, path: str, lesson: str) -> None:
    assert lesson in " ".join(dry.explain(path).split())

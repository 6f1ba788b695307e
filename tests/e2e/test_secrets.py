"""Secrets: read when they are used, sent on when they change, and masked when an evaluator repeats them."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from testbed.cluster import Cluster
from testbed.faults import Exchange, FaultProxy, Moment
from testbed.processes import Processes
from testbed.stack import start_operator
from tests.e2e.echoing_evaluator import EchoingEvaluator
from tests.e2e.scenario import BENCHMARK, JOB, Scenario, data_benchmark, data_job, eventually

StartOperator = Callable[[str], Path]

HUB, API, PLAIN_HUB, PLAIN_API = (
    f"canary/{name}+5f1c9-2Kx7é" for name in ("hub", "api", "plain-hub", "plain-api")
)
CANARIES = (HUB, API, PLAIN_HUB, PLAIN_API)

FATES = {
    "refused": "EvaluatorRejected",
    "broken": "SubmissionUncertain",
    "unauthorized": "EvaluatorUnauthorized",
    "malformed": "SubmissionUncertain",
    "failing": "EvaluationFailed",
    "unreadable": "ResultsUnavailable",
    "named": "ResultsUnavailable",
    "fine": "Completed",
}


@pytest.fixture
def start(cluster: Cluster, crds: None, namespace: str, tmp_path: Path) -> Iterator[StartOperator]:
    """Starts an operator for this test's namespace against the evaluator at a URL; returns its log."""
    with Processes() as processes:

        def start(evaluator_url: str) -> Path:
            start_operator(
                processes,
                tmp_path,
                kubeconfig=cluster.kubeconfig,
                evaluator_url=evaluator_url,
                namespaces=[namespace],
                env={"NEMO_LOG_LEVEL": "debug"},
            )
            return tmp_path / "operator.log"

        yield start
        processes.check()


def secret(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def source(name: str, key: str, path: str, **reference: Any) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key, **reference}, "targetPath": path}


def forms(value: str) -> set[str]:
    """A value as it is and as servers encode it; of its base64 what does not depend on the neighbours."""
    encoded = value.encode()
    shifted = (base64.b64encode(bytes(shift) + encoded).decode()[4:-4] for shift in range(3))
    return {value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1], encoded.hex(), *shifted}


def test_no_canary_is_found_anywhere_though_the_evaluator_repeats_them_all(
    cluster: Cluster, namespace: str, start: StartOperator
) -> None:
    benchmark = data_benchmark(
        "gsm8k-plain", config={"type": "gsm8k", "params": {"extra": {"other_token": PLAIN_HUB}}}
    )
    benchmark["spec"]["valuesFrom"] = [source("hub", "token", "params.extra.hf_token")]
    jobs = []
    for fate in FATES:
        endpoint = {"url": "http://nim.test", "model_id": fate}
        job = data_job(fate, of="gsm8k-plain", target={"type": "model", "model": {"api_endpoint": endpoint}})
        if fate == "fine":
            endpoint["api_key"] = PLAIN_API
        else:
            job["spec"]["valuesFrom"] = [source("keys", "api", "target.model.api_endpoint.api_key")]
        jobs.append(job)

    with EchoingEvaluator() as echoing_evaluator:
        scenario = Scenario(cluster, namespace, echoing_evaluator.url)
        log = start(echoing_evaluator.url)
        scenario.apply(secret("hub", token=HUB), secret("keys", api=API), benchmark)
        scenario.until_reason(BENCHMARK, "gsm8k-plain", "ConfigReady")
        scenario.apply(*jobs)
        for name, reason in FATES.items():
            scenario.until_reason(JOB, name, reason, seconds=60)
        assert all(value in echoing_evaluator.received_text for value in CANARIES), "it knows them all"

    found = json.loads(scenario.kubectl("get", "nemoevaljobs,nemobenchmarks,configmaps,events", "-o", "json"))
    for thing in found["items"]:
        thing.pop("spec", None)
        thing["metadata"].get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    slots = {"objects": json.dumps(found, ensure_ascii=False), "log": log.read_text()}
    for place, text in slots.items():
        for value in CANARIES:
            hits = [form for form in forms(value) if form in text]
            assert not hits, (
                f"in {place}: {[text[text.index(hit) - 300 : text.index(hit) + 80] for hit in hits]}"
            )
    assert "******" in slots["objects"], "they were repeated"
    for name, path in (
        ("gsm8k-plain", "spec.config.params.extra.other_token"),
        ("fine", "spec.target.model.api_endpoint.api_key"),
    ):
        assert path in scenario.event(name, "PlainTextSecret")["message"]


def test_no_placeholder_of_one_team_changes_what_another_sees(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    """Words of the protocol and names of tasks as api_key, in plain text and out of a Secret."""
    scenario = Scenario(cluster, namespace, evaluator_url)
    start(evaluator_url)
    words = (
        "k8s-uid",
        "k8s-attempt",
        "metrics",
        "scores",
        "status",
        "running",
        "completed",
        "openai",
        "ollama",
    )
    placeholders = [data_benchmark(f"of-{word}") for word in words]
    for word, benchmark in zip(words, placeholders, strict=True):
        benchmark["spec"]["config"]["params"] = {"extra": {"judge_api_key": word}}
    out_of_secret = data_benchmark(
        "out-of-secret",
        valuesFrom=[source("words", word, f"params.extra.{word}") for word in words],
    )
    scenario.apply(secret("words", **{word: word for word in words}), *placeholders, out_of_secret)
    for benchmark in (*placeholders, out_of_secret):
        scenario.until_reason(BENCHMARK, benchmark["metadata"]["name"], "ConfigReady")

    scenario.apply(data_benchmark(), data_job("of-another"))
    scenario.until_phase("of-another", "Succeeded")

    scenario.until_reason(BENCHMARK, "rows", "ConfigReady")
    kept = json.loads(scenario.kubectl("get", "configmap", "of-another-results", "-o", "json"))
    assert "******" not in json.dumps(kept)
    assert scenario.status(JOB, "of-another")["scores"]


def test_a_changed_secret_reaches_the_config_before_the_next_job(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    sent: list[Exchange] = []

    def observe(exchange: Exchange, moment: Moment) -> bool:
        if moment is Moment.ARRIVED and exchange.method in {"PATCH", "POST"}:
            sent.append(exchange)
        return False

    with FaultProxy(evaluator_url) as proxy:
        proxy.observers.append(observe)
        start(proxy.url)
        benchmark = data_benchmark(
            valuesFrom=[
                source("hub", "token", "params.extra.hf_token"),
                source("hub", "late", r"params.extra.judges[0].late\.key", optional=True),
            ]
        )
        scenario.apply(secret("hub", token="first-value"), benchmark, data_job("before"))
        scenario.until_phase("before", "Succeeded")
        assert [value in configs_in(sent) for value in ("first-value", "second-value")] == [True, False]

        scenario.apply(secret("hub", token="second-value", late="late-value"), data_job("after"))
        scenario.until_phase("after", "Succeeded")

    calls = [(exchange.method, exchange.path) for exchange in sent]
    update = max(number for number, (method, _) in enumerate(calls) if method == "PATCH")
    assert ("POST", "/v1/evaluation/jobs") in calls[update:], "the job came after the update"
    assert '"hf_token":"second-value"' in configs_in(sent)
    assert '"judges":[{"late.key":"late-value"}]' in configs_in(sent)
    assert "value" not in json.dumps(scenario.status(BENCHMARK, "rows")["secrets"])


def configs_in(sent: Sequence[Exchange]) -> str:
    return " ".join(exchange.body.decode() for exchange in sent if "/configs" in exchange.path)


def test_what_is_missing_is_named_and_found_when_it_comes(
    cluster: Cluster, namespace: str, evaluator_url: str, start: StartOperator
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    start(evaluator_url)
    scenario.apply(
        data_benchmark(valuesFrom=[source("hub", "token", "params.extra.hf_token")]), data_job("patient")
    )
    status = scenario.until_reason(BENCHMARK, "rows", "SecretNotFound")
    needed = f"Secret {namespace}/hub with key 'token' is needed for params.extra.hf_token: it "
    assert status["message"] == needed + "does not exist"
    assert scenario.conditions(BENCHMARK, "rows") == {"Ready": "False", "Reconciling": "True"}

    scenario.apply(secret("hub", other="x"))
    eventually(
        lambda: scenario.status(BENCHMARK, "rows")["message"] == needed + "has no such key, or no text there",
        "the key is named",
    )
    scenario.apply(secret("hub", token="hf_x"))

    scenario.until_phase("patient", "Succeeded")
    assert scenario.event("rows", "SecretNotFound")

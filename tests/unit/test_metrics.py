"""What Prometheus is told, over HTTP and in its own format."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nemo_eval_operator.metrics import MAX_NAMED, Metrics
from nemo_eval_operator.probes import serve_probes
from testbed.processes import free_port

COUNTER = "nemo_eval_operator_left_behind_total"
NAMED = "nemo_eval_operator_left_behind_timestamp_seconds"


def samples(metrics: Metrics, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return [
        (sample.labels, sample.value)
        for family in families
        for sample in family.samples
        if sample.name == name
    ]


def test_nothing_left_behind_is_zero_and_not_absent() -> None:
    assert samples(Metrics(), COUNTER) == [({"kind": "job"}, 0.0), ({"kind": "config"}, 0.0)]


def test_what_was_left_behind_is_counted_and_named() -> None:
    metrics = Metrics()
    metrics.left_behind("job", namespace="team-a", name="qa-llama", remote="eval-1")
    metrics.left_behind("config", namespace="team-a", name="qa", remote="team-a/qa")
    metrics.left_behind("job", namespace="team-b", name="other", remote="")

    assert samples(metrics, COUNTER) == [({"kind": "job"}, 2.0), ({"kind": "config"}, 1.0)]
    assert [labels for labels, _ in samples(metrics, NAMED)] == [
        {"kind": "job", "namespace": "team-a", "name": "qa-llama", "remote": "eval-1"},
        {"kind": "config", "namespace": "team-a", "name": "qa", "remote": "team-a/qa"},
        {"kind": "job", "namespace": "team-b", "name": "other", "remote": ""},
    ]


def test_however_many_are_left_only_the_last_are_named() -> None:
    metrics = Metrics()
    for number in range(MAX_NAMED + 10):
        metrics.left_behind("job", namespace="team-a", name=f"qa-{number}", remote="eval-1")

    named = [labels["name"] for labels, _ in samples(metrics, NAMED)]
    assert named == [f"qa-{number}" for number in range(10, MAX_NAMED + 10)]
    assert samples(metrics, COUNTER)[0] == ({"kind": "job"}, MAX_NAMED + 10.0)


@pytest.mark.parametrize(
    ("path", "code", "text"), [("/healthz", 200, "{}"), ("/metrics", 200, COUNTER), ("/", 404, "")]
)
async def test_kubelet_and_prometheus_ask_the_same_port(path: str, code: int, text: str) -> None:
    port = free_port()
    async with serve_probes(port, Metrics()), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}")
    assert answer.status_code == code
    assert text in answer.text

"""The metrics endpoint: samples over HTTP, in Prometheus's text format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.runtime.metrics import MAX_NAMED, Metrics
from nemo_eval_operator.runtime.probes import Health, serve_probes
from nemo_eval_operator.workqueue import WorkQueue
from testbed.processes import free_port

COUNTER = "nemo_eval_operator_orphaned_total"
NAMED = "nemo_eval_operator_orphaned_timestamp_seconds"


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
    metrics = Metrics(object_names=True)
    metrics.orphaned("job", namespace="team-a", name="qa-llama", remote="eval-1")
    metrics.orphaned("config", namespace="team-a", name="qa", remote="team-a/qa")
    metrics.orphaned("job", namespace="team-b", name="other", remote="")

    assert samples(metrics, COUNTER) == [({"kind": "job"}, 2.0), ({"kind": "config"}, 1.0)]
    assert [labels for labels, _ in samples(metrics, NAMED)] == [
        {"kind": "job", "namespace": "team-a", "name": "qa-llama", "remote": "eval-1"},
        {"kind": "config", "namespace": "team-a", "name": "qa", "remote": "team-a/qa"},
        {"kind": "job", "namespace": "team-b", "name": "other", "remote": ""},
    ]


def test_metrics_of_earlier_versions_keep_their_names_for_a_release() -> None:
    metrics = Metrics()
    metrics.show_slots(taken=lambda: 2.0, waiting=lambda: 1.0)
    metrics.orphaned("job", namespace="team-a", name="qa", remote="eval-1")
    metrics.poll_cycle()
    metrics.status_propagated(0.2)
    old_and_new = {
        "left_behind_total": "orphaned_total",
        "poll_sweeps_total": "poll_cycles_total",
        "news_lag_seconds_bucket": "status_propagation_seconds_bucket",
        "evaluator_places_taken": "evaluator_slots_taken",
        "evaluator_places_waiting": "evaluator_slots_waiting",
    }

    for old, new in old_and_new.items():
        shown = samples(metrics, f"nemo_eval_operator_{old}")
        assert shown
        assert shown == samples(metrics, f"nemo_eval_operator_{new}")


def test_however_many_are_left_only_the_last_are_named() -> None:
    metrics = Metrics(object_names=True)
    for number in range(MAX_NAMED + 10):
        metrics.orphaned("job", namespace="team-a", name=f"qa-{number}", remote="eval-1")

    named = [labels["name"] for labels, _ in samples(metrics, NAMED)]
    assert named == [f"qa-{number}" for number in range(10, MAX_NAMED + 10)]
    assert samples(metrics, COUNTER)[0] == ({"kind": "job"}, MAX_NAMED + 10.0)


@pytest.mark.parametrize(
    ("path", "code", "text"), [("/healthz", 200, "overdue"), ("/metrics", 200, COUNTER), ("/", 404, "")]
)
async def test_kubelet_and_prometheus_ask_the_same_port(path: str, code: int, text: str) -> None:
    port = free_port()
    async with serve_probes(port, Health(), Metrics()), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}")
    assert answer.status_code == code
    assert text in answer.text


def test_jobs_are_counted_by_the_phase_in_which_they_were_seen_last() -> None:
    metrics = Metrics()
    for uid, phase in (("a", "Running"), ("b", "Running"), ("c", "Pending"), ("a", "Succeeded"), ("c", None)):
        metrics.job_seen(uid, phase)
    metrics.job_seen("never seen", None)

    assert samples(metrics, "nemo_eval_operator_jobs") == [
        ({"phase": "Pending"}, 0.0),
        ({"phase": "Running"}, 1.0),
        ({"phase": "Succeeded"}, 1.0),
    ]


async def test_the_queue_is_asked_whenever_prometheus_asks() -> None:
    metrics, queue = Metrics(), WorkQueue()
    metrics.show_queue(depth=queue.depth, oldest_wait=queue.oldest_wait)
    assert samples(metrics, "nemo_eval_operator_queue_depth") == [({}, 0.0)]
    assert samples(metrics, "nemo_eval_operator_queue_oldest_wait_seconds") == [({}, 0.0)]

    queue.add(ObjectKey("nemoevaljobs", "team-a", "one"))
    queue.add(ObjectKey("nemoevaljobs", "team-a", "two"))
    assert samples(metrics, "nemo_eval_operator_queue_depth") == [({}, 2.0)]
    [(_, waited)] = samples(metrics, "nemo_eval_operator_queue_oldest_wait_seconds")
    assert waited > 0


@pytest.mark.parametrize(
    ("call", "route"),
    [
        (lambda client: client.check(), "/v1/evaluation/jobs"),
        (lambda client: client.cancel_job("eval-1"), "/v1/evaluation/jobs/{id}/cancel"),
        (lambda client: client.delete_job("../.."), "/v1/evaluation/jobs/{id}"),
        (lambda client: client.delete_config("team-a", "qa"), "/v1/evaluation/configs/{namespace}/{name}"),
    ],
)
async def test_calls_are_labelled_by_route_and_not_by_name(
    call: Callable[[EvaluatorClient], Awaitable[None]], route: str
) -> None:
    metrics = Metrics()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": []}))
    http = httpx.AsyncClient(base_url="http://evaluator.test", transport=transport)
    await call(EvaluatorClient(http, on_call=metrics.poll_call))

    [(labels, count)] = samples(metrics, "nemo_eval_operator_evaluator_request_seconds_count")
    assert (labels["route"], labels["code"], count) == (route, "2xx", 1.0)
    assert samples(metrics, "nemo_eval_operator_poll_requests_total") == [({}, 1.0)]


async def test_nothing_from_outside_adds_a_series_without_bound() -> None:
    """A server may answer with any code, and a client that may write a status can set any phase."""
    metrics = Metrics(object_names=True)
    answer = httpx.Response(200)
    transport = httpx.MockTransport(lambda _: answer)
    client = EvaluatorClient(
        httpx.AsyncClient(base_url="http://evaluator.test", transport=transport),
        on_call=metrics.evaluator_call,
    )
    for code in range(200, 1_000):
        answer = httpx.Response(code, json={"data": []})
        with suppress(EvaluatorError):
            await client.check()
    calls = samples(metrics, "nemo_eval_operator_evaluator_request_seconds_count")
    assert [(labels["code"], count) for labels, count in calls] == [
        ("2xx", 100.0),
        ("3xx", 100.0),
        ("4xx", 100.0),
        ("5xx", 100.0),
        ("other", 400.0),
    ]

    for number in range(1_000):
        metrics.job_seen(f"uid-{number}", f"phase {number}")
    metrics.job_seen("uid-1", "Running")
    assert samples(metrics, "nemo_eval_operator_jobs") == [
        ({"phase": "Running"}, 1.0),
        ({"phase": "other"}, 999.0),
    ]

    metrics.orphaned("job", namespace="team-a", name="qa", remote="eval-1\n" + "x" * 100_000)
    [(labels, _)] = samples(metrics, NAMED)
    assert labels["remote"] == ("eval-1 " + "x" * 1_000)[:256]


def test_no_name_of_an_object_is_shown_unless_the_administrator_wants_that() -> None:
    metrics = Metrics()
    metrics.orphaned("job", namespace="team-canary", name="job-canary", remote="remote-canary")
    shown = metrics.exposition().decode()
    assert 'orphaned_total{kind="job"} 1.0' in shown
    assert "canary" not in shown

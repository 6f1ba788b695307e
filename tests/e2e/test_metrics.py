"""What Prometheus reads of an operator that has worked."""

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from testbed.cluster import Cluster
from tests.e2e.replicas import Replica, Replicas
from tests.e2e.scenario import Scenario, data_benchmark, data_job, eventually


def figures(replica: Replica) -> dict[str, float]:
    """Values by metric name without the common prefix; those of all labels together."""
    text = httpx.get(replica.health_url.replace("healthz", "metrics"), timeout=5).text
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("nemo_eval_operator_")
            sums[name] = sums.get(name, 0) + sample.value
    return sums


def test_the_work_of_three_jobs_is_counted(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    with Replicas(scenario, tmp_path) as replicas:
        operator = replicas.start("one", {})
        scenario.apply(data_benchmark(), *map(data_job, ("first", "second", "third")))
        for name in ("first", "second", "third"):
            scenario.until_phase(name, "Succeeded")
        eventually(lambda: figures(operator)["status_propagation_seconds_count"] >= 3, "the news were told")
        told = figures(operator)

        assert told["jobs"] == 3
        assert told["submissions_total"] == told["submission_lag_seconds_count"] == 3
        assert told["evaluator_request_seconds_count"] == len(operator.sent)
        assert 0 < told["poll_cycles_total"] <= told["poll_requests_total"] < len(operator.sent)
        assert told["status_writes_total"] >= 3 * 3
        assert told["event_loop_lag_seconds_count"] > 0
        assert told["queue_depth"] == told["adoptions_total"] == told["duplicates_cancelled_total"] == 0

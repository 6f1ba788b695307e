"""What Prometheus reads of an operator that has worked."""

from pathlib import Path
from typing import Any

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
        eventually(
            lambda: figures(operator)["status_propagation_seconds_count"] >= 3, "the changes were reported"
        )
        found = figures(operator)

        assert found["jobs"] == 3
        assert found["submissions_total"] == found["submission_lag_seconds_count"] == 3
        assert found["evaluator_request_seconds_count"] == len(operator.sent)
        assert 0 < found["poll_cycles_total"] <= found["poll_requests_total"] < len(operator.sent)
        assert found["status_writes_total"] >= 3 * 3
        assert found["event_loop_lag_seconds_count"] > 0
        assert found["queue_depth"] == found["adoptions_total"] == found["duplicates_cancelled_total"] == 0


NAMES = {"NEMO_METRICS_OBJECT_NAMES": "true", "NEMO_METRICS_SCORE_SERIES": "10"}
SERIES = {
    "benchmark": "rows",
    "model": "(rows)",
    "task": "rows",
    "metric": "exact",
    "score": "string-check",
}
RIGHT, WRONG = ({"answer": "Paris", "output": output} for output in ("Paris", "Rome"))


def gated(name: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    """A job that passes if at least half of its rows are right."""
    criteria = [{"score": "rows/exact/string-check", "minimum": 0.5}]
    return data_job(name, target={"type": "rows", "rows": rows}, gate={"criteria": criteria})


def scores(replica: Replica) -> dict[str, Any]:
    """Namespace, score and verdict of the one run that is shown; empty where there is none."""
    text = httpx.get(replica.health_url.replace("healthz", "metrics"), timeout=5).text
    found: dict[str, Any] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            match sample.name:
                case "nemo_eval_score":
                    labels = dict(sample.labels)
                    namespace = labels.pop("namespace")
                    assert labels == SERIES
                    found["namespace"], found["score"] = namespace, sample.value
                case "nemo_eval_gate_passed":
                    found["verdict"] = (sample.labels["verdict"], sample.value)
                case _:
                    pass
    return found


def test_scores_are_those_of_the_latest_run_also_after_a_restart_and_a_deletion(
    cluster: Cluster, crds: None, namespace: str, evaluator_url: str, tmp_path: Path, controllers: None
) -> None:
    scenario = Scenario(cluster, namespace, evaluator_url)
    good = {"namespace": namespace, "score": 1.0, "verdict": ("Passed", 1.0)}
    bad = {"namespace": namespace, "score": 0.25, "verdict": ("Failed", 0.0)}
    with Replicas(scenario, tmp_path) as replicas:
        operator = replicas.start("one", NAMES)
        # If both complete within one second, the name decides.
        scenario.apply(data_benchmark(), gated("a-good", [RIGHT]))
        eventually(lambda: scores(operator) == good, "the first run")
        scenario.apply(gated("b-bad", [RIGHT, WRONG, WRONG, WRONG]))
        eventually(lambda: scores(operator) == bad, "the later run")

        operator.process.kill()
        operator = replicas.start("two", NAMES)
        eventually(lambda: scores(operator) == bad, "the same after a restart")
        scenario.kubectl("delete", "nejob", "b-bad", "--wait")
        eventually(lambda: scores(operator) == good, "the run before")

        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        eventually(lambda: scores(operator) == {}, "nothing of a namespace that is gone")

"""The kinds as the operator reads and writes them."""

from typing import Any

from nemo_eval_operator.resources import (
    BenchmarkDeletionPolicy,
    Condition,
    JobDeletionPolicy,
    NemoBenchmark,
    NemoEvalJob,
    Phase,
)
from tests.unit.resources.manifests import CONFIG, TARGET


def job(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "evaluator.nemo.dev/v1alpha1",
        "kind": "NemoEvalJob",
        "metadata": {"name": "qa-llama", "namespace": "team-a", "uid": "u", "generation": 1},
        "spec": spec,
    }


def test_job_defaults_are_those_of_its_descriptions() -> None:
    spec = NemoEvalJob.model_validate(job(benchmarkRef={"name": "qa"}, model="m")).spec
    assert (spec.suspend, spec.cancel, spec.cancel_timeout_seconds) == (False, False, 60)
    assert spec.deletion_policy is JobDeletionPolicy.CANCEL
    assert spec.active_deadline_seconds is spec.ttl_seconds_after_finished is None
    assert spec.values_from == []


def test_benchmark_defaults() -> None:
    benchmark = NemoBenchmark.model_validate(
        {"metadata": {"name": "qa"}, "spec": {"config": {"type": "gsm8k"}}}
    )
    assert benchmark.spec.deletion_policy is BenchmarkDeletionPolicy.DELETE
    assert benchmark.status.observed_generation is None


def test_nemo_keeps_its_snake_case_within_a_manifest() -> None:
    spec = {"config": CONFIG, "target": TARGET, "samplingParams": {"max_tokens": 100, "top_p": 1}}
    read = NemoEvalJob.model_validate(job(**spec)).spec
    parts = {"config": read.config, "target": read.target, "samplingParams": read.sampling_params}
    assert {name: part and part.to_request() for name, part in parts.items()} == spec


def test_status_is_written_back_as_it_was_read() -> None:
    status = {
        "observedGeneration": 2,
        "phase": "Running",
        "jobId": "eval-1",
        "attempt": 1,
        "submission": {"nonce": "n", "time": "2026-01-02T03:04:05.000006Z"},
        "progress": {"percent": 40, "samplesProcessed": 8},
        "startTime": "2026-01-02T03:04:06Z",
        "scores": [{"task": "qa", "metric": "bleu", "score": "corpus", "value": 41.5, "nanCount": 0}],
        "resultsRef": {"configMap": "qa-results", "key": "results.json", "truncated": False},
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Running",
                "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "observedGeneration": 2,
            }
        ],
    }
    read = NemoEvalJob.model_validate(job(benchmarkRef={"name": "qa"}, model="m") | {"status": status}).status
    assert read.phase is Phase.RUNNING
    assert read.to_manifest() == status


def test_fields_of_a_newer_crd_do_not_stop_an_older_operator() -> None:
    newer = job(benchmarkRef={"name": "qa"}, model="m", priority=5) | {"status": {"mood": "good"}}
    assert NemoEvalJob.model_validate(newer).spec.model == "m"


def test_condition_by_python_names() -> None:
    condition = Condition(
        type="Ready",
        status="True",
        reason="Complete",
        message="",
        last_transition_time="2026-01-02T03:04:05Z",
    )
    assert condition.to_manifest()["lastTransitionTime"] == "2026-01-02T03:04:05Z"

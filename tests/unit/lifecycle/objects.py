"""Objects as the API server hands them over, from manifests; and what the evaluator says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nemo_eval_operator.evaluator.model import RemoteConfig, RemoteJob, Results
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.job import (
    Admitted,
    Facts,
    LookUp,
    NothingNew,
    ResolvedEvaluator,
    RunScores,
    Stored,
)
from nemo_eval_operator.resources import Condition, EvaluatorUsed, NemoBenchmark, NemoEvalJob

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=45)

UID = "6f1c0d3a-0000-4000-8000-000000000001"

Manifest = dict[str, Any]

HELD: Manifest = {"finalizers": [FINALIZER]}
"""metadata of an object that carries our finalizer."""

USED = EvaluatorUsed(url="http://evaluator.test")
"""The evaluator of an object about which a test says nothing else."""

CLAIMED: Manifest = HELD | {
    "annotations": {"evaluator.nemo.dev/claimed-by-uid": UID, "evaluator.nemo.dev/claimed-for": USED.url},
}
"""metadata of an object that was also claimed for that evaluator."""

GONE = "the evaluator is gone"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def condition(kind: str, status: str, reason: str, *, since: datetime = NOW, generation: int = 1) -> Manifest:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "as before",
        "lastTransitionTime": stamp(since),
        "observedGeneration": generation,
    }


def working(reason: str, *, since: datetime = NOW) -> list[Manifest]:
    return [
        condition("Ready", "False", reason, since=since),
        condition("Reconciling", "True", reason, since=since),
    ]


def evaljob(
    *,
    meta: Manifest | None = None,
    status: Manifest | None = None,
    **spec: Any,
) -> NemoEvalJob:
    """`spec` in a manifest's own words; a model and a benchmark where it names none."""
    if "config" not in spec:
        spec.setdefault("benchmarkRef", {"name": "qa"})
    if "target" not in spec:
        spec.setdefault("model", "meta/llama-3.1-8b-instruct")
    return NemoEvalJob.model_validate(
        {
            "apiVersion": "evaluator.nemo.dev/v1alpha1",
            "kind": "NemoEvalJob",
            "metadata": {"name": "qa-llama", "namespace": "team-a", "uid": UID, "generation": 1}
            | (meta or {}),
            "spec": spec,
            "status": {} if status is None else status,
        }
    )


def benchmark(
    *,
    meta: Manifest | None = None,
    status: Manifest | None = None,
    config: Manifest | None = None,
    **spec: Any,
) -> NemoBenchmark:
    return NemoBenchmark.model_validate(
        {
            "apiVersion": "evaluator.nemo.dev/v1alpha1",
            "kind": "NemoBenchmark",
            "metadata": {"name": "qa", "namespace": "team-a", "uid": UID, "generation": 1} | (meta or {}),
            "spec": {"config": config or {"type": "gsm8k"}} | spec,
            "status": {} if status is None else status,
        }
    )


def intent(seconds_ago: float = 0.0, **status: Any) -> Manifest:
    """Status after a POST that may have happened."""
    return {
        "observedGeneration": 1,
        "phase": "Submitting",
        "attempt": 1,
        "submission": {"nonce": "n-1", "time": micro(ago(seconds_ago))},
        "conditions": working("Submitting", since=ago(seconds_ago)),
    } | status


def followed(**status: Any) -> Manifest:
    """Status of a run whose remote job is known; started 100 s ago."""
    return (
        intent(100)
        | {
            "phase": "Running",
            "model": "meta/llama-3.1-8b-instruct",
            "message": "the evaluator runs it as eval-1",
            "jobId": "eval-1",
            "startTime": stamp(ago(100)),
            "conditions": [
                entry | {"message": "the evaluator runs it as eval-1"}
                for entry in working("Running", since=ago(100))
            ],
        }
        | status
    )


def finished(seconds_ago: float = 0.0, **status: Any) -> Manifest:
    since = ago(seconds_ago)
    done = [
        condition("Ready", "True", "Completed", since=since),
        condition("Complete", "True", "Completed", since=since),
    ]
    return followed(phase="Succeeded", completionTime=stamp(since), conditions=done) | status


def remote(status: str = "running", job_id: str = "eval-1", **fields: Any) -> RemoteJob:
    return RemoteJob.model_validate({"id": job_id, "status": status} | fields)


def remote_config(**document: Any) -> RemoteConfig:
    return RemoteConfig.model_validate(document | {"document": document})


def facts(**known: Any) -> Facts:
    """Where a test says nothing else, the job brings its own config, the evaluator can be reached and has a
    slot for it, and nothing new was reported of the remote job. What only a search or the results show is
    not known.
    """
    evaluator, outage = known.pop("evaluator", USED), known.pop("outage", None)
    if isinstance(evaluator, EvaluatorUsed):
        evaluator = ResolvedEvaluator(evaluator, outage=outage)
    given: dict[str, Any] = {
        "now": NOW,
        "settle": SETTLE,
        "benchmark": None,
        "evaluator": evaluator,
        "remote": NothingNew(),
        "slot_decision": Admitted(),
    }
    return Facts(**given | known)


def lookup(*found: RemoteJob, begun: datetime = NOW) -> LookUp:
    return LookUp(begun=begun, found=found)


def results(**document: Any) -> Results:
    whole = {"job": "eval-1"} | document
    return Results.model_validate(whole | {"document": whole})


EM = {"qa": {"metrics": {"em": {"scores": {"em": {"value": 0.5, "stats": {"count": 20}}}}}}}


def stored(*, truncated: bool = False, **document: Any) -> Stored:
    return Stored(
        scores=RunScores.of(results(**(document or {"tasks": EM}))),
        config_map="qa-llama-results",
        key="results.json",
        url="http://evaluator.test/v1/evaluation/jobs/eval-1/results",
        truncated=truncated,
    )


def condition_statuses(conditions: list[Condition]) -> dict[str, str]:
    """Conditions as `kubectl wait` sees them: status by type."""
    return {entry.type: entry.status for entry in conditions}


WORKING = {"Ready": "False", "Reconciling": "True"}
READY = {"Ready": "True"}
STALLED = {"Ready": "False", "Stalled": "True"}
COMPLETE = {"Ready": "True", "Complete": "True"}
FAILED = {"Ready": "False", "Stalled": "True", "Failed": "True"}
SUSPENDED = {"Suspended": "True"}
"""The table of docs on conditions: what kubectl, Flux and Argo CD draw their conclusions from."""

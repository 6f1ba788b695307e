"""A NemoBenchmark and its config as the evaluator may have it: its own, drifted, or another owner's."""

from __future__ import annotations

from typing import Any

from nemo_eval_operator.evaluator.model import RemoteConfig
from nemo_eval_operator.lifecycle.benchmark import BenchmarkFacts
from nemo_eval_operator.lifecycle.requests import config_body
from nemo_eval_operator.lifecycle.requests.drift import digest_of
from nemo_eval_operator.lifecycle.steps import WriteStatus
from nemo_eval_operator.resources import NemoBenchmark
from tests.unit.lifecycle.objects import (
    HELD,
    NOW,
    UID,
    ago,
    benchmark,
    condition,
    condition_statuses,
    remote_config,
)

WANTED = {"type": "gsm8k", "params": {"limit_samples": 10}}


def ready(generation: int = 1) -> dict[str, Any]:
    """Return the status of a benchmark whose config is in the evaluator."""
    return {
        "observedGeneration": generation,
        "config": "team-a/qa",
        "configId": "eval-config-1",
        "configGeneration": generation,
        "configDigest": digest_of(config_body(benchmark(config=WANTED), {}), ours().document),
        "message": "stored in the evaluator as config team-a/qa",
        "conditions": [
            condition("Ready", "True", "ConfigReady", since=ago(100), generation=generation)
            | {"message": "stored in the evaluator as config team-a/qa"}
        ],
    }


def known(thing: NemoBenchmark, **scenario: Any) -> BenchmarkFacts:
    """Return facts about a benchmark, with `scenario` in place of the defaults."""
    given: dict[str, Any] = {"now": NOW, "desired": config_body(thing, {}), "resync_seconds": 300.0}
    return BenchmarkFacts(**given | scenario)


def ours(**document: Any) -> RemoteConfig:
    """Return the config as the evaluator has it, marked as the benchmark's own."""
    marked: dict[str, Any] = {
        "id": "eval-config-1",
        "name": "qa",
        "namespace": "team-a",
        "custom_fields": {"k8s-uid": UID, "k8s-namespace": "team-a", "k8s-name": "qa"},
    }
    return remote_config(**(marked | WANTED | document))


EARLIER = ours(custom_fields={"k8s-uid": "another", "k8s-namespace": "team-a", "team": "search"})
FOREIGN = ours(custom_fields={"k8s-uid": "another", "k8s-namespace": "team-b", "k8s-name": "theirs"})
UNMARKED = ours(custom_fields={})
DRIFTED = ours(params={"limit_samples": 20})
LEFTOVER = ours(params={"limit_samples": 10, "parallelism": 4})


def bench(*, meta: dict[str, Any] | None = None, **parts: Any) -> NemoBenchmark:
    """Return a benchmark that has the finalizer and wants WANTED."""
    return benchmark(meta=HELD | (meta or {}), config=WANTED, **parts)


def outcome(step: object) -> tuple[dict[str, str], str]:
    """Return conditions and reason of the status that the step writes."""
    assert isinstance(step, WriteStatus), step
    return condition_statuses(step.status.conditions), step.status.conditions[0].reason

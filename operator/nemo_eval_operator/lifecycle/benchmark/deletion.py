"""Decisions about a deleted NemoBenchmark: when its config is removed, and how long that may take."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.evaluator.model import RemoteConfig
from nemo_eval_operator.lifecycle import FINALIZER
from nemo_eval_operator.lifecycle.steps import DeleteConfig, ObserveConfig, RemoveFinalizer, RequeueAfter
from nemo_eval_operator.resources import BenchmarkDeletionPolicy, NemoBenchmark

from . import status as benchmark_status
from .facts import BenchmarkFacts, BenchmarkStep, ConfigGone, write_if_changed
from .remote_config import has_config
from .status import used_by

__all__ = ["RELEASE_PATIENCE", "decide_deletion", "release_benchmark_seconds"]

RELEASE_PATIENCE: Final = timedelta(seconds=60)
"""How long a deleted benchmark waits for its config to be removed; a namespace's deletion waits with it."""

RELEASE_RECHECK_SECONDS: Final = 2.0
"""A deleted benchmark's config may be in use for a moment longer."""


def decide_deletion(benchmark: NemoBenchmark, since: datetime, facts: BenchmarkFacts) -> BenchmarkStep:
    """Return the next step for a benchmark that was deleted at `since`: release its config, then itself."""
    if FINALIZER not in benchmark.metadata.finalizers:
        return RequeueAfter()
    if benchmark.spec.deletion_policy is BenchmarkDeletionPolicy.ORPHAN:
        return RemoveFinalizer()
    left = (since + RELEASE_PATIENCE - facts.now).total_seconds()
    name = f"{facts.desired['namespace']}/{facts.desired['name']}"
    if left <= 0 and facts.users:
        return RemoveFinalizer(left_behind=f"config {name}, still used by {used_by(facts.users)}")
    if left <= 0 and facts.failed:
        return RemoveFinalizer(
            left_behind=f"config {name}, not deleted within {duration_text(RELEASE_PATIENCE)}"
        )
    if facts.users:
        status = benchmark_status.in_use(benchmark, facts.now, facts.users, until=since + RELEASE_PATIENCE)
        return write_if_changed(benchmark, status, rest=min(RELEASE_RECHECK_SECONDS, left))
    if facts.failed:
        return RequeueAfter(min(RELEASE_RECHECK_SECONDS, left))
    match facts.remote:
        case None:
            return ObserveConfig()
        case RemoteConfig() if has_config(benchmark, facts):
            return DeleteConfig()
        case ConfigGone() | RemoteConfig():
            return RemoveFinalizer(left_behind=_perhaps_at_former_url(benchmark, facts))


def _perhaps_at_former_url(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> str | None:
    """The config that was to be deleted, but is not at the URL that NVIDIA_EVALUATOR_URL has now."""
    config, kept, now = benchmark.status.config, benchmark.status.evaluator, facts.evaluator
    if facts.deleted or config is None or kept is None or now is None or kept == now:
        return None
    return (
        f"config {config}, unless it was deleted before: kept at {kept.url}, but "
        f"NVIDIA_EVALUATOR_URL of the operator is now {now.url}, which does not have it"
    )


def release_benchmark_seconds(benchmark: NemoBenchmark, now: datetime) -> float | None:
    """Return how long a deleted benchmark still waits for the evaluator; None if it is not deleted."""
    if benchmark.metadata.deletion_timestamp is None:
        return None
    return max(0.0, (benchmark.metadata.deletion_timestamp + RELEASE_PATIENCE - now).total_seconds())

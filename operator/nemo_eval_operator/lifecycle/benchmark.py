"""What to do next for a NemoBenchmark: a pure function of the object, its remote config and the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.evaluator import RemoteConfig
from nemo_eval_operator.nemo import JsonObject
from nemo_eval_operator.resources import (
    BenchmarkDeletionPolicy,
    BenchmarkStatus,
    NemoBenchmark,
    SecretVersion,
)

from . import benchmark_status
from .drift import drifted_paths, leftover_paths
from .marks import FINALIZER, carries_object, may_take_over
from .steps import (
    AddFinalizer,
    CreateConfig,
    DeleteConfig,
    ObserveConfig,
    Record,
    RemoveFinalizer,
    ReplaceConfig,
    Rest,
    UpdateConfig,
)

__all__ = ["BenchmarkFacts", "BenchmarkStep", "ConfigGone", "decide", "has_new_secrets", "was_ready"]

RELEASE_PATIENCE: Final = timedelta(seconds=60)
"""How long a deleted benchmark waits for its config to be removed; a namespace's deletion waits with it."""

RELEASE_RECHECK_SECONDS: Final = 2.0
"""A deleted benchmark's config may be in use for a moment longer."""

BenchmarkStep = (
    Rest
    | Record[BenchmarkStatus]
    | AddFinalizer
    | RemoveFinalizer
    | ObserveConfig
    | CreateConfig
    | UpdateConfig
    | ReplaceConfig
    | DeleteConfig
)


class ConfigGone:
    """The evaluator has no config of the benchmark's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkFacts:
    """What the world says besides the object. `remote` None: not asked yet.

    `updated` and `replaced`: this spec was sent so, and `remote` is what came of it.
    `failed`: the last call to the evaluator did. `secrets`: whose values are in `desired`.
    """

    now: datetime
    desired: JsonObject
    resync_seconds: float
    secrets: list[SecretVersion] = field(default_factory=list)
    remote: RemoteConfig | ConfigGone | None = None
    updated: bool = False
    replaced: bool = False
    failed: bool = False


def decide(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> BenchmarkStep:
    """The next step for `benchmark`; Rest where its config is as it should be."""
    if benchmark.metadata.deletion_timestamp is not None:
        return _deleted(benchmark, benchmark.metadata.deletion_timestamp, facts)
    if FINALIZER not in benchmark.metadata.finalizers:
        return AddFinalizer()
    match facts.remote:
        case None:
            return ObserveConfig()
        case ConfigGone():
            return CreateConfig()
        case RemoteConfig() as remote if not carries_object(remote.custom_fields, benchmark.metadata):
            if may_take_over(benchmark.metadata) and not facts.replaced:
                return ReplaceConfig() if facts.updated else UpdateConfig()
            return _record(benchmark, benchmark_status.taken(benchmark, facts.now, remote), facts)
        case RemoteConfig() as remote:
            return _present(benchmark, remote, facts)


def _present(benchmark: NemoBenchmark, remote: RemoteConfig, facts: BenchmarkFacts) -> BenchmarkStep:
    """Our config exists. New Secrets are always sent, since the answer does not show what it holds."""
    drift = list(drifted_paths(facts.desired, remote.document))
    new_spec = benchmark.status.config_generation != benchmark.metadata.generation
    new_secrets = has_new_secrets(benchmark, facts.secrets)
    if not facts.updated and not facts.replaced and (drift or new_spec or new_secrets):
        return UpdateConfig()
    if drift and new_spec and not facts.replaced:
        return ReplaceConfig()
    # What still differs is the server's own way of keeping it: its defaults, or what it does not let go.
    kept = leftover_paths(facts.desired, remote.document)
    differences = [*drift, *(".".join(path) for path in kept)]
    status = benchmark_status.ready(benchmark, facts.now, remote, differences, facts.secrets)
    return _record(benchmark, status, facts)


def has_new_secrets(benchmark: NemoBenchmark, secrets: Sequence[SecretVersion]) -> bool:
    """Whether the evaluator was given values of other versions of the benchmark's Secrets."""
    return list(secrets) != (benchmark.status.secrets or [])


def was_ready(benchmark: NemoBenchmark) -> bool:
    """Whether the evaluator has had this very generation of the spec."""
    generation = benchmark.metadata.generation
    return any(
        condition.type == "Ready"
        and condition.status == "True"
        and condition.observed_generation == generation
        for condition in benchmark.status.conditions
    )


def _deleted(benchmark: NemoBenchmark, since: datetime, facts: BenchmarkFacts) -> BenchmarkStep:
    if FINALIZER not in benchmark.metadata.finalizers:
        return Rest()
    if benchmark.spec.deletion_policy is BenchmarkDeletionPolicy.ORPHAN:
        return RemoveFinalizer()
    if facts.failed:
        if facts.now < since + RELEASE_PATIENCE:
            return Rest(RELEASE_RECHECK_SECONDS)
        name = f"{facts.desired['namespace']}/{facts.desired['name']}"
        return RemoveFinalizer(left_behind=f"config {name}, not deleted within {RELEASE_PATIENCE}")
    match facts.remote:
        case None:
            return ObserveConfig()
        case ConfigGone():
            return RemoveFinalizer()
        case RemoteConfig() as remote:
            ours = carries_object(remote.custom_fields, benchmark.metadata)
            return DeleteConfig() if ours else RemoveFinalizer()


def _record(benchmark: NemoBenchmark, status: BenchmarkStatus, facts: BenchmarkFacts) -> BenchmarkStep:
    return Record(status) if status != benchmark.status else Rest(facts.resync_seconds)

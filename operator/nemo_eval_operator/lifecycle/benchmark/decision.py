"""What to do next for a NemoBenchmark: a pure function of the object, its remote config and the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.evaluator.model import MASK, RemoteConfig, readable
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import FINALIZER, Ownership, may_take_over, owner_named, ownership_of
from nemo_eval_operator.lifecycle.job import BenchmarkUnusable
from nemo_eval_operator.lifecycle.requests import (
    Datasets,
    Tenancy,
    carries_config,
    check_name,
    check_values,
    config_body,
    config_name,
    digest_of,
    drifted_paths,
    keeps_secret,
    leftover_paths,
    with_rows,
)
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    CreateConfig,
    DeleteConfig,
    ObserveConfig,
    RemoveFinalizer,
    ReplaceConfig,
    RequeueAfter,
    UpdateConfig,
    WriteStatus,
)
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    BenchmarkDeletionPolicy,
    BenchmarkStatus,
    ConfigMapVersion,
    EvaluatorUsed,
    NemoBenchmark,
    NemoEvalJob,
    ObjectMeta,
    SecretVersion,
)

from . import status as benchmark_status
from .status import MAX_DIFFERENCES, used_by

__all__ = [
    "BenchmarkFacts",
    "BenchmarkStep",
    "ConfigGone",
    "check_config",
    "config_trouble",
    "decide_benchmark",
    "has_new_config_maps",
    "has_new_secrets",
    "is_same_spec",
    "is_used_by",
    "release_benchmark_seconds",
    "was_ready",
    "was_reconciled",
]

RELEASE_PATIENCE: Final = timedelta(seconds=60)
"""How long a deleted benchmark waits for its config to be removed; a namespace's deletion waits with it."""

RELEASE_RECHECK_SECONDS: Final = 2.0
"""A deleted benchmark's config may be in use for a moment longer."""

MAX_PATH_CHARACTERS: Final = 256
"""Shown of a path in the evaluator's answer."""

BenchmarkStep = (
    RequeueAfter
    | WriteStatus[BenchmarkStatus]
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
    `datasets`: the rows that are in `desired`, and `config_maps` the versions of where they were read.
    `users`: jobs that run with the config, by name; counted for a deletion only.
    `evaluator`: the one that is asked. `tenancy`: the administrator's rules. `hide` masks credentials in a
    text of the evaluator.
    """

    now: datetime
    desired: JsonObject
    resync_seconds: float
    secrets: list[SecretVersion] = field(default_factory=list)
    datasets: Datasets = field(default_factory=dict)
    config_maps: list[ConfigMapVersion] = field(default_factory=list)
    remote: RemoteConfig | ConfigGone | None = None
    updated: bool = False
    replaced: bool = False
    failed: bool = False
    users: tuple[str, ...] = ()
    evaluator: EvaluatorUsed | None = None
    tenancy: Tenancy = field(default_factory=Tenancy)
    hide: Callable[[str], str] = str


def decide_benchmark(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> BenchmarkStep:
    """The next step for `benchmark`; Rest where its config is as it should be."""
    if benchmark.metadata.deletion_timestamp is not None:
        return _deleted(benchmark, benchmark.metadata.deletion_timestamp, facts)
    step = _reconciled(benchmark, facts)
    # Not before: the deletion of an object that never had a config in the evaluator has nothing to wait for.
    may_leave_config = isinstance(step, CreateConfig | UpdateConfig | ReplaceConfig) or _has_config(
        benchmark, facts
    )
    if may_leave_config and FINALIZER not in benchmark.metadata.finalizers:
        return AddFinalizer()
    return step


def _has_config(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> bool:
    """Return whether the benchmark has a config in the evaluator: as observed, else as status says."""
    match facts.remote:
        case None:
            return benchmark.status.config is not None
        case ConfigGone():
            return False
        case RemoteConfig() as remote:
            return _owner(benchmark, remote, facts.tenancy) is Ownership.OWN


def _reconciled(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> BenchmarkStep:
    """The next step for a benchmark that is not deleted, with or without the finalizer."""
    match facts.remote:
        case None:
            return ObserveConfig()
        case ConfigGone():
            return CreateConfig()
        case RemoteConfig() as remote if _owner(benchmark, remote, facts.tenancy) is Ownership.OWN:
            return _present(benchmark, remote, facts)
        case RemoteConfig() as remote:
            return _not_own(benchmark, remote, facts)


def _owner(benchmark: NemoBenchmark, remote: RemoteConfig, tenancy: Tenancy) -> Ownership:
    return ownership_of(remote.custom_fields, benchmark.metadata, cluster=tenancy.cluster)


def _not_own(benchmark: NemoBenchmark, remote: RemoteConfig, facts: BenchmarkFacts) -> BenchmarkStep:
    """The name is taken. The annotation is the tenant's own consent: it does not cover what is another's."""
    foreign = _owner(benchmark, remote, facts.tenancy) is Ownership.FOREIGN
    allowed = facts.tenancy.adopt_foreign or not foreign
    if may_take_over(benchmark.metadata) and allowed and not facts.replaced:
        return ReplaceConfig() if facts.updated else UpdateConfig()
    owner = None if allowed else facts.hide(owner_named(remote.custom_fields))
    status = benchmark_status.taken(benchmark, facts.now, owner=owner)
    return _record(benchmark, status, rest=facts.resync_seconds)


def _present(benchmark: NemoBenchmark, remote: RemoteConfig, facts: BenchmarkFacts) -> BenchmarkStep:
    """Our config exists. New Secrets are always sent, since the answer does not show what it holds."""
    drift = list(drifted_paths(facts.desired, remote.document))
    digest = _digest(with_rows(benchmark, facts.datasets), remote, facts.tenancy)
    altered = benchmark.status.config_digest not in {None, digest}
    new_place = benchmark.status.evaluator not in {None, facts.evaluator}
    new_spec = benchmark.status.config_generation != benchmark.metadata.generation or new_place
    new_secrets = has_new_secrets(benchmark, facts.secrets)
    if not facts.updated and not facts.replaced and (drift or altered or new_spec or new_secrets):
        return UpdateConfig()
    spoilt = (drift and new_spec) or (facts.updated and keeps_secret(facts.desired, remote.document))
    if spoilt and not facts.replaced:
        return ReplaceConfig()
    # What still differs is the server's own way of keeping it: its defaults, or what it does not let go.
    kept = leftover_paths(facts.desired, remote.document)
    # The server's own keys are among them: text from outside.
    paths = [*drift, *(".".join(path) for path in kept)][: MAX_DIFFERENCES + 1]
    differences = [readable(facts.hide(path), MAX_PATH_CHARACTERS) for path in paths]
    status = benchmark_status.ready(benchmark, facts.now, remote, differences, facts.secrets)
    status = status.model_copy(
        update={
            "evaluator": facts.evaluator,
            "config_digest": digest,
            "config_maps": facts.config_maps or None,
        }
    )
    return _record(benchmark, status, rest=facts.resync_seconds)


def _digest(benchmark: NemoBenchmark, remote: RemoteConfig, tenancy: Tenancy) -> str:
    masked = {source.target_path: MASK for source in benchmark.spec.values_from}
    return digest_of(config_body(benchmark, masked, cluster=tenancy.cluster), remote.document)


def check_config(benchmark: NemoBenchmark, desired: JsonObject, tenancy: Tenancy) -> None:
    """Raise UnusableSpec where the spec names what it may not name, or sends what must not be sent."""
    config = benchmark.spec.config
    tenancy.check_namespace(benchmark.metadata.namespace, config.namespace)
    check_name("spec.config.namespace", config.namespace)
    check_name("spec.config.name", config.name)
    check_values(desired, "spec.config")


def config_trouble(
    benchmark: NemoBenchmark, remote: RemoteConfig | ConfigGone, tenancy: Tenancy
) -> BenchmarkUnusable | None:
    """Why a job must not refer to the config as the evaluator has it now; None where it may.

    `benchmark` has its rows in place of configMapRef.

    A config may be written by others between this look and the submission: no client can exclude that.
    """
    name = "/".join(config_name(benchmark))
    match remote:
        case ConfigGone():
            problem = f"config {name} is missing in the evaluator and is being created again"
        case RemoteConfig() if _owner(benchmark, remote, tenancy) is not Ownership.OWN:
            problem = f"config {name} in the evaluator does not have this benchmark's mark any more"
        case RemoteConfig() if _digest(benchmark, remote, tenancy) != benchmark.status.config_digest:
            problem = f"config {name} was changed in the evaluator and is being restored"
        case RemoteConfig():
            return None
    return BenchmarkUnusable(
        Reason.BENCHMARK_NOT_READY, f"NemoBenchmark {benchmark.metadata.name} is not ready: {problem}"
    )


def has_new_secrets(benchmark: NemoBenchmark, secrets: Sequence[SecretVersion]) -> bool:
    """Whether the evaluator was given values of other versions of the benchmark's Secrets."""
    return list(secrets) != (benchmark.status.secrets or [])


def has_new_config_maps(benchmark: NemoBenchmark, versions: Sequence[ConfigMapVersion]) -> bool:
    """Return whether the evaluator was given rows of other versions of the benchmark's ConfigMaps."""
    return list(versions) != (benchmark.status.config_maps or [])


def is_same_spec(benchmark: NemoBenchmark, later: NemoBenchmark) -> bool:
    """Return whether what the evaluator answered about the config of `benchmark` is about that of `later`."""

    def spec(meta: ObjectMeta) -> tuple[object, ...]:
        return meta.uid, meta.generation, meta.deletion_timestamp, may_take_over(meta)

    return spec(benchmark.metadata) == spec(later.metadata)


def was_reconciled(benchmark: NemoBenchmark) -> bool:
    """Return whether the status says anything about this generation of the spec."""
    status = benchmark.status
    return bool(status.conditions) and status.observed_generation == benchmark.metadata.generation


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
        return _record(benchmark, status, rest=min(RELEASE_RECHECK_SECONDS, left))
    if facts.failed:
        return RequeueAfter(min(RELEASE_RECHECK_SECONDS, left))
    match facts.remote:
        case None:
            return ObserveConfig()
        case ConfigGone():
            return RemoveFinalizer()
        case RemoteConfig():
            return DeleteConfig() if _has_config(benchmark, facts) else RemoveFinalizer()


def release_benchmark_seconds(benchmark: NemoBenchmark, now: datetime) -> float | None:
    """How long a deleted benchmark may still hold out for the evaluator; None for one that is not deleted."""
    if benchmark.metadata.deletion_timestamp is None:
        return None
    return max(0.0, (benchmark.metadata.deletion_timestamp + RELEASE_PATIENCE - now).total_seconds())


def is_used_by(benchmark: NemoBenchmark, job: NemoEvalJob) -> bool:
    """Whether a job that may be running refers to the benchmark's config by name."""
    ref, status = job.spec.benchmark_ref, job.status
    may_run = status.submission is not None and status.completion_time is None
    copied = carries_config(job, {source.target_path: "" for source in job.spec.values_from})
    return ref is not None and ref.name == benchmark.metadata.name and may_run and not copied


def _record(benchmark: NemoBenchmark, status: BenchmarkStatus, *, rest: float) -> BenchmarkStep:
    return WriteStatus(status) if status != benchmark.status else RequeueAfter(rest)

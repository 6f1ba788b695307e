"""What to do next for a NemoBenchmark: a pure function of the object, its remote config and the time."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.evaluator.model import RemoteConfig, readable
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import FINALIZER, Ownership, may_take_over, owner_named
from nemo_eval_operator.lifecycle.requests import (
    Tenancy,
    check_name,
    check_values,
    drifted_paths,
    keeps_secret,
    leftover_paths,
    with_rows,
)
from nemo_eval_operator.lifecycle.steps import (
    AddFinalizer,
    CreateConfig,
    ObserveConfig,
    ReplaceConfig,
    UpdateConfig,
)
from nemo_eval_operator.resources import NemoBenchmark

from . import status as benchmark_status
from .deletion import decide_deletion
from .facts import BenchmarkFacts, BenchmarkStep, ConfigGone, write_if_changed
from .recorded import has_new_secrets
from .remote_config import digest_of_config, has_config, owner_of
from .status import MAX_DIFFERENCES

__all__ = ["check_config", "decide_benchmark"]

MAX_PATH_CHARACTERS: Final = 256
"""Shown of a path in the evaluator's answer."""


def decide_benchmark(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> BenchmarkStep:
    """Return the next step for `benchmark`: RequeueAfter if its config is up to date."""
    if benchmark.metadata.deletion_timestamp is not None:
        return decide_deletion(benchmark, benchmark.metadata.deletion_timestamp, facts)
    step = _reconciled(benchmark, facts)
    # Not before: the deletion of an object that never had a config in the evaluator has nothing to wait for.
    may_leave_config = isinstance(step, CreateConfig | UpdateConfig | ReplaceConfig) or has_config(
        benchmark, facts
    )
    if may_leave_config and FINALIZER not in benchmark.metadata.finalizers:
        return AddFinalizer()
    return step


def _reconciled(benchmark: NemoBenchmark, facts: BenchmarkFacts) -> BenchmarkStep:
    """Return the next step for a benchmark that is not deleted, with or without the finalizer."""
    match facts.remote:
        case None:
            return ObserveConfig()
        case ConfigGone():
            return CreateConfig()
        case RemoteConfig() as remote if owner_of(benchmark, remote, facts.tenancy) is Ownership.OWN:
            return _present(benchmark, remote, facts)
        case RemoteConfig() as remote:
            return _not_own(benchmark, remote, facts)


def _not_own(benchmark: NemoBenchmark, remote: RemoteConfig, facts: BenchmarkFacts) -> BenchmarkStep:
    """Decide about a taken name. The annotation is the tenant's consent for configs without an owner only."""
    foreign = owner_of(benchmark, remote, facts.tenancy) is Ownership.FOREIGN
    allowed = facts.tenancy.adopt_foreign or not foreign
    if may_take_over(benchmark.metadata) and allowed and not facts.replaced:
        return ReplaceConfig() if facts.updated else UpdateConfig()
    owner = None if allowed else facts.hide(owner_named(remote.custom_fields))
    status = benchmark_status.taken(benchmark, facts.now, owner=owner)
    return write_if_changed(benchmark, status, rest=facts.resync_seconds)


def _present(benchmark: NemoBenchmark, remote: RemoteConfig, facts: BenchmarkFacts) -> BenchmarkStep:
    """Decide about the benchmark's own config. New Secrets are always sent: answers do not show them."""
    drift = list(drifted_paths(facts.desired, remote.document))
    digest = digest_of_config(with_rows(benchmark, facts.datasets), remote, facts.tenancy)
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
    return write_if_changed(benchmark, status, rest=facts.resync_seconds)


def check_config(benchmark: NemoBenchmark, desired: JsonObject, tenancy: Tenancy) -> None:
    """Raise UnusableSpec if the spec uses a name or sends a value that is not allowed."""
    config = benchmark.spec.config
    tenancy.check_namespace(benchmark.metadata.namespace, config.namespace)
    check_name("spec.config.namespace", config.namespace)
    check_name("spec.config.name", config.name)
    check_values(desired, "spec.config")

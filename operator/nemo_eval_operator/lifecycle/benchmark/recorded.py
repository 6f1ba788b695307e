"""Questions that the status of a NemoBenchmark answers: what of it was reconciled, and with which inputs."""

from __future__ import annotations

from collections.abc import Sequence

from nemo_eval_operator.lifecycle import may_take_over
from nemo_eval_operator.resources import ConfigMapVersion, NemoBenchmark, ObjectMeta, SecretVersion

__all__ = ["has_new_config_maps", "has_new_secrets", "is_same_spec", "was_ready", "was_reconciled"]


def has_new_secrets(benchmark: NemoBenchmark, secrets: Sequence[SecretVersion]) -> bool:
    """Return whether the evaluator was given values of other versions of the benchmark's Secrets."""
    return list(secrets) != (benchmark.status.secrets or [])


def has_new_config_maps(benchmark: NemoBenchmark, versions: Sequence[ConfigMapVersion]) -> bool:
    """Return whether the evaluator was given rows of other versions of the benchmark's ConfigMaps."""
    return list(versions) != (benchmark.status.config_maps or [])


def is_same_spec(benchmark: NemoBenchmark, later: NemoBenchmark) -> bool:
    """Return whether an answer about the config of `benchmark` holds for `later` as well."""

    def spec(meta: ObjectMeta) -> tuple[object, ...]:
        return meta.uid, meta.generation, meta.deletion_timestamp, may_take_over(meta)

    return spec(benchmark.metadata) == spec(later.metadata)


def was_reconciled(benchmark: NemoBenchmark) -> bool:
    """Return whether the status is about this generation of the spec."""
    status = benchmark.status
    return bool(status.conditions) and status.observed_generation == benchmark.metadata.generation


def was_ready(benchmark: NemoBenchmark) -> bool:
    """Return whether the evaluator has had this generation of the spec."""
    generation = benchmark.metadata.generation
    return any(
        condition.type == "Ready"
        and condition.status == "True"
        and condition.observed_generation == generation
        for condition in benchmark.status.conditions
    )

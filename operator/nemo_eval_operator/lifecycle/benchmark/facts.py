"""Facts that decisions about a NemoBenchmark are made of, and the steps that they choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from nemo_eval_operator.evaluator.model import RemoteConfig
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.requests import Datasets, Tenancy
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
from nemo_eval_operator.resources import (
    BenchmarkStatus,
    ConfigMapVersion,
    EvaluatorUsed,
    NemoBenchmark,
    SecretVersion,
)

__all__ = ["BenchmarkFacts", "BenchmarkStep", "ConfigGone", "write_if_changed"]

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
    """Observed facts besides the object. `remote` is None until the evaluator was asked for the config.

    `updated` and `replaced`: this spec was sent in that way, and `remote` was read afterwards.
    `deleted`: the config was deleted in this pass. `failed`: the last call to the evaluator failed.
    `secrets`: the Secrets whose values are in `desired`.
    `datasets`: the rows that are in `desired`; `config_maps`: the versions of the ConfigMaps they come from.
    `users`: names of jobs that run with the config; read for a deletion only.
    `evaluator`: the evaluator that the facts are about. `tenancy`: the administrator's rules. `hide` masks
    credentials in a text of the evaluator.
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
    deleted: bool = False
    failed: bool = False
    users: tuple[str, ...] = ()
    evaluator: EvaluatorUsed | None = None
    tenancy: Tenancy = field(default_factory=Tenancy)
    hide: Callable[[str], str] = str


def write_if_changed(benchmark: NemoBenchmark, status: BenchmarkStatus, *, rest: float) -> BenchmarkStep:
    """Return the step that writes `status`, or `rest` seconds of rest if it is written already."""
    return WriteStatus(status) if status != benchmark.status else RequeueAfter(rest)

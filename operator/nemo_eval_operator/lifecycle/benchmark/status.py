"""The status of a NemoBenchmark after each thing that can happen to it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nemo_eval_operator.clock import timestamp
from nemo_eval_operator.evaluator.model import EvaluatorError, RemoteConfig
from nemo_eval_operator.lifecycle import (
    Advice,
    ConditionSet,
    Operation,
    Outcome,
    adopt_command,
    conditions_of,
    meaning_of,
    with_advice,
)
from nemo_eval_operator.lifecycle.job import EvaluatorUnusable
from nemo_eval_operator.lifecycle.requests import config_name
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import BenchmarkStatus, NemoBenchmark, SecretVersion

__all__ = [
    "failing",
    "in_use",
    "invalid",
    "ready",
    "source_missing",
    "taken",
    "used_by",
    "without_evaluator",
]

MAX_DIFFERENCES: Final = 5
MAX_USERS_NAMED: Final = 5


def ready(
    benchmark: NemoBenchmark,
    now: datetime,
    remote: RemoteConfig,
    differences: Sequence[str],
    secrets: Sequence[SecretVersion] = (),
) -> BenchmarkStatus:
    """The evaluator has the config, with the values of `secrets`.

    `differences` are paths where it insists on something else.
    """
    name = "/".join(config_name(benchmark))
    but = f"; the server overrides {', '.join(differences[:MAX_DIFFERENCES])}" if differences else ""
    outcome = Outcome(
        ConditionSet.READY, Reason.CONFIG_READY, f"stored in the evaluator as config {name}{but}"
    )
    return _with(benchmark, now, outcome).model_copy(
        update={
            "config": name,
            "config_id": remote.id,
            "config_generation": benchmark.metadata.generation,
            "secrets": list(secrets) or None,
        }
    )


def taken(benchmark: NemoBenchmark, now: datetime, *, owner: str | None = None) -> BenchmarkStatus:
    """Another owner's config has the name and is not touched; that of an `owner` cannot be adopted."""
    name = "/".join(config_name(benchmark))
    if owner is not None:
        message = with_advice(
            f"config {name} exists in the evaluator and belongs to {owner}: it is left unchanged",
            Advice.REPLACE,
            " or spec.config.namespace, or ask the administrator, who can allow its adoption by the "
            "operator's NEMO_ALLOW_FOREIGN_ADOPTION",
        )
    else:
        message = with_advice(
            f"config {name} exists in the evaluator and is not this object's",
            Advice.OTHER_NAME,
            f", or let this object take it over and overwrite it: {adopt_command(benchmark)}",
        )
    return _with(benchmark, now, Outcome(ConditionSet.STALLED, Reason.CONFIG_EXISTS, message))


def failing(
    benchmark: NemoBenchmark, now: datetime, error: EvaluatorError, operation: Operation
) -> BenchmarkStatus:
    """Return the status after an operation on the config has failed, as `lifecycle.evaluator_errors` says."""
    return _with(benchmark, now, meaning_of(error, operation).outcome(error))


def in_use(
    benchmark: NemoBenchmark, now: datetime, users: Sequence[str], *, until: datetime
) -> BenchmarkStatus:
    """Return the status of a deleted benchmark whose config is still in use by running jobs."""
    message = (
        f"config {benchmark.status.config} is used by {used_by(users)}. It is deleted when they have ended, "
        f"or left in the evaluator at {timestamp(until)}"
    )
    return _with(benchmark, now, Outcome(ConditionSet.WORKING, Reason.CONFIG_IN_USE, message))


def used_by(users: Sequence[str]) -> str:
    """Return `2 running jobs: a, b`; of many only the first are named."""
    named = ", ".join(sorted(users)[:MAX_USERS_NAMED])
    more = ", …" if len(users) > MAX_USERS_NAMED else ""
    return f"{len(users)} running job{'s' if len(users) > 1 else ''}: {named}{more}"


def invalid(
    benchmark: NemoBenchmark, now: datetime, message: str, *, reason: Reason = Reason.INVALID_SPEC
) -> BenchmarkStatus:
    return _with(benchmark, now, Outcome(ConditionSet.STALLED, reason, message))


def without_evaluator(
    benchmark: NemoBenchmark, now: datetime, unusable: EvaluatorUnusable
) -> BenchmarkStatus:
    """No evaluator can be asked to keep the config."""
    standing = ConditionSet.STALLED if unusable.stalled else ConditionSet.WORKING
    return _with(benchmark, now, Outcome(standing, unusable.reason, unusable.message))


def source_missing(benchmark: NemoBenchmark, now: datetime, reason: Reason, message: str) -> BenchmarkStatus:
    """A Secret or ConfigMap that the spec names is not there, or may not be read."""
    return _with(benchmark, now, Outcome(ConditionSet.WORKING, reason, message))


def _with(benchmark: NemoBenchmark, now: datetime, outcome: Outcome) -> BenchmarkStatus:
    generation = benchmark.metadata.generation
    conditions = conditions_of(outcome, previous=benchmark.status.conditions, generation=generation, now=now)
    return benchmark.status.model_copy(
        update={"observed_generation": generation, "message": outcome.message, "conditions": conditions}
    )

"""Refuses fields that an evaluation would ignore: a score must not hide that something was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.schemas import (
    CachedOutputs,
    Config,
    ConfigInput,
    Dataset,
    Document,
    Target,
    TargetInput,
    Task,
)
from nemo_local_evaluator.wire.suggestions import closest

__all__ = [
    "refuse_groups",
    "refuse_other_datasets",
    "refuse_other_targets",
    "refuse_task_fields",
    "refuse_unknown_fields",
]

_OF_TYPE: Final = ("model", "cached_outputs", "retriever", "rag", "rows", "dataset")


_WRITTEN_BY_SERVERS: Final = frozenset(
    {*Config.model_fields, *Target.model_fields, "version_id", "version_tags", "model_providers"}
) - {*ConfigInput.model_fields, *TargetInput.model_fields}
"""Fields of an answer that may be sent back as it came."""


def refuse_unknown_fields(config: ConfigInput, target: TargetInput) -> None:
    """Refuse undeclared fields where NeMo's schemas are closed: `metric` would leave a task without metrics.

    Datasets, models and params take fields of their own. Raises EvaluationError.
    """
    _refuse_undeclared(config, "config", allowed=_WRITTEN_BY_SERVERS)
    _refuse_undeclared(target, "target", allowed=_WRITTEN_BY_SERVERS)
    for name, task in (config.tasks or {}).items():
        _refuse_undeclared(task, f"config.tasks.{name}")
        for key, metric in (task.metrics or {}).items():
            _refuse_undeclared(metric, f"config.tasks.{name}.metrics.{key}")


def _refuse_undeclared(part: Document, place: str, *, allowed: frozenset[str] = frozenset()) -> None:
    for name in (part.model_extra or {}).keys() - allowed:
        likely = closest(name, type(part).model_fields)
        advice = f"did you mean {likely}?" if likely else "remove it"
        raise EvaluationError(f"{place}.{name} is not a field of NeMo's and would have no effect: {advice}")


def refuse_other_targets(target: TargetInput) -> None:
    """Only the field named by the target's type is evaluated. Raises EvaluationError."""
    for name in _OF_TYPE:
        if name != target.type and getattr(target, name) is not None:
            raise EvaluationError(
                f"target.type is {target.type!r}, so target.{name} has no effect: remove it"
            )


def refuse_groups(config: ConfigInput) -> None:
    """Raise Unsupported for a config with groups."""
    if config.groups:
        raise Unsupported("groups are not supported here; scores are reported by task")


def refuse_other_datasets(tasks: Mapping[str, Task], target: TargetInput) -> None:
    """Raise EvaluationError if a task names another dataset than the target, which holds the rows."""
    own = target.cached_outputs if target.type == "cached_outputs" else target.dataset
    for name, task in tasks.items():
        if task.dataset is not None and _files_url(task.dataset) != _files_url(own):
            raise EvaluationError(
                f"tasks.{name}.dataset has no effect: the rows are those of the target, whose type is "
                f"{target.type!r}. Remove one of them"
            )


def refuse_task_fields(
    tasks: Mapping[str, Task], *, params: bool = False, metric_params: bool = False, why: str
) -> None:
    """Raise Unsupported if a task, or one of its metrics, has params."""
    for name, task in tasks.items():
        if params and task.params:
            raise Unsupported(f"tasks.{name}.params have no effect here: {why}")
        for key, metric in (task.metrics or {}).items():
            if metric_params and metric.params:
                raise Unsupported(f"tasks.{name}.metrics.{key}.params have no effect here: {why}")


def _files_url(dataset: str | Dataset | CachedOutputs | None) -> str | None:
    return dataset if dataset is None or isinstance(dataset, str) else dataset.files_url

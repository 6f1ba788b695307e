"""Refuses fields that an evaluation would ignore: a score must not hide that something was left out."""

from collections.abc import Mapping
from typing import Final

from nemo_local_evaluator.errors import EvaluationError, UnsupportedError
from nemo_local_evaluator.schemas import CachedOutputs, ConfigInput, Dataset, TargetInput, Task

__all__ = ["refuse_groups", "refuse_other_datasets", "refuse_other_targets", "refuse_task_fields"]

_OF_TYPE: Final = ("model", "cached_outputs", "retriever", "rag", "rows", "dataset")


def refuse_other_targets(target: TargetInput) -> None:
    """Only the field named by the target's type is evaluated. Raises EvaluationError."""
    for name in _OF_TYPE:
        if name != target.type and getattr(target, name) is not None:
            msg = f"target.type is {target.type!r}, so target.{name} has no effect: remove it"
            raise EvaluationError(msg)


def refuse_groups(config: ConfigInput) -> None:
    """Raises UnsupportedError."""
    if config.groups:
        msg = "groups are not supported here; scores are reported by task"
        raise UnsupportedError(msg)


def refuse_other_datasets(tasks: Mapping[str, Task], target: TargetInput) -> None:
    """Where the target holds the rows, a task may only repeat its dataset. Raises EvaluationError."""
    own = target.cached_outputs if target.type == "cached_outputs" else target.dataset
    for name, task in tasks.items():
        if task.dataset is not None and _files_url(task.dataset) != _files_url(own):
            msg = (
                f"tasks.{name}.dataset has no effect: the rows are those of the target, whose type is "
                f"{target.type!r}. Remove one of them"
            )
            raise EvaluationError(msg)


def refuse_task_fields(
    tasks: Mapping[str, Task], *, params: bool = False, metric_params: bool = False, why: str
) -> None:
    """Raises UnsupportedError where a task, or one of its metrics, has params."""
    for name, task in tasks.items():
        if params and task.params:
            msg = f"tasks.{name}.params have no effect here: {why}"
            raise UnsupportedError(msg)
        for key, metric in (task.metrics or {}).items():
            if metric_params and metric.params:
                msg = f"tasks.{name}.metrics.{key}.params have no effect here: {why}"
                raise UnsupportedError(msg)


def _files_url(dataset: str | Dataset | CachedOutputs | None) -> str | None:
    return dataset if dataset is None or isinstance(dataset, str) else dataset.files_url

"""Config type `agentic`: recorded conversations of agents, judged by rule.

Rows are Ragas's: `{"user_input": [messages with tool_calls ...], "reference_tool_calls": [...]}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nemo_local_evaluator.datasets import Row
from nemo_local_evaluator.metrics import TOOL_CALL_ACCURACY
from nemo_local_evaluator.scoring import MetricSpec
from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.schemas import ConfigInput, Params, TargetInput, Task

from .base import Evaluation, Resources
from .endpoints import Endpoints
from .row_sources import limit_of, recorded_rows
from .task_plan import TaskPlan
from .tasks import TasksEvaluation
from .unused import refuse_groups, refuse_other_datasets, refuse_task_fields

__all__ = ["plan"]

_SUPPORTED: Final = "tool_call_accuracy"


def plan(
    config: ConfigInput,
    target: TargetInput,
    *,
    endpoints: Endpoints,  # noqa: ARG001 (families are called alike)
    resources: Resources,
) -> Evaluation:
    """Return the evaluation of an agentic config. Raise EvaluationError."""
    if not config.tasks:
        raise EvaluationError("config has no tasks")
    if target.type not in {"cached_outputs", "dataset", "rows"}:
        raise Unsupported(
            f"target type {target.type!r} holds no conversations; give cached_outputs or a dataset"
        )
    params = config.params or Params()
    refuse_groups(config)
    tasks = {name: _task(name, task, target, params) for name, task in config.tasks.items()}
    refuse_task_fields(config.tasks, params=True, metric_params=True, why=f"{_SUPPORTED} has none")
    refuse_other_datasets(config.tasks, target)
    return TasksEvaluation(tasks, parallelism=params.parallelism, resources=resources)


def _task(name: str, task: Task, target: TargetInput, params: Params) -> TaskPlan:
    if task.type != _SUPPORTED:
        raise Unsupported(
            f"task {name!r} has type {task.type!r}, not supported here;"
            f" supported is {_SUPPORTED}, which needs no judge"
        )
    return TaskPlan(
        rows=recorded_rows(target),
        limit=limit_of(target.dataset, params),
        answer=_conversation,
        metrics={key: _spec(name, key, metric.type) for key, metric in (task.metrics or {}).items()}
        or {_SUPPORTED: _spec(name, _SUPPORTED, _SUPPORTED)},
    )


def _spec(task: str, key: str, kind: str) -> MetricSpec:
    if kind != _SUPPORTED:
        raise EvaluationError(
            f"task {task!r}, metric {key!r}: type {kind!r} is unknown; known is {_SUPPORTED}"
        )
    return MetricSpec(type=TOOL_CALL_ACCURACY, params="{}")


def _conversation(_row: Row) -> Mapping[str, Any]:
    """The row itself is what the agent said."""
    return {}

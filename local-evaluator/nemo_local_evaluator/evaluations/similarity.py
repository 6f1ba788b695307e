"""Config type `similarity_metrics`: answers compared with ideal ones, by metrics that need no params.

Rows are `{"prompt", "ideal_response", ...}`, and a model is asked each prompt; or they are recorded outputs,
`{"input": {"prompt", "ideal_response", ...}, "response", ...}`. NeMo's later documents have flat rows,
`{"input", "reference", "output"}`, for both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from nemo_local_evaluator.datasets import Row
from nemo_local_evaluator.metrics import SIMILARITY_BLEU
from nemo_local_evaluator.scoring import MetricSpec, PromptSpec
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed, Unsupported
from nemo_local_evaluator.wire.schemas import ConfigInput, Params, TargetInput, Task

from .base import Evaluation, Resources
from .endpoints import Endpoints
from .row_sources import limit_of, recorded_rows, source_of
from .task_plan import Generation, TaskPlan
from .tasks import TasksEvaluation
from .unused import refuse_groups, refuse_other_datasets, refuse_task_fields

__all__ = ["plan"]

_METRICS: Final[Mapping[str, str]] = {
    "accuracy": "accuracy",
    "bleu": SIMILARITY_BLEU,
    "em": "em",
    "f1": "f1",
    "rouge": "rouge",
}

_PROMPT: Final = "{{ item.input if item.input is defined else item.prompt }}"
_IDEAL: Final = (
    "{% set given = item.input if item.input is mapping else item %}"
    "{{ given.reference if given.reference is defined else given.ideal_response }}"
)


def plan(
    config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
) -> Evaluation:
    """Return the evaluation of a config of type similarity_metrics. Raise EvaluationError."""
    if not config.tasks:
        raise EvaluationError("config has no tasks")
    if target.type not in {"model", "cached_outputs", "dataset", "rows"}:
        raise Unsupported(
            f"target type {target.type!r} has no answers to compare; give a model or cached_outputs"
        )
    refuse_groups(config)
    refuse_task_fields(config.tasks, params=True, why="tasks of similarity_metrics have no params")
    if target.type != "model":
        refuse_other_datasets(config.tasks, target)
    params = config.params or Params()
    tasks = {name: _task(name, task, target, params, endpoints) for name, task in config.tasks.items()}
    return TasksEvaluation(tasks, parallelism=params.parallelism, resources=resources)


def _task(name: str, task: Task, target: TargetInput, params: Params, endpoints: Endpoints) -> TaskPlan:
    if task.type != "default":
        raise Unsupported(f"task {name!r} has type {task.type!r}, not supported here; supported is default")
    metrics = _metrics(name, task)
    if target.type == "model":
        return TaskPlan(
            rows=source_of(task.dataset, owner=f"task {name!r}"),
            limit=limit_of(task.dataset, params),
            answer=_generation(name, target, params, endpoints),
            metrics=metrics,
        )
    return TaskPlan(
        rows=recorded_rows(target),
        limit=limit_of(target.dataset or task.dataset, params),
        answer=_recorded_answer,
        metrics=metrics,
    )


def _metrics(name: str, task: Task) -> dict[str, MetricSpec]:
    if not task.metrics:
        raise EvaluationError(f"task {name!r} has no metrics; known are {', '.join(_METRICS)}")
    specs = {}
    for key, metric in task.metrics.items():
        kind = _METRICS.get(metric.type)
        if kind is None:
            raise EvaluationError(f"metric type {metric.type!r} is unknown; known are {', '.join(_METRICS)}")
        if metric.params:
            raise EvaluationError(f"metric {key!r}: params: similarity metrics have none")
        specs[key] = MetricSpec(type=kind, params=json.dumps({"references": [_IDEAL]}))
    return specs


def _generation(name: str, target: TargetInput, params: Params, endpoints: Endpoints) -> Generation:
    kind = endpoints.kind_of(target.model, owner="the target")
    return Generation(
        endpoint=endpoints.of(target.model, kind, params, owner="the target"),
        kind=kind,
        prompt=PromptSpec(
            task=name,
            kind=kind,
            template=json.dumps({"prompt": _PROMPT}),
            params=json.dumps(params.model_dump(mode="json", exclude_unset=True)),
        ),
    )


def _recorded_answer(row: Row) -> Mapping[str, Any]:
    answer = row.get("response", row.get("output"))
    if not isinstance(answer, str):
        raise SampleFailed("row has no text in the column 'response'")
    return {"output_text": answer}

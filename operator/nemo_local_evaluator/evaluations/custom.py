"""Config type `custom`: tasks of templates and metrics, as the config spells them out."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from nemo_local_evaluator.datasets import Row
from nemo_local_evaluator.errors import EvaluationError, UnsupportedError
from nemo_local_evaluator.evaluations.base import Evaluation, Resources
from nemo_local_evaluator.evaluations.endpoints import Endpoints
from nemo_local_evaluator.evaluations.rows import limit_of, rows_of
from nemo_local_evaluator.evaluations.tasks import Generation, TaskPlan, TasksEvaluation
from nemo_local_evaluator.evaluations.unused import refuse_groups, refuse_other_datasets
from nemo_local_evaluator.metrics import JUDGE, first_problem
from nemo_local_evaluator.model_client import Endpoint
from nemo_local_evaluator.prompts import Generates
from nemo_local_evaluator.schemas import ConfigInput, Metric, Model, Params, TargetInput, Task
from nemo_local_evaluator.scoring import MetricSpec, PromptSpec

__all__ = ["plan"]

_GENERATES: Final[Mapping[str, Generates]] = {
    "chat-completion": "chat-completion",
    "completion": "completion",
}
_KNOWN: Final = (*_GENERATES, "data")
_TARGETS: Final = ("model", "rows", "dataset")


def plan(
    config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
) -> Evaluation:
    """Raises EvaluationError."""
    _refuse_unsupported(config, target)
    if not config.tasks:
        msg = "config has no tasks"
        raise EvaluationError(msg)
    params = config.params or Params()
    if target.type != "model":
        refuse_other_datasets(config.tasks, target)
    tasks = {name: _task(name, task, target, params, endpoints) for name, task in config.tasks.items()}
    return TasksEvaluation(tasks, parallelism=params.parallelism, resources=resources)


def _refuse_unsupported(config: ConfigInput, target: TargetInput) -> None:
    for name, task in (config.tasks or {}).items():
        if task.type not in _KNOWN:
            msg = (
                f"task {name!r} has type {task.type!r}, not supported here; supported are {', '.join(_KNOWN)}"
            )
            raise UnsupportedError(msg)
    refuse_groups(config)
    if target.type not in _TARGETS:
        msg = f"target type {target.type!r} is not supported here; supported are {', '.join(_TARGETS)}"
        raise UnsupportedError(msg)


def _task(name: str, task: Task, target: TargetInput, params: Params, endpoints: Endpoints) -> TaskPlan:
    generation = None
    if kind := _GENERATES.get(task.type):
        if target.type != "model":
            msg = f"task {name!r} calls a model, but the target's type is {target.type!r}"
            raise EvaluationError(msg)
        generation = Generation(
            endpoint=endpoints.of(target.model, kind, params, owner="the target"),
            kind=kind,
            prompt=PromptSpec(
                task=name,
                kind=kind,
                template=json.dumps((task.params or {}).get("template")),
                params=json.dumps(params.model_dump(mode="json", exclude_unset=True)),
            ),
        )
    dataset = target.dataset if target.type == "dataset" else task.dataset
    return TaskPlan(
        rows=rows_of(target, dataset, owner=f"task {name!r}"),
        limit=limit_of(dataset, params),
        answer=generation or recorded_answer,
        metrics={key: _spec(metric) for key, metric in (task.metrics or {}).items()},
        judges={
            key: _judge(metric, params, endpoints, owner=f"metric {key!r}")
            for key, metric in (task.metrics or {}).items()
            if metric.type == JUDGE
        },
    )


def _spec(metric: Metric) -> MetricSpec:
    # Nobody but the model client needs a judge's api_key.
    params = {key: value for key, value in (metric.params or {}).items() if key != "model"}
    return MetricSpec(type=metric.type, params=json.dumps(params))


def _judge(metric: Metric, params: Params, endpoints: Endpoints, *, owner: str) -> Endpoint:
    model = (metric.params or {}).get("model")
    if model is not None and not isinstance(model, str):
        try:
            model = Model.model_validate(model)
        except ValidationError as error:
            msg = f"{owner}: {first_problem(error, within='params.model')}"
            raise EvaluationError(msg) from error
    return endpoints.of(model, "chat-completion", params, owner=owner)


def recorded_answer(item: Row) -> Mapping[str, Any]:
    """The answer a row brings; none where it brings none, so that a template asking for it says so."""
    for column in ("output_text", "output"):
        if column in item:
            value = item[column]
            return {"output_text": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
    return {}

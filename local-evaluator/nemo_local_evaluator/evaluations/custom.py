"""Config type `custom`: tasks of templates and metrics, as the config spells them out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from nemo_local_evaluator.datasets import Row
from nemo_local_evaluator.metrics import JUDGE
from nemo_local_evaluator.models import Endpoint, kind_of_url
from nemo_local_evaluator.scoring import MetricSpec, PromptSpec
from nemo_local_evaluator.templating import Generates
from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.problems import first_problem
from nemo_local_evaluator.wire.schemas import ConfigInput, Metric, Model, Params, TargetInput, Task

from .base import Evaluation, Resources
from .endpoints import Endpoints
from .row_sources import limit_of, rows_of
from .task_plan import Generation, TaskPlan
from .tasks import TasksEvaluation
from .unused import refuse_groups, refuse_other_datasets

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
    """Return the evaluation of a custom config. Raise EvaluationError."""
    _refuse_unsupported(config, target)
    if not config.tasks:
        raise EvaluationError("config has no tasks")
    params = config.params or Params()
    tasks = {name: _task(name, task, target, params, endpoints) for name, task in config.tasks.items()}
    if target.type != "model":
        refuse_other_datasets(config.tasks, target)
    return TasksEvaluation(tasks, parallelism=params.parallelism, resources=resources)


def _refuse_unsupported(config: ConfigInput, target: TargetInput) -> None:
    for name, task in (config.tasks or {}).items():
        if task.type not in _KNOWN:
            raise Unsupported(
                f"task {name!r} has type {task.type!r}, not supported here; supported are {', '.join(_KNOWN)}"
            )
    refuse_groups(config)
    if target.type not in _TARGETS:
        raise Unsupported(
            f"target type {target.type!r} is not supported here; supported are {', '.join(_TARGETS)}"
        )


def _task(name: str, task: Task, target: TargetInput, params: Params, endpoints: Endpoints) -> TaskPlan:
    if not task.metrics:
        raise EvaluationError(
            f"task {name!r} has no metrics: add tasks.{name}.metrics, or nothing is measured"
        )
    generation = _generation(name, task, target, params, endpoints) if task.type in _GENERATES else None
    dataset = target.dataset if target.type == "dataset" else task.dataset
    if generation is None and dataset is None and target.type == "model":
        raise EvaluationError(
            f"task {name!r} scores recorded answers and has no dataset: give a target of type dataset or "
            "rows with the answers instead of a model"
        )
    return TaskPlan(
        rows=rows_of(target, dataset, owner=f"task {name!r}"),
        limit=limit_of(dataset, params),
        answer=generation or recorded_answer,
        metrics={key: _spec(metric) for key, metric in task.metrics.items()},
        judges={
            key: _judge(metric, params, endpoints, owner=f"metric {key!r}")
            for key, metric in task.metrics.items()
            if metric.type == JUDGE
        },
    )


def _generation(
    name: str, task: Task, target: TargetInput, params: Params, endpoints: Endpoints
) -> Generation:
    if target.type != "model":
        raise EvaluationError(f"task {name!r} calls a model, but the target's type is {target.type!r}")
    endpoint = endpoints.of(target.model, _GENERATES[task.type], params, owner="the target")
    template = (task.params or {}).get("template")
    kind = _kind(name, task.type, template, endpoint.url)
    return Generation(
        endpoint=endpoint,
        kind=kind,
        prompt=PromptSpec(
            task=name,
            kind=kind,
            template=json.dumps(template),
            params=json.dumps(params.model_dump(mode="json", exclude_unset=True)),
        ),
    )


def _kind(name: str, task_type: str, template: object, url: str) -> Generates:
    """Return what the model is asked for. Raises EvaluationError.

    NVIDIA's tutorial has tasks of type `completion` whose template has messages, at a chat endpoint. So such
    a task goes by the URL, and by its template where the URL does not say.
    """
    if _GENERATES[task_type] == "completion":
        only_messages = isinstance(template, dict) and "messages" in template and "prompt" not in template
        return kind_of_url(url) or ("chat-completion" if only_messages else "completion")
    _refuse_completions(url, owner=f"task {name!r}")
    return "chat-completion"


def _refuse_completions(url: str, *, owner: str) -> None:
    if kind_of_url(url) == "completion":
        raise EvaluationError(
            f"{owner} sends messages, but {url!r} is an endpoint for completions. Give the URL that ends with"
            " /chat/completions"
        )


def _spec(metric: Metric) -> MetricSpec:
    # Only the model client needs a judge's api_key.
    params = {key: value for key, value in (metric.params or {}).items() if key != "model"}
    return MetricSpec(type=metric.type, params=json.dumps(params))


def _judge(metric: Metric, params: Params, endpoints: Endpoints, *, owner: str) -> Endpoint:
    model = (metric.params or {}).get("model")
    if model is not None and not isinstance(model, str):
        try:
            model = Model.model_validate(model)
        except ValidationError as error:
            raise EvaluationError(f"{owner}: {first_problem(error, within='params.model')}") from error
    endpoint = endpoints.of(model, "chat-completion", params, owner=owner)
    _refuse_completions(endpoint.url, owner=owner)
    return endpoint


def recorded_answer(item: Row) -> Mapping[str, Any]:
    """The answer a row brings; none where it brings none, so that a template asking for it says so."""
    for column in ("output_text", "output"):
        if column in item:
            value = item[column]
            return {"output_text": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
    return {}

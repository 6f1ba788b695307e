"""From the documents of a job to what will be done: everything that can be known wrong before any work.

The same plan serves the check at POST and the run itself, so that both refuse in the same words. What NeMo
Evaluator can do and this server cannot is an UnsupportedError: the job is accepted, and fails saying so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemo_local_evaluator.datasets import DatasetSource, Row
from nemo_local_evaluator.errors import EvaluationError, UnsupportedError
from nemo_local_evaluator.metrics import Metric, build_metric
from nemo_local_evaluator.model_client import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Endpoint, call_url
from nemo_local_evaluator.prompts import Generates, Prompt
from nemo_local_evaluator.schemas import ConfigInput, Dataset, Params, TargetInput, Task
from nemo_local_evaluator.settings import RegisteredModel
from nemo_local_evaluator.templates import TemplateEnvironment

DEFAULT_PARALLELISM = 4
MAX_PARALLELISM = 64
_GENERATES: Mapping[str, Generates] = {"chat-completion": "chat-completion", "completion": "completion"}


@dataclass(frozen=True, kw_only=True)
class GenerationPlan:
    endpoint: Endpoint
    kind: Generates
    prompt: Prompt


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    rows: list[Row] | DatasetSource
    limit: int | None
    generation: GenerationPlan | None
    """None where the row itself is the sample."""
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, kw_only=True)
class Plan:
    tasks: Mapping[str, TaskPlan]
    parallelism: int


class Planner:
    def __init__(self, *, models: Mapping[str, RegisteredModel], environment: TemplateEnvironment) -> None:
        self._models = models
        self._environment = environment

    def plan(self, config_document: Mapping[str, Any], target_document: Mapping[str, Any]) -> Plan:
        config = ConfigInput.model_validate(config_document)
        target = TargetInput.model_validate(target_document)
        _supported(config, target)
        if not config.tasks:
            msg = "config has no tasks"
            raise EvaluationError(msg)
        params = config.params or Params()
        tasks = {name: self._task(name, task, target, params) for name, task in config.tasks.items()}
        return Plan(tasks=tasks, parallelism=min(params.parallelism or DEFAULT_PARALLELISM, MAX_PARALLELISM))

    def _task(self, name: str, task: Task, target: TargetInput, params: Params) -> TaskPlan:
        generation = None
        if kind := _GENERATES.get(task.type):
            if target.type != "model":
                msg = f"task {name!r} calls a model, but the target's type is {target.type!r}"
                raise EvaluationError(msg)
            prompt = Prompt(
                task=name,
                kind=kind,
                template=(task.params or {}).get("template"),
                params=params,
                environment=self._environment,
            )
            generation = GenerationPlan(
                endpoint=self._endpoint(target, kind, params), kind=kind, prompt=prompt
            )
        dataset = _dataset(target.dataset if target.type == "dataset" else task.dataset)
        limits = [limit for limit in (dataset and dataset.limit, params.limit_samples) if limit]
        return TaskPlan(
            rows=_rows(name, target, dataset),
            limit=min(limits, default=None),
            generation=generation,
            metrics={
                key: build_metric(metric.type, metric.params or {}, self._environment)
                for key, metric in (task.metrics or {}).items()
            },
        )

    def _endpoint(self, target: TargetInput, kind: Generates, params: Params) -> Endpoint:
        url, model_id, api_key = self._address(target)
        call_url(url, kind)
        return Endpoint(
            url=url,
            model_id=model_id,
            # A key read from a file often ends with a newline, which no header may.
            api_key=api_key and api_key.strip(),
            timeout=float(params.request_timeout or DEFAULT_TIMEOUT),
            retries=DEFAULT_RETRIES if params.max_retries is None else params.max_retries,
        )

    def _address(self, target: TargetInput) -> tuple[str, str, str | None]:
        if target.model is None:
            msg = "target of type 'model' has no model"
            raise EvaluationError(msg)
        if isinstance(target.model, str):
            registered = self._models.get(target.model)
            if registered is None:
                msg = f"model {target.model!r} is not registered (--models); register it or give api_endpoint"
                raise EvaluationError(msg)
            return registered.url, registered.model_id or target.model, registered.api_key
        endpoint = target.model.api_endpoint
        if endpoint is None:
            msg = "target's model has no api_endpoint"
            raise EvaluationError(msg)
        return endpoint.url, endpoint.model_id, endpoint.api_key


def _supported(config: ConfigInput, target: TargetInput) -> None:
    if config.type != "custom":
        msg = f"config type {config.type!r} is not supported here; supported is 'custom'"
        raise UnsupportedError(msg)
    known = [*_GENERATES, "data"]
    for name, task in (config.tasks or {}).items():
        if task.type not in known:
            msg = (
                f"task {name!r} has type {task.type!r}, not supported here; supported are {', '.join(known)}"
            )
            raise UnsupportedError(msg)
    if config.groups:
        msg = "groups are not supported here; scores are reported by task"
        raise UnsupportedError(msg)
    if target.type not in {"model", "rows", "dataset"}:
        msg = f"target type {target.type!r} is not supported here; supported are model, rows, dataset"
        raise UnsupportedError(msg)
    if (
        target.type == "model"
        and not isinstance(target.model, str)
        and target.model
        and target.model.api_endpoint
    ):
        form = target.model.api_endpoint.format
        if form == "lama_stack":
            msg = "endpoint format 'lama_stack' is not supported here; supported are nim, openai"
            raise UnsupportedError(msg)


def _dataset(dataset: str | Dataset | None) -> Dataset | None:
    if not isinstance(dataset, str):
        return dataset
    if "://" not in dataset:
        msg = f"dataset {dataset!r} is a name, and no data store is known here; give its files_url instead"
        raise EvaluationError(msg)
    return Dataset(files_url=dataset)


def _rows(name: str, target: TargetInput, dataset: Dataset | None) -> list[Row] | DatasetSource:
    if target.type == "rows":
        if not target.rows:
            msg = "target of type 'rows' has no rows"
            raise EvaluationError(msg)
        return target.rows
    if dataset is None:
        msg = f"task {name!r} has no dataset"
        raise EvaluationError(msg)
    return DatasetSource(files_url=dataset.files_url, format=dataset.format)

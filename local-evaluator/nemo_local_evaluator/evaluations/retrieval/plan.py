"""Planning of an evaluation of retrieved documents from a job's documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from nemo_local_evaluator.datasets import DatasetSource, Row
from nemo_local_evaluator.evaluations.base import Evaluation, Resources
from nemo_local_evaluator.evaluations.endpoints import Endpoints
from nemo_local_evaluator.evaluations.row_sources import limit_of, rows_of, source_of
from nemo_local_evaluator.evaluations.unused import refuse_task_fields
from nemo_local_evaluator.metrics.ranking import is_measure
from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.problems import first_problem
from nemo_local_evaluator.wire.schemas import (
    CachedOutputs,
    ConfigInput,
    Dataset,
    Document,
    Group,
    Metric,
    Params,
    TargetInput,
    Task,
)

from .evaluation import (
    FORMATS,
    RankingTask,
    RetrievalEvaluation,
)

__all__ = ["plan"]

_SUPPORTED: Final = "supported are recall_K and ndcg_cut_K of documents that the target has retrieved already"
_PREFIX: Final = "retriever"


class _Retrieval(Document):
    """Contents of a target of type `retriever` or `rag`."""

    cached_outputs: CachedOutputs | None = None
    dataset: str | Dataset | None = None


def plan(
    config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
) -> Evaluation:
    """Return the evaluation of a config of type retriever or rag. Raise EvaluationError."""
    del endpoints  # No model is called.
    if not config.tasks:
        raise EvaluationError("config has no tasks")
    dataset = _retrieved(target)
    retrieved = rows_of(target, dataset, owner="the target")
    limit = limit_of(dataset, config.params or Params())
    tasks = {name: _task(name, task, retrieved, limit) for name, task in config.tasks.items()}
    refuse_task_fields(
        config.tasks, params=True, metric_params=True, why="what has been retrieved is only counted"
    )
    groups = {name: _members(name, group, tasks) for name, group in (config.groups or {}).items()}
    return RetrievalEvaluation(tasks, groups=groups, resources=resources)


def _retrieved(target: TargetInput) -> str | Dataset | None:
    match target.type:
        case "retriever" | "rag":
            return _in_pipeline(target)
        case "cached_outputs" if target.cached_outputs is not None:
            return target.cached_outputs.files_url
        case "dataset":
            return target.dataset
        case "model":
            raise Unsupported(f"a model retrieves nothing; {_SUPPORTED}")
        case _:
            return None


def _in_pipeline(target: TargetInput) -> str | Dataset | None:
    document = target.retriever if target.type == "retriever" else target.rag
    try:
        retrieval = _Retrieval.model_validate(document or {})
    except ValidationError as error:
        raise EvaluationError(f"target.{target.type} is invalid: {first_problem(error)}") from error
    if retrieval.cached_outputs is not None:
        return retrieval.cached_outputs.files_url
    if retrieval.dataset is None and "pipeline" in (document or {}):
        raise Unsupported(
            f"{target.type}.pipeline needs embedding services, which are not called here; {_SUPPORTED}:"
            f" give {target.type}.cached_outputs"
        )
    return retrieval.dataset


def _task(name: str, task: Task, retrieved: list[Row] | DatasetSource, limit: int | None) -> RankingTask:
    if task.type not in FORMATS:
        raise Unsupported(
            f"task {name!r} has type {task.type!r}, not supported here; supported are {', '.join(FORMATS)}"
        )
    if not task.metrics:
        raise EvaluationError(f"task {name!r} has no metrics")
    judged = None
    if task.dataset is not None or task.type != "ragas":
        judged = source_of(task.dataset, owner=f"task {name!r}")
    return RankingTask(
        format=task.type,
        retrieved=retrieved,
        limit=limit,
        judged=judged,
        measures={
            f"{_PREFIX}.{_bare(key)}": _measure(key, metric, task=name)
            for key, metric in task.metrics.items()
        },
    )


def _measure(key: str, metric: Metric, *, task: str) -> str:
    # The newest documentation gives the library as the type, and the measure by the metric's name.
    measure = _bare(key) if metric.type == "pytrec_eval" else metric.type
    if not is_measure(measure):
        raise Unsupported(
            f"task {task!r}, metric {key!r} has type {metric.type!r}, not supported here; {_SUPPORTED}"
        )
    return measure


def _bare(key: str) -> str:
    return key.removeprefix(f"{_PREFIX}.").removeprefix(f"{_PREFIX}_")


def _members(name: str, group: Group, tasks: Mapping[str, RankingTask]) -> list[str]:
    if group.groups:
        raise Unsupported(f"group {name!r} has groups of its own, not supported here; groups hold tasks")
    if group.metrics:
        raise Unsupported(
            f"groups.{name}.metrics have no effect here: a group reports the metrics of its tasks"
        )
    members = group.tasks or list(tasks)
    if unknown := set(members) - set(tasks):
        raise EvaluationError(f"group {name!r} names task {min(unknown)!r}, which the config does not have")
    return members

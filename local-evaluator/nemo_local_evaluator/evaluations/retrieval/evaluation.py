"""The run: judgements are read, rows are scored as any other task's, scores are put where NeMo has them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from nemo_local_evaluator.datasets import DatasetReader, DatasetSource, Row
from nemo_local_evaluator.evaluations.base import Observer, Outcome, Resources
from nemo_local_evaluator.evaluations.statistics import pooled
from nemo_local_evaluator.evaluations.task_plan import TaskPlan
from nemo_local_evaluator.evaluations.tasks import TasksEvaluation
from nemo_local_evaluator.metrics import RANKING
from nemo_local_evaluator.scoring import MetricSpec

from .judgements import (
    GroundTruths,
    Judgements,
    read_beir,
    read_ragas,
    read_squad,
)

__all__ = ["FORMATS", "RankingTask", "RetrievalEvaluation"]

FORMATS: Final[Mapping[str, Callable[[DatasetSource, DatasetReader], Awaitable[Judgements]]]] = {
    "beir": read_beir,
    "squad": read_squad,
    "ragas": read_ragas,
}
"""Task types, and how their judgements are read."""


@dataclass(frozen=True, kw_only=True)
class RankingTask:
    format: str
    """One of FORMATS."""
    retrieved: list[Row] | DatasetSource
    limit: int | None
    """Number of retrieved rows to evaluate; None for all."""
    judged: DatasetSource | None
    """None where the retrieved rows hold their own judgements."""
    measures: Mapping[str, str]
    """Measures by the name that the result gives the metric."""


class RetrievalEvaluation:
    def __init__(
        self,
        tasks: Mapping[str, RankingTask],
        *,
        groups: Mapping[str, Sequence[str]],
        resources: Resources,
    ) -> None:
        """`groups` are the tasks in each."""
        self._tasks = tasks
        self._groups = groups
        self._resources = resources

    async def check(self) -> None:
        datasets = self._resources.datasets
        for task in self._tasks.values():
            if isinstance(task.retrieved, DatasetSource):
                datasets.check(task.retrieved)
            if task.judged is not None:
                look = datasets.check_directory if task.format == "beir" else datasets.check
                look(task.judged)

    async def run(self, observer: Observer) -> Outcome:
        plans = {name: await self._plan(name, task, observer) for name, task in self._tasks.items()}
        evaluation = TasksEvaluation(plans, parallelism=None, resources=self._resources)
        outcome = await evaluation.run(observer)
        scores = {name: result["metrics"][RANKING]["scores"] for name, result in outcome.tasks.items()}
        return Outcome(
            tasks={
                name: {**result, "metrics": _metrics(self._tasks[name].measures, scores[name])}
                for name, result in outcome.tasks.items()
            },
            groups={
                name: {"metrics": {"evaluation": {"scores": _pooled([scores[task] for task in members])}}}
                for name, members in self._groups.items()
            },
            message=outcome.message,
            incomplete=outcome.incomplete,
        )

    async def _plan(self, name: str, task: RankingTask, observer: Observer) -> TaskPlan:
        judgements: Judgements = GroundTruths()
        if task.judged is not None:
            observer.log(f"task {name!r}: reading what is relevant")
            judgements = await FORMATS[task.format](task.judged, self._resources.datasets)
        measures = sorted(set(task.measures.values()))
        return TaskPlan(
            rows=task.retrieved,
            limit=task.limit,
            answer=partial(_answer, judgements),
            metrics={RANKING: MetricSpec(type=RANKING, params=json.dumps({"measures": measures}))},
        )


def _answer(judgements: Judgements, row: Row) -> dict[str, Any]:
    answer = row.get("answer", row.get("output"))
    return {"judgement": judgements.of(row)} | ({"output_text": answer} if isinstance(answer, str) else {})


def _metrics(measures: Mapping[str, str], scores: Mapping[str, Any]) -> dict[str, Any]:
    return {
        metric: {"scores": {measure: scores[measure]} if measure in scores else {}}
        for metric, measure in measures.items()
    }


def _pooled(of_tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    measures = dict.fromkeys(measure for scores in of_tasks for measure in scores)
    return {
        measure: pooled([scores[measure] for scores in of_tasks if measure in scores]) for measure in measures
    }

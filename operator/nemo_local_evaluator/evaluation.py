"""Runs one plan: rows through the model, answers through the metrics, a report after every sample.

Knows nothing of jobs or storage; whoever cancels the coroutine stops it, model calls included.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nemo_local_evaluator.datasets import DatasetReader, DatasetSource, Row
from nemo_local_evaluator.errors import EvaluationError, SampleError
from nemo_local_evaluator.metrics import Metric, Scored
from nemo_local_evaluator.model_client import ModelClient
from nemo_local_evaluator.plan import Plan, TaskPlan
from nemo_local_evaluator.results import SampleOutcome, task_result
from nemo_local_evaluator.templates import Context, context_for

GIVE_UP_AFTER = 25
"""Samples failed from the start, none having succeeded: the cause is not in the samples."""

TaskStatus = Literal["pending", "running", "completed", "failed"]


@dataclass(frozen=True)
class Progress:
    task_status: Mapping[str, TaskStatus]
    processed: int
    total: int

    @property
    def percent(self) -> float:
        return round(100 * self.processed / self.total, 1) if self.total else 0.0


Report = Callable[[Progress], None]


class Evaluator:
    def __init__(self, *, datasets: DatasetReader, models: ModelClient) -> None:
        self._datasets = datasets
        self._models = models

    async def run(self, plan: Plan, report: Report) -> dict[str, Any]:
        """The result's `tasks`."""
        rows = {name: await self._rows(task) for name, task in plan.tasks.items()}
        status: dict[str, TaskStatus] = dict.fromkeys(plan.tasks, "pending")
        total = sum(map(len, rows.values()))
        processed = 0

        def tell() -> None:
            report(Progress(dict(status), processed, total))

        def one_more() -> None:
            nonlocal processed
            processed += 1
            tell()

        results = {}
        for name, task in plan.tasks.items():
            status[name] = "running"
            tell()
            try:
                outcomes = await self._samples(name, task, rows[name], plan.parallelism, one_more)
                results[name] = await asyncio.to_thread(task_result, task.metrics, outcomes)
            except EvaluationError:
                status[name] = "failed"
                tell()
                raise
            status[name] = "completed"
        tell()
        return results

    async def _rows(self, task: TaskPlan) -> list[Row]:
        if isinstance(task.rows, DatasetSource):
            return await self._datasets.read(task.rows, limit=task.limit)
        return task.rows[: task.limit]

    async def _samples(
        self, name: str, task: TaskPlan, rows: Sequence[Row], parallelism: int, done: Callable[[], None]
    ) -> list[SampleOutcome]:
        outcomes = [SampleOutcome(row) for row in rows]
        waiting = iter(outcomes)
        hopeless = False
        succeeded = failed = 0

        async def lane() -> None:
            nonlocal hopeless, succeeded, failed
            for outcome in waiting:
                if await self._sample(task, outcome):
                    succeeded += 1
                else:
                    failed += 1
                done()
                hopeless = not succeeded and failed >= min(GIVE_UP_AFTER, len(outcomes))
                if hopeless:
                    return

        async with asyncio.TaskGroup() as lanes:
            for _ in range(min(parallelism, len(outcomes))):
                lanes.create_task(lane())
        if hopeless:
            cause = next(error for outcome in outcomes for error in outcome.errors)
            msg = f"task {name!r}: all {failed} samples tried have failed: {cause}"
            raise EvaluationError(msg)
        return outcomes

    async def _sample(self, task: TaskPlan, outcome: SampleOutcome) -> bool:
        """False where there is no answer to score."""
        try:
            sample = await self._answer(task, outcome.item)
        except SampleError as error:
            outcome.errors.append(str(error))
            return False
        outcome.output_text = sample.get("output_text")
        context = context_for(outcome.item, sample)
        # A thread, for metrics may take long enough to be missed by the API.
        scored, errors = await asyncio.to_thread(_score, task.metrics, context)
        outcome.scored.update(scored)
        outcome.errors.extend(errors)
        return True

    async def _answer(self, task: TaskPlan, item: Mapping[str, Any]) -> dict[str, Any]:
        if task.generation is None:
            return _recorded(item)
        body = task.generation.prompt.request(context_for(item))
        sample = await self._models.generate(task.generation.endpoint, task.generation.kind, body)
        return sample | {"prompt": body.get("prompt", body.get("messages"))}


def _recorded(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer a row brings; none where it brings none, so that a template asking for it says so."""
    for column in ("output_text", "output"):
        if column in item:
            value = item[column]
            return {"output_text": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
    return {}


def _score(metrics: Mapping[str, Metric], context: Context) -> tuple[dict[str, Scored], list[str]]:
    scored: dict[str, Scored] = {}
    errors: list[str] = []
    for name, metric in metrics.items():
        try:
            scored[name] = metric.score(context)
        except SampleError as error:
            errors.append(f"metric {name!r}: {error}")
    return scored, errors

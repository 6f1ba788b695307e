"""Runs tasks of one shape: rows, to which a model may have to answer, and metrics that score each answer.

Custom evaluations are of this shape, and so are others once their files are understood. Rows are streamed:
what is kept of a sample is its part of the statistics, and the whole of it for the first thousand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from nemo_local_evaluator.datasets import DatasetSource, Row, Rows, rows_in_memory
from nemo_local_evaluator.models import Endpoint
from nemo_local_evaluator.scoring import (
    SampleScores,
    check,
    parse_judgement,
    render_prompt,
    score_samples,
)
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed

from .base import Observer, Outcome, Progress, Resources, TaskStatus
from .scores import Sample, TaskScores
from .task_plan import DEFAULT_PARALLELISM, MAX_PARALLELISM, Generation, TaskPlan

__all__ = ["TasksEvaluation"]


GIVE_UP_AFTER: Final = 25
"""Samples failed from the start, none having succeeded: the cause is not in the samples."""

ROWS_READ_AT_ONCE: Final = 256
MAX_MISSING_NAMED: Final = 3
"""Metrics without a number that the job's message names."""

SAMPLES_SCORED_AT_ONCE: Final = 64
"""Samples that a worker gets with one message in tasks without a model."""


class TasksEvaluation:
    def __init__(
        self, tasks: Mapping[str, TaskPlan], *, parallelism: int | None, resources: Resources
    ) -> None:
        self._tasks = tasks
        self._parallelism = min(parallelism or DEFAULT_PARALLELISM, MAX_PARALLELISM)
        self._resources = resources

    async def check(self) -> None:
        await self._check_specs()
        for task in self._tasks.values():
            if isinstance(task.rows, DatasetSource):
                self._resources.datasets.check(task.rows)
        await asyncio.gather(*map(self._resources.models.check, self._endpoints))

    async def run(self, observer: Observer) -> Outcome:
        await self._check_specs()
        with ExitStack() as opened:
            rows = {name: opened.enter_context(await self._rows(task)) for name, task in self._tasks.items()}
            await self._wait_for_models(observer)
            return await self._run(rows, observer)

    async def _wait_for_models(self, observer: Observer) -> None:
        try:
            async with asyncio.TaskGroup() as waiting:
                for endpoint in self._endpoints:
                    waiting.create_task(self._resources.models.ready(endpoint, observer.log))
        except ExceptionGroup as errors:
            # One that cannot be reached is enough to end the run.
            raise errors.exceptions[0] from errors

    @property
    def _endpoints(self) -> set[Endpoint]:
        """Each once: many tasks may ask one model."""
        return {endpoint for task in self._tasks.values() for endpoint in task.endpoints}

    async def _run(self, rows: Mapping[str, Rows], observer: Observer) -> Outcome:
        account = _Account(observer, total=sum(one.count for one in rows.values()), tasks=self._tasks)
        results, missing = {}, []
        for name, task in self._tasks.items():
            samples = "1 sample" if rows[name].count == 1 else f"{rows[name].count} samples"
            account.set_status(name, "running", f": {samples}")
            run = _TaskRun(name, task, self._resources, account, lanes=self._lanes(task))
            try:
                results[name] = await run.result(rows[name])
            except EvaluationError:
                account.set_status(name, "failed")
                raise
            missing += run.without_numbers()
            account.set_status(name, "completed", f": {run.without_errors} of {samples} without an error")
        if missing and not any(map(_has_scores, results.values())):
            raise EvaluationError(missing[0])
        return _completed(results, missing)

    def _lanes(self, task: TaskPlan) -> int:
        return self._parallelism if task.asks_models else self._resources.scoring.workers

    async def _check_specs(self) -> None:
        for name, task in self._tasks.items():
            prompt = task.answer.prompt if isinstance(task.answer, Generation) else None
            try:
                await self._resources.scoring.call(check, prompt, task.metrics)
            except SampleFailed as error:  # cut off already while it was compiled
                raise EvaluationError(f"task {name!r}: {error}") from error

    async def _rows(self, task: TaskPlan) -> Rows:
        if isinstance(task.rows, DatasetSource):
            return await self._resources.datasets.open(task.rows, limit=task.limit)
        return rows_in_memory(task.rows, limit=task.limit)


def _has_scores(result: Mapping[str, Any]) -> bool:
    return any(metric["scores"] for metric in result["metrics"].values())


def _completed(results: dict[str, Any], missing: Sequence[str]) -> Outcome:
    """Return the outcome, whose message names the first of the `missing` scores."""
    if not missing:
        return Outcome(tasks=results)
    more = f"; and {len(missing) - MAX_MISSING_NAMED} more" if len(missing) > MAX_MISSING_NAMED else ""
    named = "; ".join(missing[:MAX_MISSING_NAMED])
    message = f"Job completed without some scores: {named}{more}"
    return Outcome(tasks=results, message=message, incomplete=True)


class _Account:
    """Counts the samples of all tasks and reports them to the observer."""

    def __init__(self, observer: Observer, *, total: int, tasks: Mapping[str, TaskPlan]) -> None:
        self.observer = observer
        self._total = total
        self._processed = 0
        self._status: dict[str, TaskStatus] = dict.fromkeys(tasks, "pending")

    def set_status(self, task: str, status: TaskStatus, detail: str = "") -> None:
        self._status[task] = status
        self.observer.log(f"task {task!r} is {status}{detail}")
        self._tell()

    def processed(self, samples: int) -> None:
        self._processed += samples
        self._tell()

    def _tell(self) -> None:
        self.observer.progress(Progress(dict(self._status), self._processed, self._total))


class _TaskRun:
    """One task of one run: lanes that take rows from one feed until it is empty."""

    def __init__(
        self, name: str, plan: TaskPlan, resources: Resources, account: _Account, *, lanes: int
    ) -> None:
        self._name = name
        self._plan = plan
        self._resources = resources
        self._account = account
        self._lanes = lanes
        self._scores = TaskScores(name, plan.metrics)
        self.without_errors = 0

    async def result(self, rows: Rows) -> dict[str, Any]:
        feed = _Feed(rows)
        size = 1 if self._plan.asks_models else SAMPLES_SCORED_AT_ONCE
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(min(self._lanes, -(-rows.count // size))):
                    lanes.create_task(self._lane(feed, size))
        except ExceptionGroup as errors:
            # A dataset that is no longer what was checked stops all lanes, and is reported as it is.
            raise errors.exceptions[0] from errors
        finally:
            await feed.close()
        return self._scores.result()

    def without_numbers(self) -> list[str]:
        return self._scores.without_numbers()

    async def _lane(self, feed: _Feed, size: int) -> None:
        while not self._hopeless and (samples := await feed.take(size)):
            await self._process(samples)
            for sample in samples:
                self._scores.add(sample)
                self.without_errors += not sample.errors
                self._account.observer.sample(self._name, sample.document())
                for error in sample.errors:
                    self._account.observer.log(f"task {self._name!r}, sample {sample.number}: {error}")
            self._account.processed(len(samples))

    @property
    def _hopeless(self) -> bool:
        return self._scores.failed >= GIVE_UP_AFTER and not self._scores.answered

    async def _process(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            try:
                sample.answer = await self._answer(sample.item)
            except SampleFailed as error:
                sample.errors.append(str(error))
        answered = [sample for sample in samples if sample.answer is not None]
        for sample, scores in zip(answered, await self._score(answered), strict=True):
            sample.scored = scores.scored
            sample.errors.extend(scores.errors)
            await self._judge(sample, scores.judge_requests)

    async def _answer(self, item: Row) -> Mapping[str, Any]:
        answer = self._plan.answer
        if not isinstance(answer, Generation):
            return answer(item)
        body = await self._resources.scoring.call(render_prompt, answer.prompt, item)
        return await self._resources.models.generate(answer.endpoint, answer.kind, body)

    async def _score(self, samples: Sequence[Sample]) -> list[SampleScores]:
        if not samples or not self._plan.metrics:
            return [SampleScores() for _ in samples]
        pairs = [(sample.item, sample.answer or {}) for sample in samples]
        try:
            return await self._resources.scoring.call_for(
                len(pairs) * len(self._plan.metrics), score_samples, self._plan.metrics, pairs
            )
        except SampleFailed as error:
            if len(samples) == 1:
                return [SampleScores(errors=[str(error)])]
        # One of them took the worker down: by themselves, the others are not lost with it.
        return [scores for sample in samples for scores in await self._score([sample])]

    async def _judge(self, sample: Sample, requests: Mapping[str, dict[str, Any]]) -> None:
        for metric, body in requests.items():
            try:
                verdict = await self._resources.models.generate(
                    self._plan.judges[metric], "chat-completion", body
                )
                scored = await self._resources.scoring.call(
                    parse_judgement, self._plan.metrics[metric], verdict["output_text"]
                )
                sample.scored[metric] = scored
                sample.errors += [f"metric {metric!r}: {problem}" for problem in scored.problems]
            except SampleFailed as error:
                sample.errors.append(f"metric {metric!r}: {error}")


class _Feed:
    """The rows of a task, a few at a time, to whichever lane asks."""

    def __init__(self, rows: Rows) -> None:
        self._batches = rows.batches(ROWS_READ_AT_ONCE)
        self._read: list[Row] = []
        self._number = 0
        self._turn = asyncio.Lock()

    async def take(self, size: int) -> list[Sample]:
        """Empty where no rows are left."""
        async with self._turn:
            if not self._read:
                self._read = await anext(self._batches, [])
            taken, self._read = self._read[:size], self._read[size:]
            first = self._number + 1
            self._number += len(taken)
        return [Sample(number=number, item=item) for number, item in enumerate(taken, start=first)]

    async def close(self) -> None:
        await self._batches.aclose()

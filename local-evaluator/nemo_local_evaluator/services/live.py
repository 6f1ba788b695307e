"""Live evaluation: small data tasks, evaluated while the caller waits. Nothing of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from nemo_local_evaluator.evaluations import Outcome, Planner, Progress
from nemo_local_evaluator.wire import identity, masking
from nemo_local_evaluator.wire.errors import BadRequest, EvaluationError
from nemo_local_evaluator.wire.schemas import ConfigInput, JobInput, JobStatus, TargetInput

from .entities import EntityService
from .redaction import run_redacted
from .results import new_result

__all__ = ["LiveService"]

MAX_ROWS: Final = 1000
"""Of all tasks together; more is work for a job."""

TIMEOUT: Final = 50.0
"""Seconds; NVIDIA's client waits for 60."""

_TARGETS: Final = ("rows", "dataset")


class LiveService:
    def __init__(
        self,
        *,
        configs: EntityService[ConfigInput],
        targets: EntityService[TargetInput],
        planner: Planner,
    ) -> None:
        self._configs = configs
        self._targets = targets
        self._planner = planner

    async def evaluate(self, body: JobInput) -> dict[str, Any]:
        """Evaluate and return the result. Raise BadRequest for other evaluations, and NotFound."""
        config, target = self._configs.resolve(body.config), self._targets.resolve(body.target)
        _refuse_unsuitable(config.document, target.document)
        revealed = masking.reveal(_limited(config.document), config.secrets)
        record = _Record()
        outcome = Outcome()
        status = JobStatus.FAILED
        try:
            evaluation = self._planner.plan(revealed, masking.reveal(target.document, target.secrets))
            async with asyncio.timeout(TIMEOUT):
                await evaluation.check()
                secrets = [*config.secrets.values(), *target.secrets.values(), *self._planner.secrets]
                record.begun = True
                outcome = await run_redacted(evaluation, record, secrets=secrets)
                status = JobStatus.COMPLETED
                message = outcome.message
        except TimeoutError:
            message = f"The evaluation took more than {TIMEOUT:g} s; create a job for it."
        except EvaluationError as error:
            if not record.begun or isinstance(error, _TooManyRows):
                raise BadRequest(f"Live evaluation cannot be launched: {error}") from error
            message = str(error)
        result = new_result(
            job=identity.new_id("eval"),
            namespace=body.namespace,
            tasks=outcome.tasks,
            groups=outcome.groups,
        )
        return {
            "status": status,
            "status_details": {"message": message, **record.details()},
            "result": result if status is JobStatus.COMPLETED else None,
            "logs": {"messages": record.messages},
        }


class _TooManyRows(EvaluationError):
    pass


class _Record:
    """An Observer that remembers, and that ends a run which is too large before it scores anything."""

    def __init__(self) -> None:
        self.begun = False
        self.messages: list[str] = []
        self._progress: Progress | None = None

    def progress(self, progress: Progress) -> None:
        if progress.total > MAX_ROWS:
            raise _TooManyRows(f"more than {MAX_ROWS} rows; create a job for them")
        self._progress = progress

    def log(self, message: str) -> None:
        self.messages.append(message)

    def sample(self, task: str, document: Mapping[str, Any]) -> None:
        pass

    def details(self) -> dict[str, Any]:
        if self._progress is None:
            return {"task_status": {}, "progress": None, "samples_processed": None}
        return {
            "task_status": dict(self._progress.task_status),
            "progress": self._progress.percent,
            "samples_processed": self._progress.processed,
        }


def _refuse_unsuitable(config: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    if config["type"] != "custom":
        raise BadRequest(f"live evaluation is for configs of type 'custom', not {config['type']!r}")
    for name, task in config.get("tasks", {}).items():
        if task["type"] != "data":
            raise BadRequest(
                f"live evaluation is for tasks of type 'data'; the type of task {name!r} is {task['type']!r}"
            )
    if target["type"] not in _TARGETS:
        raise BadRequest(f"live evaluation is for targets of type rows or dataset, not {target['type']!r}")


def _limited(config: Mapping[str, Any]) -> dict[str, Any]:
    """With no more rows to read than it takes to see that there are too many."""
    params = config.get("params") or {}
    limit = min(params.get("limit_samples") or MAX_ROWS + 1, MAX_ROWS + 1)
    return {**config, "params": {**params, "limit_samples": limit}}

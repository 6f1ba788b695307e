"""The evaluation itself, with everything that it needs opened before and closed after it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from nemo_local_evaluator.datasets import DatasetReader
from nemo_local_evaluator.evaluations import Observer, Outcome, Planner, Resources
from nemo_local_evaluator.harness import Harness
from nemo_local_evaluator.models import ModelClient, open_http_clients
from nemo_local_evaluator.scoring import ScoringPool
from nemo_local_evaluator.settings import RegisteredModel

__all__ = ["Assignment", "evaluate_once"]

_RETRY_BASE_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Config and target of one evaluation, and the means to evaluate them."""

    config: Mapping[str, Any]
    target: Mapping[str, Any]
    roots: tuple[Path, ...]
    """Directories that datasets may be read from, in order of search."""
    models: Mapping[str, RegisteredModel] = field(default_factory=dict)
    harness: Harness = field(default_factory=Harness)


async def evaluate_once(assignment: Assignment, observer: Observer) -> Outcome:
    """Check the assignment and run it. Raise EvaluationError. Cancelling it stops model calls and workers."""
    async with _resources(assignment) as resources:
        planner = Planner(models=assignment.models, resources=resources)
        evaluation = planner.plan(assignment.config, assignment.target)
        await evaluation.check()
        return await evaluation.run(observer)


@asynccontextmanager
async def _resources(assignment: Assignment) -> AsyncIterator[Resources]:
    with (
        TemporaryDirectory(prefix="nemo-local-evaluator-") as scratch,
        closing(ScoringPool(workers=os.cpu_count() or 1)) as scoring,
    ):
        async with open_http_clients() as http:
            yield Resources(
                # No database here; what is downloaded goes where it would be, and with the directory.
                datasets=DatasetReader(
                    roots=assignment.roots, private=Path(scratch, "evaluator.db"), http=http.next()
                ),
                models=ModelClient(http, retry_base=_RETRY_BASE_SECONDS),
                scoring=scoring,
                harness=assignment.harness,
            )

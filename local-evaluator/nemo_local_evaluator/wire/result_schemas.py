"""The API"s documents about scores: results of jobs and of live evaluations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from .schemas import Described, Document, Name, StatusDetails, Whole

__all__ = [
    "GroupResult",
    "LiveEvaluation",
    "MetricResult",
    "Result",
    "ResultInput",
    "Score",
    "ScoreStats",
    "TaskResult",
]


class ScoreStats(Document):
    count: Whole | None = None
    sum: float | None = None
    sum_squared: float | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    variance: float | None = None
    stddev: float | None = None
    stderr: float | None = None
    nan_count: Whole | None = None


class Score(Document):
    value: float
    stats: ScoreStats | None = None


class MetricResult(Document):
    scores: dict[str, Score] | None = None


class TaskResult(Document):
    metrics: dict[str, MetricResult] | None = None
    data: dict[str, Any] | None = None


class GroupResult(Document):
    metrics: dict[str, MetricResult] | None = None
    groups: dict[str, GroupResult] | None = None


class ResultInput(Described):
    job: str
    namespace: Name = "default"
    files_url: str | None = None
    tasks: dict[str, TaskResult] | None = None
    groups: dict[str, GroupResult] | None = None


class Result(ResultInput):
    id: str
    created_at: str
    updated_at: str


class LiveEvaluation(BaseModel):
    status: Literal["completed", "failed"]
    status_details: StatusDetails
    result: Result | None = Field(
        description="Null where the evaluation has failed. Its job is nowhere kept."
    )
    logs: dict[str, list[str]]

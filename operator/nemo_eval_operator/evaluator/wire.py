"""The evaluator's answers, as far as we read them.

Tolerant on purpose: unknown fields are ignored and optional ones may be null or
missing, since servers differ in what they omit. Times are naive UTC on the wire
and aware UTC here.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

__all__ = ["JobStatus", "JsonObject", "Page", "RemoteConfig", "RemoteJob", "Results", "StatusDetails"]

JsonObject = dict[str, JsonValue]


def _as_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _null_as_empty(value: object) -> object:
    return {} if value is None else value


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _null_as_unknown(value: object) -> object:
    return "unknown" if value is None else value


UtcTime = Annotated[datetime, AfterValidator(_as_utc)]
NullableObject = Annotated[JsonObject, BeforeValidator(_null_as_empty)]


class JobStatus(StrEnum):
    """The states of a v1 job that end it; every other word means that it may still run."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @staticmethod
    def is_terminal(status: str) -> bool:
        return status in _TERMINAL


_TERMINAL: Final = frozenset(JobStatus)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StatusDetails(_Answer):
    message: str | None = None
    progress: Annotated[float | None, AfterValidator(_finite)] = None
    samples_processed: int | None = None
    task_status: Annotated[dict[str, str | None], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict
    )


class RemoteJob(_Answer):
    """A v1 job. `custom_fields` carries our mark; `status` stays a string, since new words may appear."""

    id: str = Field(min_length=1)
    status: Annotated[str, BeforeValidator(_null_as_unknown)]
    created_at: UtcTime | None = None
    status_details: Annotated[StatusDetails, BeforeValidator(_null_as_empty)] = StatusDetails()
    custom_fields: NullableObject = Field(default_factory=dict)

    @property
    def is_terminal(self) -> bool:
        return JobStatus.is_terminal(self.status)


class RemoteConfig(_Answer):
    """An evaluation config; `document` is the whole answer, for the drift compare."""

    id: str | None = None
    name: str
    namespace: str = "default"
    custom_fields: NullableObject = Field(default_factory=dict)
    document: JsonObject


class Results(_Answer):
    """The results of a job; `document` is the whole answer, kept for the user."""

    job: str
    tasks: NullableObject = Field(default_factory=dict)
    groups: NullableObject = Field(default_factory=dict)
    document: JsonObject


Item = TypeVar("Item")


class Pagination(_Answer):
    page: int = 1
    total_pages: int | None = None


class Page(_Answer, Generic[Item]):
    data: list[Item]
    pagination: Pagination | None = None

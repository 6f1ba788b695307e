"""The evaluator's answers, as far as we read them.

Tolerant on purpose: unknown fields are ignored and optional ones may be null or
missing, since servers differ in what they omit. Times are naive UTC on the wire
and aware UTC here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SkipValidation,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from nemo_eval_operator.json_types import JsonObject

from .known_secrets import Redactor
from .mark_keys import ATTEMPT, UID, marks_in
from .redaction import MAX_TEXT_CHARACTERS, readable

__all__ = [
    "LIVE_STATES",
    "JobPage",
    "JobStatus",
    "JsonObject",
    "RemoteConfig",
    "RemoteJob",
    "Results",
    "StatusDetails",
]

MAX_MESSAGE_CHARACTERS: Final = 1_000
"""A message is shown in a condition and an event; an event's may hold 1,024 characters."""

MAX_NUMBER: Final = 1e15
"""Beyond it a number is no progress and no count, and Kubernetes would refuse it."""


YEARS: Final = range(2000, 2200)
"""In which something may have been created. Go's zero time is in the year 1, and at the ends of what a
datetime can hold nothing can be added to it."""


def _as_utc(time: datetime) -> datetime:
    """Raises ValueError for a time at which nothing was created."""
    if time.year not in YEARS:
        raise ValueError(f"the year {time.year}")
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


TEXT_KEYS: Final = ("message", "error", "detail", "error_details", "msg")
"""Where servers put what a person should read, the most telling first."""

TEXT_DEPTH: Final = 3
"""How deep a text is looked for, as in `{"error": {"detail": [{"msg": "..."}]}}`."""


def _text_in(value: object, depth: int = TEXT_DEPTH) -> str | None:
    """The first text of an answer's part, which may be the text itself."""
    match value:
        case str() if value.strip():
            return value[:MAX_TEXT_CHARACTERS]
        case dict() if depth:
            return next(filter(None, (_text_in(value.get(key), depth - 1) for key in TEXT_KEYS)), None)
        case [first, *_] if depth:
            return _text_in(first, depth - 1)
        case _:
            return None


def _details(value: object) -> object:
    """`status_details` as the API has it, its text under `message` wherever the server put it."""
    return {**_dict(value), "message": _text_in(value)}


def _object_or_null(value: object) -> dict[str, object]:
    """The object as it is: what came from a parser of JSON needs no second look at each of its values."""
    if value is not None and not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value or {}


def _word(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS else "unknown"


def _text(value: object) -> str | None:
    return value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) else None


def _never(_: object) -> None:
    """Of a field that answers do not have: it is set by a copy alone."""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_NUMBER:
        return None
    return float(value)


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None or number < 0 else int(number)


def _none_if_unreadable(value: object, validate: ValidatorFunctionWrapHandler) -> datetime | None:
    try:
        time: datetime | None = validate(value)
    except ValidationError:
        return None
    return time


BRIEF_MARKS: Final = (UID, ATTEMPT)

MAX_NAME_CHARACTERS: Final = 512
"""Limit of what the API calls a name, which its clients choose."""

ID: Final = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
"""Ids are written into statuses, annotations and URLs as they are, so they hold nothing that means something
there. Real ones are as eval-WF5xprkaQpjTNZLpsNb1Y1."""


def _id(value: str) -> str:
    """Raises ValueError for what cannot be an id; dots alone would lead elsewhere in a URL's path."""
    if not ID.fullmatch(value) or not value.strip("."):
        raise ValueError("not an id: 1 to 128 characters out of A-Z, a-z, 0-9 and ._:~- are one")
    return value


UtcTime = Annotated[datetime, AfterValidator(_as_utc)]
Identifier = Annotated[str, AfterValidator(_id)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
NullableObject = Annotated[JsonObject, PlainValidator(_object_or_null)]
Marks = Annotated[dict[str, str], PlainValidator(marks_in)]
Document = Annotated[JsonObject, SkipValidation]
"""A whole answer, which came from a parser of JSON."""


LIVE_STATES: Final = ("created", "pending", "running")
"""Those that NeMo's documentation lists for filter[status] and in which a job goes on."""


QUEUED_STATES: Final = ("created", "pending")
"""Those in which the evaluator has accepted a job and not started it."""


CANCELLING: Final = "cancelling"
"""The state of a job whose cancellation was accepted and that has not ended yet."""


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
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class StatusDetails(_Answer):
    """How a job stands; a server that words it differently must not stop us from following the job.

    `raw_message` is the evaluator's text as it came: `RemoteJob.readable_message` is the one to show.
    """

    raw_message: Annotated[str | None, BeforeValidator(_text)] = Field(None, validation_alias="message")
    masked_message: Annotated[str | None, BeforeValidator(_never)] = None
    progress: Annotated[float | None, BeforeValidator(_number)] = None
    samples_processed: Annotated[int | None, BeforeValidator(_count)] = None


class RemoteJob(_Answer):
    """A v1 job. `status` stays a string, since new words may appear.

    Of `custom_fields` the operator's marks are kept.
    """

    id: Identifier
    status: Annotated[str, BeforeValidator(_word)] = "unknown"
    created_at: Annotated[UtcTime | None, WrapValidator(_none_if_unreadable)] = None
    status_details: Annotated[StatusDetails, BeforeValidator(_details)] = StatusDetails()
    custom_fields: Marks = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_text_beside_the_details(cls, document: object) -> object:
        """Some servers put the text of a failure next to `status_details`."""
        if not isinstance(document, dict):
            return document
        details = document.get("status_details")
        text = None if _text_in(details) else _text_in(document)
        return (
            document if text is None else {**document, "status_details": {**_dict(details), "message": text}}
        )

    @property
    def is_terminal(self) -> bool:
        return JobStatus.is_terminal(self.status)

    @property
    def is_queued(self) -> bool:
        return self.status in QUEUED_STATES

    @property
    def is_unclear(self) -> bool:
        """Whether the status does not say if the job runs: a word that v1 does not document, or none."""
        return not (self.is_terminal or self.status in LIVE_STATES or self.status == CANCELLING)

    @property
    def message(self) -> str | None:
        """The evaluator's text as it came: what is decided by it must not depend on what is masked."""
        return self.status_details.raw_message

    @property
    def readable_message(self) -> str | None:
        """What the evaluator says of the job, in one line, without credentials."""
        details = self.status_details
        text = details.raw_message if details.masked_message is None else details.masked_message
        return readable(text or "", MAX_MESSAGE_CHARACTERS).strip() or None

    def in_brief(self) -> Self:
        """The job with what a look-up needs: id, state, times, progress, and the marks of the attempt."""
        details = self.status_details.model_copy(update={"raw_message": None, "masked_message": None})
        marks = {key: self.custom_fields[key] for key in BRIEF_MARKS if key in self.custom_fields}
        return self.model_copy(update={"status_details": details, "custom_fields": marks})

    def hiding(self, known: Redactor) -> Self:
        """The job with `known` values masked in what is shown: the message, and an unknown status."""
        text = known.hide(self.message or "")
        details = self.status_details.model_copy(update={"masked_message": text})
        status = known.hide(self.status) if self.is_unclear else self.status
        return self.model_copy(update={"status_details": details, "status": status})


class RemoteConfig(_Answer):
    """An evaluation config; `document` is the whole answer, for the drift compare.

    Of `custom_fields` the operator's marks are kept.
    """

    id: Identifier | None = None
    name: Name
    namespace: Name = "default"
    custom_fields: Annotated[Marks, BeforeValidator(_object_or_null)] = Field(default_factory=dict)
    document: Document

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        """Raises ValidationError where the document has not the form of a config."""
        return cls.model_validate({**document, "document": document})


class Results(_Answer):
    """The results of a job; `document` is the whole answer, kept for the user."""

    job: Identifier
    tasks: NullableObject = Field(default_factory=dict)
    groups: NullableObject = Field(default_factory=dict)
    document: Document

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        """Raises ValidationError where the document has not the form of results."""
        return cls.model_validate({**document, "document": document})

    def hiding(self, known: Redactor) -> Self:
        """The results with `known` values masked in the texts of the document; all else is as it came."""
        hidden = known.hide_in(self.document)
        if hidden is self.document or not isinstance(hidden, dict):
            return self
        return self.model_copy(update={"document": {**hidden, "job": self.job}})


def _has_id(item: object) -> bool:
    value = item.get("id") if isinstance(item, dict) else None
    return isinstance(value, str) and ID.fullmatch(value) is not None and bool(value.strip("."))


class Pagination(_Answer):
    page: int = 1
    total_pages: int | None = None


class JobPage(_Answer):
    """A page of jobs. An item without a usable id belongs to someone else, or to a broken evaluator.

    `unusable` are the marks of such items: a job whose mark is among them exists all the same.
    """

    data: list[RemoteJob]
    pagination: Pagination | None = None
    unusable: list[dict[str, str]] = Field(default_factory=list)

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        """Raises ValidationError where the document does not have the form of a page."""
        items = document.get("data")
        if not isinstance(items, list):
            return cls.model_validate({**document, "unusable": []})
        fields = [item.get("custom_fields") for item in items if isinstance(item, dict) and not _has_id(item)]
        unusable = [marks for marks in map(marks_in, fields) if marks]
        return cls.model_validate(
            {**document, "data": [item for item in items if _has_id(item)], "unusable": unusable}
        )

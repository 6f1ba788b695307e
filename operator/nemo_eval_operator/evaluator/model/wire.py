"""The evaluator's answers, as far as we read them.

Tolerant on purpose: unknown fields are ignored and optional ones may be null or
missing, since servers differ in what they omit. Times are naive UTC on the wire
and aware UTC here.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WrapValidator,
    model_validator,
)

from nemo_eval_operator.json_types import JsonObject

from .job_state import JobState
from .known_secrets import Redactor
from .mark_keys import marks_in
from .redaction import readable
from .wire_types import (
    BRIEF_MARKS,
    ID,
    MAX_MESSAGE_CHARACTERS,
    Document,
    Identifier,
    Marks,
    Name,
    NullableObject,
    UtcTime,
    count_or_none,
    details_of,
    dict_or_empty,
    never,
    none_if_unreadable,
    number_or_none,
    object_or_null,
    text_in,
    text_or_none,
    word_of,
)

__all__ = [
    "JobPage",
    "JsonObject",
    "RemoteConfig",
    "RemoteJob",
    "Results",
    "StatusDetails",
]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class StatusDetails(_Answer):
    """Progress and messages of a job, in any form: a server that words them differently is followed too.

    `raw_message` is the evaluator's text as it came: `RemoteJob.readable_message` is the one to show.
    """

    raw_message: Annotated[str | None, BeforeValidator(text_or_none)] = Field(
        None, validation_alias="message"
    )
    masked_message: Annotated[str | None, BeforeValidator(never)] = None
    progress: Annotated[float | None, BeforeValidator(number_or_none)] = None
    samples_processed: Annotated[int | None, BeforeValidator(count_or_none)] = None


class RemoteJob(_Answer):
    """A v1 job. `status` stays a string, since new words may appear.

    Of `custom_fields` the operator's marks are kept.
    """

    id: Identifier
    status: Annotated[str, BeforeValidator(word_of)] = "unknown"
    created_at: Annotated[UtcTime | None, WrapValidator(none_if_unreadable)] = None
    status_details: Annotated[StatusDetails, BeforeValidator(details_of)] = StatusDetails()
    custom_fields: Marks = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_text_beside_the_details(cls, document: object) -> object:
        """Some servers put the text of a failure next to `status_details`."""
        if not isinstance(document, dict):
            return document
        details = document.get("status_details")
        text = None if text_in(details) else text_in(document)
        return (
            document
            if text is None
            else {**document, "status_details": {**dict_or_empty(details), "message": text}}
        )

    @property
    def state(self) -> JobState:
        details = self.status_details
        return JobState(self.status, details.progress, details.samples_processed)

    @property
    def is_terminal(self) -> bool:
        return self.state.is_terminal

    @property
    def is_queued(self) -> bool:
        return self.state.is_queued

    @property
    def is_unclear(self) -> bool:
        """Whether the status does not say if the job runs: a word that v1 does not document, or none."""
        return self.state.is_unclear

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
    custom_fields: Annotated[Marks, BeforeValidator(object_or_null)] = Field(default_factory=dict)
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

    `data` are the jobs' documents as they came. `unusable` are the marks of items without a usable id: a job
    whose mark is among them exists all the same.
    """

    data: list[Document]
    pagination: Pagination | None = None
    unusable: list[dict[str, str]] = Field(default_factory=list)

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        """Raises ValidationError where the document does not have the form of a page."""
        items = document.get("data")
        if not isinstance(items, list):
            return cls.model_validate({**document, "unusable": []})
        usable: list[JsonValue] = []
        unusable: list[dict[str, str]] = []
        for item in items:
            if _has_id(item):
                usable.append(item)
            elif isinstance(item, dict) and (marks := marks_in(item.get("custom_fields"))):
                unusable.append(marks)
        return cls.model_validate({**document, "data": usable, "unusable": unusable})

"""Types of fields in the evaluator's answers: lenient where a field is not needed, strict where it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    SkipValidation,
    ValidationError,
    ValidatorFunctionWrapHandler,
)

from nemo_eval_operator.json_types import JsonObject

from .mark_keys import ATTEMPT, UID, marks_in
from .redaction import MAX_TEXT_CHARACTERS

__all__ = [
    "BRIEF_MARKS",
    "ID",
    "MAX_MESSAGE_CHARACTERS",
    "Document",
    "Identifier",
    "Marks",
    "Name",
    "NullableObject",
    "UtcTime",
    "count_or_none",
    "details_of",
    "dict_or_empty",
    "never",
    "none_if_unreadable",
    "number_or_none",
    "object_or_null",
    "text_in",
    "text_or_none",
    "word_of",
]

MAX_MESSAGE_CHARACTERS: Final = 1_000
"""A message is shown in a condition and an event; an event's may hold 1,024 characters."""

MAX_NUMBER: Final = 1e15
"""Beyond it a number is no progress and no count, and Kubernetes would refuse it."""


YEARS: Final = range(2000, 2200)
"""In which something may have been created. Go's zero time is in the year 1, and at the ends of what a
datetime can hold nothing can be added to it."""


def as_utc(time: datetime) -> datetime:
    """Raises ValueError for a time at which nothing was created."""
    if time.year not in YEARS:
        raise ValueError(f"the year {time.year}")
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def dict_or_empty(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


TEXT_KEYS: Final = ("message", "error", "detail", "error_details", "msg")
"""Where servers put what a person should read, the most telling first."""

TEXT_DEPTH: Final = 3
"""How deep a text is looked for, as in `{"error": {"detail": [{"msg": "..."}]}}`."""


def text_in(value: object, depth: int = TEXT_DEPTH) -> str | None:
    """The first text of an answer's part, which may be the text itself."""
    # Run several times for each job of a list, most of which have no text.
    if isinstance(value, str):
        return value[:MAX_TEXT_CHARACTERS] if value.strip() else None
    if not depth or not value:
        return None
    if isinstance(value, dict):
        for key in TEXT_KEYS:
            if (part := value.get(key)) is not None and (text := text_in(part, depth - 1)):
                return text
        return None
    return text_in(value[0], depth - 1) if isinstance(value, list) else None


def details_of(value: object) -> object:
    """`status_details` as the API has it, its text under `message` wherever the server put it."""
    return {**dict_or_empty(value), "message": text_in(value)}


def object_or_null(value: object) -> dict[str, object]:
    """The object as it is: what came from a parser of JSON needs no second look at each of its values."""
    if value is not None and not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value or {}


def word_of(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS else "unknown"


def text_or_none(value: object) -> str | None:
    return value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) else None


def never(_: object) -> None:
    """Of a field that answers do not have: it is set by a copy alone."""


def number_or_none(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_NUMBER:
        return None
    return float(value)


def count_or_none(value: object) -> int | None:
    number = number_or_none(value)
    return None if number is None or number < 0 else int(number)


def none_if_unreadable(value: object, validate: ValidatorFunctionWrapHandler) -> datetime | None:
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


def valid_id(value: str) -> str:
    """Raises ValueError for what cannot be an id; dots alone would lead elsewhere in a URL's path."""
    if not ID.fullmatch(value) or not value.strip("."):
        raise ValueError("not an id: 1 to 128 characters out of A-Z, a-z, 0-9 and ._:~- are one")
    return value


UtcTime = Annotated[datetime, AfterValidator(as_utc)]
Identifier = Annotated[str, AfterValidator(valid_id)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
NullableObject = Annotated[JsonObject, PlainValidator(object_or_null)]
Marks = Annotated[dict[str, str], PlainValidator(marks_in)]
Document = Annotated[JsonObject, SkipValidation]
"""A whole answer, which came from a parser of JSON."""

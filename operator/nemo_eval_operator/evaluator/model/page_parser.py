"""Parser of a page of jobs, which keeps of each job what `RemoteJob` reads.

A job brings its config and its target along, often hundreds of values. They are checked to be JSON, by the
parser of all answers, and no Python objects are made of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import JsonValue, ValidationError
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from .wire import RemoteJob
from .wire_types import TEXT_KEYS

__all__ = ["parse_page"]


def parse_page(content: bytes) -> JsonValue:
    """Return the JSON in `content`; of a page and of its jobs, only the fields that are read.

    Raises ValueError for what is not JSON.
    """
    try:
        page: JsonValue = _PAGE.validate_json(content)
    except ValidationError as error:
        # Its own text quotes the content.
        raise ValueError(error.errors(include_input=False)[0]["ctx"]["error"]) from None
    return page


def _or_anything(schema: CoreSchema) -> CoreSchema:
    return core_schema.union_schema([schema, core_schema.any_schema()], mode="left_to_right")


def _object_with(fields: Iterable[str], **schemas: CoreSchema) -> CoreSchema:
    kept = {
        name: core_schema.typed_dict_field(schemas.get(name, core_schema.any_schema()), required=False)
        for name in fields
    }
    return _or_anything(core_schema.typed_dict_schema(kept, extra_behavior="ignore"))


_JOB: Final = _object_with((*RemoteJob.model_fields, *TEXT_KEYS))
_PAGE: Final = SchemaValidator(
    _object_with(("data", "pagination"), data=_or_anything(core_schema.list_schema(_JOB)))
)

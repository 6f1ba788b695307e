"""Changes to stored documents: a merge patch, and the check of what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nemo_local_evaluator.wire.bounds import MAX_DOCUMENT_BYTES, TOO_LARGE
from nemo_local_evaluator.wire.errors import InvalidBody, TooLarge

__all__ = ["merge_patch", "validated"]

Model = TypeVar("Model", bound=BaseModel)


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7396: objects merge, null removes, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def validated(model: type[Model], merged: object) -> Model:
    """Raise TooLarge, or InvalidBody, which names places and echoes no values."""
    # Each patch is bounded, but not what many of them add up to.
    if len(json.dumps(merged)) > MAX_DOCUMENT_BYTES:
        raise TooLarge(TOO_LARGE)
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidBody([{**detail, "loc": ["body", *detail["loc"]]} for detail in details]) from error

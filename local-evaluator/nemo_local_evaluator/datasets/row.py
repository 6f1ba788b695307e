"""The type of a dataset's row, and how large one may be."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from nemo_local_evaluator.wire.bounds import separators

__all__ = ["MAX_ROW_BYTES", "Row", "SizedRow", "item_id", "weight"]

Row = dict[str, Any]
"""A row of a dataset: values that JSON has, whatever the file's format."""

SizedRow = tuple[Row, int]
"""A row, and its weight."""

MAX_ROW_BYTES: Final = 16 * 1024 * 1024
"""A longer row is refused: rows are what memory is bounded by. A model's context is a small part of it."""

_PART_BYTES: Final = 64
"""Memory that an object, list or value takes at least, however short its text is."""


def item_id(item: object) -> str:
    """Return a name for a row by its content: the SHA-256 of its canonical JSON.

    That is JSON with sorted keys, without blanks, in UTF-8.
    """
    text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def weight(text: bytes) -> int:
    """Return about how many bytes of memory a row takes, by its JSON text."""
    return len(text) + _PART_BYTES * separators(text)

"""Texts of a report: whatever an object, an evaluator or a model wrote is cleaned and cut here."""

from __future__ import annotations

import json
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import readable, readable_lines

__all__ = ["document_text", "item_text", "name_text"]

MAX_NAME_CHARACTERS: Final = 300
"""Shown of a name or message."""

MAX_ITEM_CHARACTERS: Final = 2_000
"""Shown of a question or an answer."""

MAX_DOCUMENT_CHARACTERS: Final = 64 * 1024
"""Shown of a config or target."""


def name_text(text: str) -> str:
    """Return a name or message in one line."""
    return " ".join(_encodable(readable(text, MAX_NAME_CHARACTERS)).split())


def item_text(text: str | None) -> str | None:
    """Return a question or an answer with its line breaks, cut with a note of what is left out."""
    return None if text is None else _cut(text, MAX_ITEM_CHARACTERS)


def document_text(document: JsonValue) -> str:
    """Return a config or target as indented JSON."""
    return _cut(json.dumps(document, indent=2, ensure_ascii=False), MAX_DOCUMENT_CHARACTERS)


def _cut(text: str, limit: int) -> str:
    shown = _encodable(readable_lines(text, limit))
    return f"{shown}… ({len(text) - limit:,} more characters)" if len(text) > limit else shown


def _encodable(text: str) -> str:
    """Return the text without lone surrogates, which UTF-8 does not have."""
    return text.encode("utf-8", "replace").decode()

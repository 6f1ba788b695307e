"""Type of JSON objects, and what reads them."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue, TypeAdapter

__all__ = ["JSON_OBJECT", "JsonObject"]

JsonObject = dict[str, JsonValue]

JSON_OBJECT: Final = TypeAdapter(JsonObject)
"""Reads JSON objects from texts. Its methods raise ValidationError."""

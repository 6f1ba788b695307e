"""Type of JSON objects."""

from __future__ import annotations

from pydantic import JsonValue

__all__ = ["JsonObject"]

JsonObject = dict[str, JsonValue]

"""Limit of a document's nesting: code that walks one, pickle above all, calls itself for each level."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_DEPTH", "TOO_DEEP", "is_too_deep"]

MAX_DEPTH: Final = 100
"""Objects and lists within each other, which only an attack would need; Python's own limit is near 1,000."""

TOO_DEEP: Final = f"more than {MAX_DEPTH} nested objects and lists"


def is_too_deep(document: object) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True

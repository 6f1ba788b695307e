"""Suggestions for a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

__all__ = ["closest"]

_COMPARED: Final = 64
"""Characters of a name that are compared; the time grows with the square of the length."""


def closest(name: str, known: Iterable[str], *, similarity: float = 0.7) -> str | None:
    """Return the known name that resembles `name` most, or None. `similarity` is the least, from 0 to 1."""
    found = get_close_matches(name[:_COMPARED], known, n=1, cutoff=similarity)
    return found[0] if found else None

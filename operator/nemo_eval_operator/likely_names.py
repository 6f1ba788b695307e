"""The known name that a misspelt one probably means: a field, an option's value or a score."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

__all__ = ["most_like"]

CLOSE_ENOUGH: Final = 0.7
"""Similarity, from 0 to 1, from which on a known name is suggested."""

MIN_BEGINNING: Final = 3
"""Characters of a name from which on it may be the beginning of another."""

MAX_CHARACTERS: Final = 64
"""Of a name that is compared; the time grows with the square of the length."""


def most_like(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant; None where none is like it."""
    plain = {_plain(one): one for one in known}
    close = get_close_matches(_plain(name[:MAX_CHARACTERS]), plain, n=1, cutoff=CLOSE_ENOUGH)
    if close:
        return plain[close[0]]
    # `min` for `minimum`: the beginning of one name only.
    begun = [
        one for start, one in plain.items() if len(name) >= MIN_BEGINNING and start.startswith(_plain(name))
    ]
    return begun[0] if len(begun) == 1 else None


def _plain(name: str) -> str:
    """Return the name without the differences between `filesUrl` and `files_url`."""
    return name.lower().replace("_", "").replace("-", "")

"""Durations on the command line, as kubectl reads them."""

from __future__ import annotations

import re
from typing import Final

from .exit_codes import CommandFailed, ExitCode

__all__ = ["seconds_of"]

PARTS: Final = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")

SECONDS: Final = (3600, 60, 1)
"""Of the parts, in their order."""


def seconds_of(text: str) -> float:
    """Return the seconds of a duration such as 90s, 1m30s or 2h; a number alone is in seconds.

    Raises CommandFailed.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = PARTS.fullmatch(text)
    if not text or found is None:
        raise CommandFailed(f"{text!r} is not a duration: write it like 90s, 1m30s or 2h", ExitCode.USAGE)
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), SECONDS, strict=True))

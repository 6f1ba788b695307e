"""Names of scores, and lines of scores, in columns that are too narrow for them: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

__all__ = ["score_lines", "shortened"]

ELLIPSIS: Final = "…"

SCORE: Final = re.compile(r"\S+=\S+(?: \(\d+ of \d+\))?")
"""One of several scores in a line."""

LINE: Final = re.compile(rf"(?P<scores>{SCORE.pattern}(?: {SCORE.pattern})*)(?: \+(?P<more>\d+) more)?")
"""Scores in one line, as in `em=0.45 f1=0.61 +2 more`."""


def score_lines(line: str, note: str = "") -> list[str]:
    """Return the line, then shorter ones with fewer whole scores; each ends with the note."""
    end = f" {note}" if note else ""
    found = LINE.fullmatch(line)
    if found is None:
        return [f"{line}{end}"]
    scores, more = SCORE.findall(found["scores"]), int(found["more"] or 0)
    fewer = range(len(scores) - 1, 0, -1)
    lines = [line, *(f"{' '.join(scores[:shown])} +{more + len(scores) - shown} more" for shown in fewer)]
    if more or len(scores) > 1:
        lines.append(f"{scores[0]} {ELLIPSIS}")
        lines += [scores[0]] if note else []
    return [f"{one}{end}" for one in lines]


def shortened(names: Sequence[str], width: int) -> list[str]:
    """Return the ends of the names, of at most `width` characters and each different from the others.

    Names of one run begin alike (TASK/METRIC/...) and differ at the end. Where names would become equal, all
    are longer than `width`, by as little as they have to be.
    """
    longest = max(map(len, names), default=0)
    for limit in range(width, longest):
        for end in (_part, _characters):
            found = _cut(names, limit, end)
            if len(set(found)) == len(set(names)):
                return found
    return list(names)


def _cut(names: Sequence[str], limit: int, end: Callable[[str, int], str]) -> list[str]:
    return [name if len(name) <= limit else ELLIPSIS + end(name, limit - 1) for name in names]


def _characters(name: str, limit: int) -> str:
    return name[len(name) - max(limit, 0) :]


def _part(name: str, limit: int) -> str:
    """Return what begins at the first slash that leaves at most so many characters; else the last ones."""
    start = name.find("/", len(name) - max(limit, 0))
    return name[start:] if 0 <= start < len(name) - 1 else _characters(name, limit)

"""What a check found, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.plugin.screen import Style, clean, wrapped

__all__ = ["Finding", "Level", "finding_lines"]

CHECK_WIDTH: Final = 11

INDENT: Final = " " * 16


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


SIGNS: Final = {Level.OK: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.ERROR: ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was checked, what was found, and what to do; nothing where all is well."""

    check: str
    level: Level
    message: str
    action: str = ""

    def as_json(self) -> JsonObject:
        """Return the finding for programs."""
        return {
            "check": self.check,
            "level": self.level.value,
            "message": clean(self.message),
            "action": clean(self.action) or None,
        }


def finding_lines(findings: Iterable[Finding], *, style: Style, width: int) -> Iterator[str]:
    """Return the findings as lines of a screen."""
    for one in findings:
        sign, colour = SIGNS[one.level]
        first, *more = wrapped(clean(one.message), indent=INDENT, width=width) or [INDENT]
        yield f"  {style.paint(sign, colour)} {one.check.ljust(CHECK_WIDTH)} {first.strip()}"
        yield from more
        if one.action:
            yield from wrapped(f"What to do: {clean(one.action)}", indent=INDENT, width=width)

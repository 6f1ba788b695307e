"""Text on a terminal: colours where they are wanted, and lines no wider than the window."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from dataclasses import dataclass
from typing import Final

from nemo_eval_operator.evaluator.model import readable

__all__ = ["Style", "clean", "style_of", "window_width", "wrapped"]

CODES: Final = {"green": 32, "red": 31, "yellow": 33, "cyan": 36, "grey": 90, "bold": 1}
"""SGR parameters (ECMA-48)."""

NOT_A_TERMINAL_COLUMNS: Final = 120


@dataclass(frozen=True, slots=True)
class Style:
    """Colours, or none."""

    coloured: bool

    def paint(self, text: str, *names: str) -> str:
        """Return the text in these colours."""
        if not self.coloured or not text or not names:
            return text
        return f"\x1b[{';'.join(str(CODES[name]) for name in names)}m{text}\x1b[0m"


def style_of(*, no_color: bool) -> Style:
    """Return whether standard output takes colours: not with --no-color or NO_COLOR, nor in a pipe."""
    return Style(not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty())


def window_width() -> int:
    """Return the columns of the terminal, or COLUMNS; 120 where the output is not a terminal."""
    return shutil.get_terminal_size((NOT_A_TERMINAL_COLUMNS, 40)).columns


def clean(text: str, limit: int = 400) -> str:
    """Return text of an object in one line: without control characters and what looks like a credential."""
    return readable(text, limit)


def wrapped(text: str, *, indent: str, width: int) -> list[str]:
    """Return the text in lines of at most `width` columns."""
    return textwrap.wrap(
        text, max(width, 40), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )

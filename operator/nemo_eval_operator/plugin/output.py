"""Output for programs and for people: JSON, YAML, CSV, and the console that tables are printed on."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import escaped
from nemo_eval_operator.json_types import JsonObject

from .exit_codes import CommandFailed, ExitCode
from .screen import style_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

__all__ = [
    "GAP",
    "VERDICT_STYLES",
    "Format",
    "can_redraw",
    "console_for",
    "document_text",
    "format_of",
    "live_on",
    "print_indented",
    "print_table",
    "rows_text",
    "write_note",
]

GAP: Final = 2
"""Blanks between two columns of a table."""

VERDICT_STYLES: Final = {"Passed": "green", "Failed": "bold red", "Inconclusive": "yellow"}
"""Styles of the verdicts of gates, and of the results of their criteria."""

UNLIMITED_COLUMNS: Final = 100_000
"""Columns where the output is not a terminal, or with -o wide: nothing is cut or wrapped."""


class Format(StrEnum):
    """What -o asks for."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"
    """Only `get` has it."""

    @property
    def is_table(self) -> bool:
        """Return whether people read it."""
        return self in {Format.TABLE, Format.WIDE}


def format_of(text: str | None, *, names: bool = False) -> Format:
    """Return the format of the option -o; `names`: -o name is one. Raises CommandFailed."""
    known = [one for one in Format if names or one is not Format.NAME]
    chosen = text or Format.TABLE
    if chosen not in known:
        listed = ", ".join(known)
        raise CommandFailed(f"{text!r} is not an output format: use one of {listed}", ExitCode.USAGE)
    return Format(chosen)


def rows_text(output: Format, rows: Sequence[JsonObject]) -> str:
    """Return the rows as a list in JSON or YAML, or as CSV with a heading."""
    if output is not Format.CSV:
        return document_text(output, [*rows])
    from nemo_eval_operator.samples_view import csv_text  # noqa: PLC0415 - most commands need no CSV

    headings = list(dict.fromkeys(name for one in rows for name in one))
    return csv_text(headings, [[_cell(one.get(name)) for name in headings] for one in rows])


def document_text(output: Format, document: JsonValue) -> str:
    """Return the document as YAML or JSON without control characters; what is read from it is unchanged."""
    if output is Format.YAML:
        import yaml  # noqa: PLC0415 - most commands need no YAML

        return str(yaml.safe_dump(document, sort_keys=False, width=UNLIMITED_COLUMNS))
    return _json(document) + "\n"


def _cell(value: JsonValue) -> str | float | None:
    if isinstance(value, bool | dict | list):
        return _json(value, indent=None)
    return escaped(value) if isinstance(value, str) else value


def _json(value: JsonValue, *, indent: int | None = 2) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # JSON escapes only the first 32 characters; others control terminals too.
    return "\n".join(map(escaped, text.split("\n")))


def console_for(*, no_color: bool, wide: bool = False) -> Console:
    """Return a console on standard output that shows text as it is, without markup."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only tables need it

    is_terminal = sys.stdout.isatty()
    return Console(
        # Without a colour system there is no bold text either.
        color_system="auto" if style_of(no_color=no_color).coloured else None,
        width=None if is_terminal and not wide else UNLIMITED_COLUMNS,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=wide or not is_terminal,
    )


def print_table(console: Console, table: RenderableType) -> None:
    """Print the table without blanks at the ends of its lines."""
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")


def print_indented(console: Console, text: Text, indent: int) -> None:
    """Print the text; lines that it is wrapped into begin in column `indent`."""
    from rich.text import Text  # noqa: PLC0415 - slow to import, and only tables need it

    head, rest = text[:indent], text[indent:]
    lines = rest.wrap(console, max(console.width - indent, 1))
    for number, line in enumerate(lines, start=1):
        if number < len(lines):
            line.rstrip()
        console.print(head.append_text(line))
        head = Text(" " * indent)


def can_redraw(console: Console) -> bool:
    """Return whether printed lines can be replaced: on a terminal, unless TERM says that it cannot."""
    return console.is_terminal and not console.is_dumb_terminal


def live_on(console: Console) -> Live:
    """Return a display that is drawn by `update` only, so never more often than runs are read.

    Lines of `write_note` appear above it, or go to where standard error is redirected.
    """
    from rich.live import Live  # noqa: PLC0415 - slow to import, and only a terminal needs it

    return Live(console=console, auto_refresh=False, redirect_stderr=sys.stderr.isatty())


def write_note(line: str) -> None:
    """Print a line on standard error, above a display that is drawn."""
    # typer.echo finds the stream behind the one that a display puts in the place of standard error.
    sys.stderr.write(f"{line}\n")

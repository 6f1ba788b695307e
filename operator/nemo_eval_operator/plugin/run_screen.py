"""How `get` shows runs: one table, a table that is drawn again, or a line for each change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import typer

from .output import can_redraw, console_for, live_on, print_table, write_note
from .run_list import ChangedLines, watch_rows
from .run_rows import RunRow
from .run_table import RunTables, run_table

__all__ = ["print_rows", "watch_on_screen"]


def print_rows(rows: Sequence[RunRow], *, no_color: bool, namespaces: bool, wide: bool) -> None:
    """Print the table once."""
    console = console_for(no_color=no_color, wide=wide)
    print_table(console, run_table(rows, console=console, namespaces=namespaces, wide=wide))


async def watch_on_screen(
    read: Callable[[], Awaitable[list[RunRow]]],
    *,
    nothing: str,
    no_color: bool,
    namespaces: bool,
    wide: bool,
) -> None:
    """Until cancelled, draw the table after each read; print changes where it cannot be drawn again.

    `nothing` is printed on standard error if there are no runs at first.
    """
    console = console_for(no_color=no_color, wide=wide)

    def report_nothing() -> None:
        write_note(nothing)

    if not can_redraw(console):
        await watch_rows(read, ChangedLines(typer.echo, namespaces=namespaces), report_nothing, write_note)
        return
    tables = RunTables(console, namespaces=namespaces, wide=wide)
    with live_on(console) as live:

        def draw(rows: Sequence[RunRow]) -> None:
            live.update(tables.of(rows), refresh=True)

        await watch_rows(read, draw, report_nothing, write_note)

"""The table of runs that `get` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemo_eval_operator.clock import duration_text

from .run_rows import RunRow, age_text

__all__ = ["BAR_CELLS", "run_table"]

BAR_CELLS: Final = 10

RANK_STYLES: Final = ("red", "cyan", "yellow", "green")
"""Colours by `RunRow.rank`."""

VERDICT_STYLES: Final = {"Passed": "green", "Failed": "bold red", "Inconclusive": "yellow"}

COLUMNS: Final = ("NAME", "PHASE", "PROGRESS", "LEFT", "VERDICT", "SCORES", "AGE")
WIDE_COLUMNS: Final = ("MODEL", "BENCHMARK", "ATTEMPT", "JOB", "DURATION", "MESSAGE")
NARROWED: Final = frozenset({"PHASE", "SCORES"})
"""Columns that are cut, with an ellipsis, where the terminal is too narrow."""


def run_table(
    rows: Sequence[RunRow], *, console: Console, namespaces: bool = False, wide: bool = False
) -> Table:
    """Return the table; `namespaces`: with a column for them."""
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in (*(("NAMESPACE",) if namespaces else ()), *COLUMNS, *(WIDE_COLUMNS if wide else ())):
        # Columns that do not wrap keep their width: a name is needed whole, for the next command.
        table.add_column(name, no_wrap=name not in NARROWED)
    for row in rows:
        table.add_row(*_cells(row, bars=console.is_terminal, namespaces=namespaces, wide=wide))
    return table


def _cells(row: RunRow, *, bars: bool, namespaces: bool, wide: bool) -> Iterable[Text]:
    if namespaces:
        yield Text(row.namespace)
    yield Text(row.name)
    yield _narrowed(row.stage, style=RANK_STYLES[row.rank])
    yield _progress(row.percent, bars=bars)
    yield Text(duration_text(row.left) if row.left else "")
    yield Text(row.verdict, style=VERDICT_STYLES.get(row.verdict, ""))
    yield _narrowed(row.score)
    yield Text(age_text(row.age))
    if wide:
        attempt = "" if row.attempt is None else str(row.attempt)
        yield from map(Text, (row.model, row.benchmark, attempt, row.job_id, row.duration, row.message))


def _narrowed(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _progress(percent: int | None, *, bars: bool) -> Text:
    if percent is None:
        return Text("")
    if not bars:
        return Text(f"{percent}%")
    filled = percent * BAR_CELLS // 100
    bar = Text("█" * filled, style="cyan")
    return bar.append("░" * (BAR_CELLS - filled), style="bright_black").append(f" {percent:>3}%", style="")

"""The table of runs that `get` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.resources import Phase

from .run_rows import RunRow, age_text

__all__ = ["BAR_CELLS", "run_table"]

BAR_CELLS: Final = 10

RANK_STYLES: Final = ("red", "cyan", "yellow", "green")
"""Colours by `RunRow.rank`, of all other phases than these."""

PHASE_STYLES: Final[Mapping[str, str]] = {Phase.SUCCEEDED: "green", Phase.CANCELLED: ""}

VERDICT_STYLES: Final = {"Passed": "green", "Failed": "bold red", "Inconclusive": "yellow"}

COLUMNS: Final = ("NAME", "PHASE", "PROGRESS", "LEFT", "VERDICT", "SCORES", "AGE")
WIDE_COLUMNS: Final = ("MODEL", "BENCHMARK", "ATTEMPT", "JOB", "DURATION", "MESSAGE")
ALWAYS: Final = frozenset({"NAMESPACE", "NAME", "PHASE", "AGE"})
"""Columns that are shown even where all their cells are empty."""

GAP: Final = 2
"""Blanks between two columns."""

MAX_FIRST_SCORE: Final = 32
"""Width that is kept for the first score of each run; names of metrics may be long."""


def run_table(
    rows: Sequence[RunRow], *, console: Console, namespaces: bool = False, wide: bool = False
) -> Table:
    """Return the table; `namespaces`: with a column for them.

    Where it is too wide for the console, the reasons behind the phases are cut first, then the scores after
    the first one. A name is needed whole, for the next command.
    """
    columns = _columns(rows, bars=console.is_terminal, namespaces=namespaces, wide=wide)
    widths = _widths(rows, columns, console.width)
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=widths.get(name))
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def _columns(rows: Sequence[RunRow], *, bars: bool, namespaces: bool, wide: bool) -> dict[str, list[Text]]:
    """Return the cells of each column, without the columns that have nothing to show."""
    names = (*(("NAMESPACE",) if namespaces else ()), *COLUMNS, *(WIDE_COLUMNS if wide else ()))
    cells = [list(_cells(row, bars=bars, namespaces=namespaces, wide=wide)) for row in rows]
    columns = {name: [row[place] for row in cells] for place, name in enumerate(names)}
    return {name: column for name, column in columns.items() if name in ALWAYS or any(map(len, column))}


def _widths(rows: Sequence[RunRow], columns: Mapping[str, Sequence[Text]], room: int) -> dict[str, int]:
    """Return the widths of the columns that are cut so that all fit into `room`, as far as they can be."""
    widths = {name: max(len(name), *(cell.cell_len for cell in column)) for name, column in columns.items()}
    excess = sum(widths.values()) + GAP * (len(widths) - 1) - room
    cut: dict[str, int] = {}
    for name, least in (("PHASE", _longest_phase(rows)), ("SCORES", _longest_first_score(rows))):
        if excess > 0 and name in widths:
            cut[name] = max(len(name), least, widths[name] - excess)
            excess -= widths[name] - cut[name]
    return cut


def _longest_phase(rows: Sequence[RunRow]) -> int:
    return max((cell_len(row.stage.partition(" (")[0]) for row in rows), default=0)


def _longest_first_score(rows: Sequence[RunRow]) -> int:
    longest = max((cell_len(row.score.partition(" ")[0]) for row in rows), default=0)
    return min(MAX_FIRST_SCORE, longest)


def _cells(row: RunRow, *, bars: bool, namespaces: bool, wide: bool) -> Iterable[Text]:
    if namespaces:
        yield Text(row.namespace)
    yield Text(row.name)
    yield Text(row.stage, style=_phase_style(row))
    yield _progress(row.percent, bars=bars)
    yield Text(duration_text(row.left) if row.left else "")
    yield Text(row.verdict, style=VERDICT_STYLES.get(row.verdict, ""))
    yield Text(row.score)
    yield Text(age_text(row.age))
    if wide:
        attempt = "" if row.attempt is None else str(row.attempt)
        yield from map(Text, (row.model, row.benchmark, attempt, row.job_id, row.duration, row.message))


def _phase_style(row: RunRow) -> str:
    """Return the colour of the phase alone: the verdict has its own."""
    return PHASE_STYLES.get(row.phase, RANK_STYLES[row.rank])


def _progress(percent: int | None, *, bars: bool) -> Text:
    if percent is None:
        return Text("")
    if not bars:
        return Text(f"{percent}%")
    filled = percent * BAR_CELLS // 100
    bar = Text("█" * filled, style="cyan")
    return bar.append("░" * (BAR_CELLS - filled), style="bright_black").append(f" {percent:>3}%", style="")

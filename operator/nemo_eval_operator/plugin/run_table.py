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

__all__ = ["BAR_CELLS", "RunTables", "run_table"]

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
    return RunTables(console, namespaces=namespaces, wide=wide).of(rows)


class RunTables:
    """Tables that replace each other on a terminal: columns neither vanish nor become narrower."""

    def __init__(self, console: Console, *, namespaces: bool = False, wide: bool = False) -> None:
        self._console = console
        self._namespaces = namespaces
        self._wide = wide
        self._widths: dict[str, int] = {}
        """The largest width that each column has had."""

    def of(self, rows: Sequence[RunRow]) -> Table:
        """Return the table of these rows."""
        columns = _columns(rows, bars=self._console.is_terminal, namespaces=self._namespaces, wide=self._wide)
        shown = {
            name: column
            for name, column in columns.items()
            if name in ALWAYS or name in self._widths or any(map(len, column))
        }
        for name, column in shown.items():
            cells = (cell.cell_len for cell in column)
            self._widths[name] = max(self._widths.get(name, 0), len(name), *cells)
        cut = _cut(rows, self._widths, self._console.width)
        widths = self._widths | cut
        if _total(widths) > self._console.width:
            # The console is narrower than what must not be cut: rich cuts all columns.
            widths = cut
        table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for name in shown:
            table.add_column(name, no_wrap=True, overflow="ellipsis", width=widths.get(name))
        for row in zip(*shown.values(), strict=True):
            table.add_row(*row)
        return table


def _columns(rows: Sequence[RunRow], *, bars: bool, namespaces: bool, wide: bool) -> dict[str, list[Text]]:
    """Return the cells of each column."""
    names = (*(("NAMESPACE",) if namespaces else ()), *COLUMNS, *(WIDE_COLUMNS if wide else ()))
    cells = [list(_cells(row, bars=bars, namespaces=namespaces, wide=wide)) for row in rows]
    return {name: [row[place] for row in cells] for place, name in enumerate(names)}


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _cut(rows: Sequence[RunRow], widths: Mapping[str, int], room: int) -> dict[str, int]:
    """Return the widths of the columns that are cut so that all fit into `room`, as far as they can be."""
    excess = _total(widths) - room
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

"""The table of runs that `get` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group
from rich.text import Text

from nemo_eval_operator.clock import duration_text
from nemo_eval_operator.resources import Phase

from .output import GAP, VERDICT_STYLES
from .run_rows import RunRow, age_text
from .score_names import score_lines

__all__ = ["BAR_CELLS", "RunTables", "run_table"]

BAR_CELLS: Final = 10

RANK_STYLES: Final = ("red", "cyan", "yellow", "green")
"""Colours by `RunRow.rank`, of all other phases than these."""

PHASE_STYLES: Final[Mapping[str, str]] = {Phase.SUCCEEDED: "green", Phase.CANCELLED: ""}

COLUMNS: Final = ("NAME", "PHASE", "PROGRESS", "LEFT", "VERDICT", "SCORES", "AGE")
WIDE_COLUMNS: Final = ("MODEL", "BENCHMARK", "ATTEMPT", "JOB", "DURATION", "MESSAGE")
ALWAYS: Final = frozenset({"NAMESPACE", "NAME", "PHASE", "AGE"})
"""Columns that are shown even where all their cells are empty."""

MAX_FIRST_SCORE: Final = 32
"""Width that is kept for the first score of each run; names of metrics may be long."""


LEFT_OUT: Final = ("PROGRESS", "LEFT")
"""Columns that are left out where the console is too narrow, in this order; the phase has the percentage."""


def run_table(
    rows: Sequence[RunRow], *, console: Console, namespaces: bool = False, wide: bool = False
) -> Group:
    """Return the table; `namespaces`: with a column for them.

    Where it is too wide for the console, the reasons behind the phases are cut first, unless the cells after
    them are empty, then the scores after the first one, then columns are left out. A name is needed whole,
    for the next command.
    """
    return RunTables(console, namespaces=namespaces, wide=wide).of(rows)


class RunTables:
    """Tables that replace each other on a terminal: columns do not come and go, nor become narrower."""

    def __init__(self, console: Console, *, namespaces: bool = False, wide: bool = False) -> None:
        self._console = console
        self._namespaces = namespaces
        self._wide = wide
        self._left_out = 0
        """How many of LEFT_OUT are left out."""
        self._widths: dict[str, int] = {}
        """The largest width that each column has had."""
        self._phase = 0
        """The same of phases without their reasons, to which PHASE may be cut."""

    def of(self, rows: Sequence[RunRow]) -> Group:
        """Return the table of these rows."""
        while True:
            columns = self._columns(rows)
            phases = (cell_len(cell.plain.partition(" (")[0]) for cell in columns["PHASE"])
            self._phase = max([self._phase, *phases])
            widths = self._widths | self._cut(rows)
            if _total(widths) <= self._console.width or self._left_out == len(LEFT_OUT):
                break
            self._widths.pop(LEFT_OUT[self._left_out], None)
            self._left_out += 1
        if "SCORES" in columns:
            columns["SCORES"] = [_scores(row, widths["SCORES"]) for row in rows]
        lines = [[Text(name, style="bold") for name in columns], *zip(*columns.values(), strict=True)]
        return Group(*(_line(cells, [widths[name] for name in columns]) for cells in lines))

    def _columns(self, rows: Sequence[RunRow]) -> dict[str, list[Text]]:
        """Return the cells of each column that is shown, and note their widths."""
        hidden = LEFT_OUT[: self._left_out]
        bars = self._console.is_terminal
        cells = [_cells(row, bars=bars, in_phase="PROGRESS" in hidden) for row in rows]
        names = (
            *(("NAMESPACE",) if self._namespaces else ()),
            *COLUMNS,
            *(WIDE_COLUMNS if self._wide else ()),
        )
        shown: dict[str, list[Text]] = {}
        for name in names:
            column = [row[name] for row in cells]
            if name in hidden or not (name in ALWAYS or name in self._widths or any(map(len, column))):
                continue
            shown[name] = column
            widths = (cell.cell_len for cell in column)
            self._widths[name] = max(self._widths.get(name, 0), len(name), *widths)
        return shown

    def _cut(self, rows: Sequence[RunRow]) -> dict[str, int]:
        """Return the widths of the columns that are cut so that all fit, as far as they can be."""
        excess = _total(self._widths) - self._console.width
        cut: dict[str, int] = {}
        scores = max(map(_least, rows), default=0)
        for name, least in (("PHASE", self._phase), ("SCORES", min(MAX_FIRST_SCORE, scores))):
            if excess > 0 and name in self._widths:
                cut[name] = max(len(name), least, self._widths[name] - excess)
                excess -= self._widths[name] - cut[name]
        return cut


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    """Return a line of the table; a cell that is too long goes on where the next ones are empty.

    On a console that is narrower than what must not be cut, the line is cut at its end.
    """
    line, column = Text(no_wrap=True, overflow="ellipsis"), 0
    while column < len(cells):
        cell, room, column = cells[column].copy(), widths[column], column + 1
        while cell.cell_len > room and column < len(cells) and not cells[column]:
            room, column = room + GAP + widths[column], column + 1
        cell.truncate(room, overflow="ellipsis", pad=True)
        line.append_text(cell).append(" " * GAP if column < len(cells) else "")
    return line


def _least(row: RunRow) -> int:
    """Return the width of the first score and the number of samples, without the word behind it."""
    return cell_len(score_lines(row.score, row.limit.partition("s")[0])[-1])


def _scores(row: RunRow, width: int) -> Text:
    """Return as many whole scores as fit."""
    lines = score_lines(row.score, row.limit)
    return Text(next((one for one in lines if cell_len(one) <= width), lines[-1]))


def _cells(row: RunRow, *, bars: bool, in_phase: bool) -> dict[str, Text]:
    """Return the cells by the names of their columns; `in_phase`: the percentage is behind the phase."""
    percent = f" {row.percent}%" if in_phase and row.percent is not None else ""
    attempt = "" if row.attempt is None else str(row.attempt)
    return {
        "NAMESPACE": Text(row.namespace),
        "NAME": Text(row.name),
        "PHASE": Text(f"{row.stage}{percent}", style=_phase_style(row)),
        "PROGRESS": _progress(row.percent, bars=bars),
        "LEFT": Text(duration_text(row.left) if row.left else ""),
        "VERDICT": Text(row.verdict, style=VERDICT_STYLES.get(row.verdict, "")),
        "SCORES": Text(score_lines(row.score, row.limit)[0]),
        "AGE": Text(age_text(row.age)),
        "MODEL": Text(row.model),
        "BENCHMARK": Text(row.benchmark),
        "ATTEMPT": Text(attempt),
        "JOB": Text(row.job_id),
        "DURATION": Text(row.duration),
        "MESSAGE": Text(row.message),
    }


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

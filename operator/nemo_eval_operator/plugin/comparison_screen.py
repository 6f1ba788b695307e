"""The screen of `kubectl nemoeval compare`: scores with their changes, bars, and the items that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .output import GAP, print_indented, print_table
from .report import Change, Comparison, Flip, Flips, Run
from .result_screen import INDENT, interval_text, number_text, result_table, show_text
from .run_results import values_alone
from .score_names import shortened

__all__ = ["show_comparison", "why_not_compared"]

BAR_CELLS: Final = 24

VERDICT_STYLES: Final = {"better": "green", "worse": "bold red"}

WRAPPED_VERDICT: Final = len("no difference")
"""Width of the verdicts where the console is narrow: a longer one goes on in the next line."""

BETTER, WORSE = ("+", "green"), ("-", "red")
"""Sign and style of an item that became better, and of one that became worse."""

MAX_FIELDS: Final = 8
"""Fields of configs that are shown where they differ."""

MAX_NAMED: Final = 3
"""Scores that a note names."""


def show_comparison(runs: tuple[Run, Run], found: Comparison, console: Console, *, whole: bool) -> None:
    """Print scores next to each other, their changes, a bar for each score, and the items that changed.

    `whole`: texts of items are not cut. Names of scores lose their beginnings where the console is narrow.
    """
    console.print(Text(f"baseline   {runs[0].name}\ncandidate  {runs[1].name}\n"))
    if found.note:
        _show_why_not(found, console)
    if not found.changes:
        table = result_table("SCORE", "BASELINE", "CANDIDATE")
        for name, before, after in values_alone(*runs):
            table.add_row(Text(name), number_text(before), number_text(after))
        print_table(console, table)
        return
    bars = [_bar(one) for one in found.changes]
    beside_bars = console.width - max(bar.cell_len for bar in bars)
    table, names = _changes(found, console.width, beside_bars)
    print_table(console, table)
    _show_notes(found, console)
    if names != [one.score for one in found.changes]:
        console.print(Text("\nNames of scores are cut: -o wide shows them whole"))
    _show_bars(zip(bars, names, strict=True), console)
    _show_flips(found.became_worse, "worse", WORSE, console, whole=whole)
    _show_flips(found.became_better, "better", BETTER, console, whole=whole)


def _changes(found: Comparison, width: int, longest: int) -> tuple[Table, list[str]]:
    """Return the table and the names of scores in it, which are cut to fit, and to `longest` elsewhere."""
    heads = ("SCORE", "BASELINE", "CANDIDATE", "CHANGE", f"{100 * found.confidence:.4g}% INTERVAL", "VERDICT")
    rows = [
        (
            change.score,
            number_text(change.baseline),
            number_text(change.candidate),
            f"{change.delta:{change.form}}",
            interval_text(change.low, change.high, form=change.form),
            change.verdict,
        )
        for change in found.changes
    ]
    names, *others, verdicts = ([*map(len, column)] for column in zip(heads, *rows, strict=True))
    room = width - sum(map(max, others)) - GAP * len(others) - GAP
    table = result_table(*heads)
    if max(names) + max(verdicts) > room:
        table.columns[-1].width = min(WRAPPED_VERDICT, max(verdicts))
        room -= table.columns[-1].width
        table.columns[0].no_wrap = True
    shown = shortened([name for name, *_ in rows], min(room, longest, max(names)))
    for name, (_, *cells, verdict) in zip(shown, rows, strict=True):
        table.add_row(Text(name), *cells, Text(verdict, style=VERDICT_STYLES.get(verdict, "")))
    return table, shown


def why_not_compared(found: Comparison) -> str:
    """Return in one line why nothing was compared, with the first fields of the configs that differ."""
    fields = "; ".join(_fields(found))
    return f"{found.note}: {fields}" if fields else found.note


def _show_why_not(found: Comparison, console: Console) -> None:
    print_indented(console, Text(f"Not compared: {found.note}", style="yellow"), INDENT)
    for line in _fields(found):
        print_indented(console, Text(f"  {line}"), 2 * INDENT)
    console.print()


def _fields(found: Comparison) -> Iterator[str]:
    """The first fields of the configs that differ, which is why the runs are not compared."""
    fields = [one for one in found.differences if one.document == "config"]
    for one in fields[:MAX_FIELDS]:
        yield f"{one.path}: {one.baseline} -> {one.candidate}"
    if len(fields) > MAX_FIELDS:
        yield "and more, which `kubectl nemoeval report` lists"


def _show_notes(found: Comparison, console: Console) -> None:
    """Print what stands in the way of a verdict, or of a better comparison, once for all scores of a kind."""
    for number, (note, names) in enumerate(found.remarks.items()):
        if not number:
            console.print()
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        line = f"{', '.join(names[:MAX_NAMED])}{more}: {note}"
        print_indented(console, Text(line, style="yellow"), INDENT)


def _show_bars(bars: Iterable[tuple[Text, str]], console: Console) -> None:
    shown = [(bar, name) for bar, name in bars if bar]
    if shown:
        console.print()
    for bar, name in shown:
        console.print(bar.append(name))


def _bar(change: Change) -> Text:
    """Return the bar of a score's items; empty where items were not paired."""
    if change.better is None:
        return Text()
    counts = (change.better, change.worse or 0, change.equal or 0)
    total, ends, at = sum(counts) or 1, [], 0
    for count in counts:
        at += count
        ends.append(round(BAR_CELLS * at / total))
    better, worse, equal = ends[0], ends[1] - ends[0], ends[2] - ends[1]
    bar = Text()
    for (sign, style), cells in ((BETTER, better), (WORSE, worse)):
        bar.append(sign * cells, style=style)
    bar.append("·" * equal, style="bright_black")
    return bar.append(f"  {counts[0]:3} better {counts[1]:3} worse {counts[2]:3} equal  ")


def _show_flips(found: Flips, word: str, sign: tuple[str, str], console: Console, *, whole: bool) -> None:
    if not found.flips:
        return
    console.print(Text(f"\nItems that became {word}, the largest change first", style="bold"))
    for flip in found.flips:
        values = f" {flip.score}  {number_text(flip.baseline)} -> {number_text(flip.candidate)}"
        console.print(Text("\n").append(*sign).append(values, style="bold"))
        _show_flip(flip, console, whole=whole)
    if found.left_out:
        console.print(Text(f"\n{found.left_out} more became {word}"))


def _show_flip(flip: Flip, console: Console, *, whole: bool) -> None:
    show_text("input", flip.input or f"item {flip.key}", console, whole=whole)
    show_text("reference", flip.reference, console, whole=whole)
    show_text("baseline output", flip.baseline_output, console, whole=whole)
    show_text("candidate output", flip.candidate_output, console, whole=whole)

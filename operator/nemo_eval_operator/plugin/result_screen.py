"""Tables of scores and items, for people, and what comparisons share with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .output import GAP, VERDICT_STYLES, print_indented, print_table
from .report import Run, Worst

__all__ = [
    "INDENT",
    "interval_text",
    "number_text",
    "result_table",
    "show_items",
    "show_run",
    "show_text",
]

INDENT: Final = 2
"""Columns before the lines that a heading or a note is wrapped into."""

LABEL_CHARACTERS: Final = 16

MAX_TEXT_CHARACTERS: Final = 300
"""Shown of a question or an answer on a terminal."""


def show_run(run: Run, console: Console) -> None:
    """Print the scores with their intervals, and the verdict of the gate."""
    if run.dry_run:
        console.print(Text("Dry run of one sample of each task: not a result of the benchmark"))
    if run.limited:
        console.print(Text(run.limited.capitalize()))
    table = result_table("SCORE", "VALUE", f"{100 * run.confidence:.4g}% INTERVAL", "ITEMS", "WITHOUT SCORE")
    for score in run.scores:
        table.add_row(
            Text(score.name),
            number_text(score.value),
            interval_text(score.low, score.high),
            "" if score.items is None else str(score.items),
            str(score.items_without_score or ""),
        )
    print_table(console, table)
    if run.scores_left_out:
        console.print(Text(f"{run.scores_left_out} more scores are not shown"))
    if run.verdict is not None:
        console.print(Text(f"\nGate: {run.verdict}", style=VERDICT_STYLES.get(run.verdict, "")))
        for one in run.criteria:
            line = Text().append(f"  {one.result}  ", style=VERDICT_STYLES.get(one.result, ""))
            indent = len(line)
            print_indented(console, line.append(f"{one.score} ({one.tier}): {one.message}"), indent)


def show_items(by: str, found: Worst, console: Console, *, whole: bool) -> None:
    """Print items with input, output, reference and score; `whole`: texts are not cut."""
    heading = f"{len(found.items)} worst by {by}" if found.items else f"All items have the same score by {by}"
    more = f"; {found.note}" if found.note else ""
    print_indented(console, Text(f"{heading}{more}", style="bold"), INDENT)
    for item in found.items:
        index = f" {item.index}" if item.index else ""
        score = number_text(item.score) or "none"
        console.print(Text(f"\n{item.task}{index}  score {score}", style="bold"))
        parts = (("input", item.input), ("output", item.output), ("reference", item.reference))
        for label, text in (*parts, ("error", item.error)):
            show_text(label, text, console, whole=whole)


def show_text(label: str, text: str | None, console: Console, *, whole: bool) -> None:
    """Print a text behind its label; nothing where there is none. `whole`: it is not cut."""
    if text is None:
        return
    lines = list(_cut(text, whole=whole))
    for number, line in enumerate(lines):
        head = label if number == 0 else ""
        start = f"  {head.ljust(LABEL_CHARACTERS)} "
        print_indented(console, Text(f"{start}{line}"), len(start))


def _cut(text: str, *, whole: bool) -> Iterator[str]:
    shown = text if whole or len(text) <= MAX_TEXT_CHARACTERS else f"{text[:MAX_TEXT_CHARACTERS]}…"
    yield from shown.split("\n")


def result_table(*headings: str) -> Table:
    """Return a table without lines."""
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(Text(heading))
    return table


def number_text(value: float | None) -> str:
    """Return four digits of a number; nothing where it is not known."""
    return "" if value is None else f"{value:.4g}"


def interval_text(low: float | None, high: float | None, *, form: str = ".4g") -> str:
    """Return both bounds; nothing where they are not known."""
    return "" if low is None or high is None else f"{low:{form}} to {high:{form}}"

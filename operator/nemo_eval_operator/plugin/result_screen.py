"""Tables of scores, items and comparisons, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .report import Change, Comparison, Flip, Flips, Item, Run

__all__ = ["show_comparison", "show_items", "show_run"]

BAR_CELLS: Final = 24

RESULT_STYLES: Final = {"Passed": "green", "Failed": "bold red", "Inconclusive": "yellow"}

VERDICT_STYLES: Final = {"better": "green", "worse": "bold red"}

BETTER, WORSE = ("+", "green"), ("-", "red")
"""Sign and style of an item that became better, and of one that became worse."""

PAIRING_NOTES: Final = {"Paired": "", "Unpaired": "not paired by item"}
"""What a comparison lacks, by its evidence."""

MAX_NAMED: Final = 3
"""Scores that a note names."""

LABEL_CHARACTERS: Final = 16

MAX_TEXT_CHARACTERS: Final = 300
"""Shown of a question or an answer on a terminal."""


def show_run(run: Run, console: Console) -> None:
    """Print the scores with their intervals, and the verdict of the gate."""
    if run.dry_run:
        console.print(Text("Dry run of one sample of each task: not a result of the benchmark"))
    table = _table("SCORE", "VALUE", f"{100 * run.confidence:.4g}% INTERVAL", "ITEMS", "WITHOUT SCORE")
    for score in run.scores:
        table.add_row(
            Text(score.name),
            _number(score.value),
            _interval(score.low, score.high),
            "" if score.items is None else str(score.items),
            str(score.items_without_score or ""),
        )
    console.print(table)
    if run.scores_left_out:
        console.print(Text(f"{run.scores_left_out} more scores are not shown"))
    if run.verdict is not None:
        console.print(Text(f"\nGate: {run.verdict}", style=RESULT_STYLES.get(run.verdict, "")))
        for one in run.criteria:
            line = Text(f"  {one.result}", style=RESULT_STYLES.get(one.result, ""))
            console.print(line.append(f"  {one.score} ({one.tier}): {one.message}", style=""))


def show_items(by: str, items: Sequence[Item], console: Console, *, whole: bool) -> None:
    """Print items with input, output, reference and score; `whole`: texts are not cut."""
    heading = f"{len(items)} worst by {by}" if items else f"All items have the same score by {by}"
    console.print(Text(heading, style="bold"))
    for item in items:
        index = f" {item.index}" if item.index else ""
        console.print(Text(f"\n{item.task}{index}  score {_number(item.score) or 'none'}", style="bold"))
        parts = (("input", item.input), ("output", item.output), ("reference", item.reference))
        for label, text in (*parts, ("error", item.error)):
            _show_text(label, text, console, whole=whole)


def show_comparison(
    runs: tuple[Run, Run], found: Comparison, console: Console, *, flips: int, whole: bool
) -> None:
    """Print scores next to each other, their changes, a bar for each score, and the items that changed."""
    console.print(Text(f"baseline   {runs[0].name}\ncandidate  {runs[1].name}\n"))
    if found.note:
        console.print(Text(f"Not compared: {found.note}", style="yellow"))
    if not found.changes:
        console.print(_values_alone(*runs))
        return
    interval = f"{100 * found.confidence:.4g}% INTERVAL"
    table = _table("SCORE", "BASELINE", "CANDIDATE", "CHANGE", interval, "VERDICT")
    for change in found.changes:
        table.add_row(
            Text(change.score),
            _number(change.baseline),
            _number(change.candidate),
            f"{change.delta:+.4f}",
            _interval(change.low, change.high, form="+.4f"),
            Text(change.verdict, style=VERDICT_STYLES.get(change.verdict, "")),
        )
    console.print(table)
    _show_notes(found, console)
    for number, change in enumerate(one for one in found.changes if one.better is not None):
        if not number:
            console.print()
        console.print(_bar(change))
    _show_flips(found.became_worse, "worse", WORSE, console, limit=flips, whole=whole)
    _show_flips(found.became_better, "better", BETTER, console, limit=flips, whole=whole)


def _show_notes(found: Comparison, console: Console) -> None:
    """Print what stands in the way of a verdict, or of a better comparison, once for all scores of a kind."""
    scores: dict[str, list[str]] = {}
    for change in found.changes:
        if note := change.note or PAIRING_NOTES.get(change.evidence, "compared by the values alone"):
            scores.setdefault(note, []).append(change.score)
    for number, (note, names) in enumerate(scores.items()):
        start = "" if number else "\n"
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        console.print(Text(f"{start}{', '.join(names[:MAX_NAMED])}{more}: {note}", style="yellow"))


def _bar(change: Change) -> Text:
    counts = (change.better or 0, change.worse or 0, change.equal or 0)
    total, ends, at = sum(counts) or 1, [], 0
    for count in counts:
        at += count
        ends.append(round(BAR_CELLS * at / total))
    better, worse, equal = ends[0], ends[1] - ends[0], ends[2] - ends[1]
    bar = Text()
    for (sign, style), cells in ((BETTER, better), (WORSE, worse)):
        bar.append(sign * cells, style=style)
    bar.append("·" * equal, style="bright_black")
    words = f"  {counts[0]:3} better {counts[1]:3} worse {counts[2]:3} equal  "
    return bar.append(words).append(change.score)


def _show_flips(
    found: Flips, word: str, sign: tuple[str, str], console: Console, *, limit: int, whole: bool
) -> None:
    shown = found.flips[:limit]
    if not shown:
        return
    console.print(Text(f"\nItems that became {word}, the largest change first", style="bold"))
    for flip in shown:
        values = f" {flip.score}  {_number(flip.baseline)} -> {_number(flip.candidate)}"
        console.print(Text("\n").append(*sign).append(values, style="bold"))
        _show_flip(flip, console, whole=whole)
    more = len(found.flips) - len(shown) + found.left_out
    if more:
        console.print(Text(f"\n{more} more became {word}"))


def _show_flip(flip: Flip, console: Console, *, whole: bool) -> None:
    _show_text("input", flip.input or f"item {flip.key}", console, whole=whole)
    _show_text("reference", flip.reference, console, whole=whole)
    _show_text("baseline output", flip.baseline_output, console, whole=whole)
    _show_text("candidate output", flip.candidate_output, console, whole=whole)


def _show_text(label: str, text: str | None, console: Console, *, whole: bool) -> None:
    if text is None:
        return
    lines = list(_cut(text, whole=whole))
    for number, line in enumerate(lines):
        head = label if number == 0 else ""
        console.print(Text(f"  {head.ljust(LABEL_CHARACTERS)} {line}"))


def _cut(text: str, *, whole: bool) -> Iterator[str]:
    shown = text if whole or len(text) <= MAX_TEXT_CHARACTERS else f"{text[:MAX_TEXT_CHARACTERS]}…"
    yield from shown.split("\n")


def _values_alone(first: Run, second: Run) -> Table:
    values = [{one.name: one.value for one in run.scores} for run in (first, second)]
    table = _table("SCORE", "BASELINE", "CANDIDATE")
    for name in dict.fromkeys([*values[0], *values[1]]):
        table.add_row(Text(name), _number(values[0].get(name)), _number(values[1].get(name)))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(Text(heading))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(low: float | None, high: float | None, *, form: str = ".4g") -> str:
    return "" if low is None or high is None else f"{low:{form}} to {high:{form}}"

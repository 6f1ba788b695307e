"""Lines of `kubectl nemoeval compare`, `rows` and `results` that are wider than a terminal of 80 columns."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.text import Text

from nemo_eval_operator.plugin.comparison_screen import show_comparison
from nemo_eval_operator.plugin.output import print_indented
from nemo_eval_operator.plugin.report import Change, Comparison, Flip, Flips, Item, Worst
from nemo_eval_operator.plugin.report.model import Criterion, Difference
from nemo_eval_operator.plugin.result_screen import show_items, show_run
from tests.unit.plugin.screens import printed_lines, run_named, terminal

LONG = "Portuguese is the most widely spoken language in Brazil, with Portuguese being the most spoken one"

WIDTHS = pytest.mark.parametrize("width", [80, 60, 100_000])


@pytest.fixture
def screen(width: int) -> Console:
    return terminal(width)


def lines_of(console: Console) -> list[str]:
    lines = printed_lines(console)
    assert max(map(len, lines)) <= console.width
    return lines


def text_after(lines: list[str], start: str, indent: int) -> str:
    """Return what is behind the start of a line, with the lines after it that begin in column `indent`."""
    first = next(number for number, line in enumerate(lines) if line.startswith(start))
    parts = [lines[first].removeprefix(start)]
    for line in lines[first + 1 :]:
        if line[:indent].strip() or line[indent : indent + 1] in {"", " "}:
            break
        parts.append(line[indent:])
    return " ".join(parts)


@WIDTHS
def test_texts_of_items_go_on_behind_their_labels(screen: Console) -> None:
    item = Item(task="qa", key="k", score=0.0, input="Which?", output=f"{LONG}\nand more", reference="r")

    show_items("qa/em", Worst(items=(item,)), screen, whole=True)

    assert text_after(lines_of(screen), "  output           ", 19) == f"{LONG} and more"


@WIDTHS
def test_messages_of_criteria_go_on_behind_their_results(screen: Console) -> None:
    criterion = Criterion(score="qa/answered/string-check", tier="Critical", result="Failed", message=LONG)

    show_run(run_named("new", criterion), screen)

    text = text_after(lines_of(screen), "  Failed  ", 10)
    assert text == f"qa/answered/string-check (Critical): {LONG}"


@WIDTHS
def test_notes_and_texts_of_a_comparison_go_on_indented(screen: Console) -> None:
    change = Change(
        score="qa/bleu/corpus",
        baseline=1.0,
        candidate=2.0,
        delta=1.0,
        evidence="PointEstimate",
        verdict="not decided",
        note=LONG,
    )
    flip = Flip(score="qa/em", key="k", baseline=1.0, candidate=0.0, input=LONG, candidate_output=LONG)
    found = Comparison(
        baseline="old",
        candidate="new",
        confidence=0.95,
        changes=(change,),
        became_worse=Flips(flips=(flip,)),
    )

    show_comparison((run_named("old"), run_named("new")), found, screen, whole=False)

    lines = lines_of(screen)
    assert text_after(lines, "qa/bleu/corpus: ", 2) == LONG
    for label in ("input", "candidate output"):
        assert text_after(lines, f"  {label:16} ", 19) == LONG


@WIDTHS
def test_fields_that_differ_go_on_indented(screen: Console) -> None:
    field = Difference(document="config", path="params.extra.prompt", baseline=LONG, candidate="not set")
    found = Comparison(
        baseline="old", candidate="new", confidence=0.95, differences=(field,), note="they measured others"
    )

    show_comparison((run_named("old"), run_named("new")), found, screen, whole=False)

    assert text_after(lines_of(screen), "  params.extra.prompt: ", 4) == f"{LONG} -> not set"


@pytest.mark.parametrize("width", [30])
def test_short_and_empty_texts_stay_as_they_are(screen: Console) -> None:
    print_indented(screen, Text("  output  "), 10)
    print_indented(screen, Text("short", style="yellow"), 10)

    assert lines_of(screen) == ["  output  ", "short"]

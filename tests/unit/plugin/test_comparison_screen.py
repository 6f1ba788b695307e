"""The screen of `kubectl nemoeval compare` on a narrow terminal, and names of scores in narrow columns."""

from __future__ import annotations

import pytest

from nemo_eval_operator.plugin.comparison_screen import show_comparison
from nemo_eval_operator.plugin.report import Change, Comparison
from nemo_eval_operator.plugin.score_names import shortened
from tests.unit.plugin.screens import printed_lines, run_named, terminal

ROUGE = [f"qa/rouge/rouge_{kind}_score" for kind in (1, 2, 3, "L")]
NAMES = ["qa/answered/string-check", "qa/bleu/corpus", "qa/em/em_score", *ROUGE]


def lines_at(width: int) -> list[str]:
    changes = [
        Change(
            score=name,
            baseline=0.06827,
            candidate=0.2917,
            delta=0.2234,
            low=-0.1701,
            high=0.1701,
            evidence="Paired",
            better=4,
            worse=7,
            equal=13,
            verdict="no difference shown",
        )
        for name in NAMES
    ]
    console = terminal(width)
    found = Comparison(baseline="old", candidate="new", confidence=0.95, changes=tuple(changes))
    show_comparison((run_named("old"), run_named("new")), found, console, whole=False)
    return printed_lines(console)


def test_80_columns_have_all_numbers_and_names_that_can_be_told_apart() -> None:
    lines = lines_at(80)
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if "0.06827" in line]
    ends = ["…/string-check", "qa/bleu/corpus", "qa/em/em_score", *(f"…/{name[9:]}" for name in ROUGE)]
    assert [row.split()[0] for row in rows] == ends
    assert all("-0.1701 to +0.1701  no difference" in row for row in rows)
    bars = [line for line in lines if " equal " in line]
    assert [bar.split()[-1] for bar in bars] == ends
    assert "Names of scores are cut: -o wide shows them whole" in lines


def test_a_wide_terminal_has_whole_names_and_verdicts() -> None:
    lines = lines_at(120)
    assert not [line for line in lines if "wide" in line]
    rows = [line for line in lines if "0.06827" in line]
    assert [row.split()[0] for row in rows] == NAMES
    assert all(row.endswith("no difference shown") for row in rows)


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (["qa/em", "qa/f1"], 5, ["qa/em", "qa/f1"]),
        (["qa/em/em_score", "qa/f1"], 11, ["…/em_score", "qa/f1"]),
        (["qa/bleu/score", "qa/chrf/score"], 9, ["…eu/score", "…rf/score"]),
        (["a/score", "b/score"], 3, ["a/score", "b/score"]),
        (["aa/score", "ba/score", "short"], 1, ["aa/score", "ba/score", "short"]),
        (["one/of/a/kind"], 0, ["…"]),
        ([], 10, []),
    ],
)
def test_names_are_cut_at_their_beginning_and_stay_different(
    names: list[str], width: int, expected: list[str]
) -> None:
    assert shortened(names, width) == expected

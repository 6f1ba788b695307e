"""`kubectl nemoeval get` on narrow terminals: scores, reasons, and the limit of samples."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from rich.console import Console

from nemo_eval_operator.plugin.run_rows import rows_of
from nemo_eval_operator.plugin.run_table import RunTables
from nemo_eval_operator.plugin.score_names import score_lines
from nemo_eval_operator.resources import NemoEvalJob
from tests.unit.lifecycle.objects import NOW, condition, evaljob, finished
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

NINE_SCORES = "answered=0.6667 sentence=31.04 +7 more"

PASSED = finished(score=NINE_SCORES, gate={"verdict": "Passed", "hash": "h"})

REJECTED = finished(
    phase="Failed",
    conditions=[
        condition(kind, status, "EvaluatorRejected")
        for kind, status in (("Ready", "False"), ("Stalled", "True"), ("Failed", "True"))
    ],
)


def run_of(name: str, status: dict[str, Any], **spec: Any) -> NemoEvalJob:
    meta = {"name": name, "uid": f"uid-{name}", "creationTimestamp": "2026-03-01T11:54:10Z"}
    return evaljob(meta=meta, status=status, **spec)


def lines_of(*jobs: NemoEvalJob, width: int = 80) -> dict[str, str]:
    """Return the lines of the table by their first words."""
    text = io.StringIO()
    # Without a height, rich takes the width of a dumb terminal, which CI has, to be 80.
    console = Console(file=text, force_terminal=True, width=width, height=50, color_system=None)
    console.print(RunTables(console).of(rows_of(jobs, NOW)))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return {line.split()[0]: line for line in lines}


def test_a_reason_goes_on_where_the_next_cells_are_empty() -> None:
    lines = lines_of(run_of("general-knowledge-smollm2", PASSED), run_of("wrong-model", REJECTED))

    assert lines["wrong-model"].split() == ["wrong-model", "Failed", "(EvaluatorRejected)", "5m50s"]
    ages = {line.rindex("5m50s") for name, line in lines.items() if name != "NAME"}
    assert ages == {lines["NAME"].index("AGE")}


def test_scores_are_whole_or_counted() -> None:
    jobs = run_of("general-knowledge-smollm2", PASSED), run_of("wrong-model", REJECTED)

    for width, shown in ((110, NINE_SCORES), (80, "answered=0.6667 +8 more"), (72, "answered=0.6667 …")):
        scores = lines_of(*jobs, width=width)["general-knowledge-smollm2"].partition("Passed")[2]
        assert " ".join(scores.split()[:-1]) == shown


def test_on_a_very_narrow_terminal_lines_are_cut_at_their_ends() -> None:
    lines = lines_of(run_of("general-knowledge-smollm2", PASSED), width=30)

    assert [*lines.values()] == ["NAME                       PH…", "general-knowledge-smollm2  Su…"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (NINE_SCORES, [NINE_SCORES, "answered=0.6667 +8 more", "answered=0.6667 …"]),
        ("a=1 b=2 c=3", ["a=1 b=2 c=3", "a=1 b=2 +1 more", "a=1 +2 more", "a=1 …"]),
        ("a=1 (1 of 4) b=2", ["a=1 (1 of 4) b=2", "a=1 (1 of 4) +1 more", "a=1 (1 of 4) …"]),
        ("em=0.5", ["em=0.5"]),
        ("(dry run)", ["(dry run)"]),
        ("", [""]),
    ],
)
def test_lines_of_scores_become_shorter_by_whole_scores(line: str, expected: list[str]) -> None:
    assert score_lines(line) == expected


def test_a_limit_of_samples_stands_beside_the_scores() -> None:
    limited = run_of("limited", PASSED, limitSamples=3)

    shown = (110, NINE_SCORES), (71, "answered=0.6667 +8 more"), (65, "answered=0.6667 …")
    for width, scores in (*shown, (63, "answered=0.6667")):
        assert f"  {scores} (3 samples)  5m50s" in lines_of(limited, width=width)["limited"]
    assert "  answered=0.6667 (3…  5m50s" in lines_of(limited, width=55)["limited"]
    assert "(1 sample) " in lines_of(run_of("limited", PASSED, limitSamples=1))["limited"]
    assert "sample" not in lines_of(run_of("limited", REJECTED, limitSamples=3))["limited"]


def test_programs_read_the_limit_of_samples(api: ClusterApi, run: Run) -> None:
    api.put("nemoevaljobs", run_of("limited", PASSED, limitSamples=3))
    api.put("nemoevaljobs", run_of("whole", PASSED))

    found = {one["name"]: one for one in json.loads(run("get", "-o", "json")[1])}
    assert (found["limited"]["score"], found["limited"]["limitSamples"]) == (NINE_SCORES, 3)
    assert found["whole"]["limitSamples"] is None
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(run("get", "-o", "csv")[1]))}
    assert (rows["limited"]["limitSamples"], rows["whole"]["limitSamples"]) == ("3", "")
    assert f"{NINE_SCORES} (3 samples)" in run("get", "limited")[1]


def test_a_table_without_rows_has_its_headings() -> None:
    assert [*lines_of()] == ["NAME"]

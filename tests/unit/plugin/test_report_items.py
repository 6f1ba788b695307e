"""Items of a report: each that changed once, distributions next to each other, and limits of samples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gates.documents import NAME, document, stats
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import answers, put_run
from tests.unit.plugin.test_report import AFTER, BEFORE, Page, in_json, written
from tests.unit.plugin.test_report_differences import targets
from tests.unit.plugin.test_results import with_bleu

BLEU = "qa/bleu/sentence"
GATE_OF_BLEU = {"criteria": [{"score": "bleu/sentence", "minimum": 10}]}


def shown_by(flips: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((flip["score"], flip["input"]) for flip in flips["flips"])


@pytest.mark.parametrize(
    ("bleu_after", "gate", "by"),
    [
        pytest.param([90.0, 40.0], {}, NAME, id="largest share of the range"),
        pytest.param([90.0, 40.0], {"gate": GATE_OF_BLEU}, BLEU, id="score of the gate"),
        pytest.param([61.0] * 20, {}, BLEU, id="score with a verdict"),
    ],
)
def test_an_item_whose_scores_differ_in_direction_is_shown_once(
    api: ClusterApi, run: Run, tmp_path: Path, bleu_after: list[float], gate: dict[str, Any], by: str
) -> None:
    before, after = [1.0] * 50, [0.0] + [1.0] * 49
    bleu = bleu_after + [40.0] * (50 - len(bleu_after))
    put_run(api, "old", with_bleu(before, [40.0] * 50))
    put_run(api, "new", with_bleu(after, bleu), **gate)
    (compared,) = in_json(run, tmp_path, "old", "new")["comparisons"]
    worse, better = (shown_by(compared[f"became{word}"]) for word in ("Worse", "Better"))
    first = "question 0"
    assert ((NAME, first) in worse, (BLEU, first) in better) == (by == NAME, by == BLEU)
    questions = [question for _, question in (*worse, *better)]
    assert questions.count(first) == 1
    assert len(questions) == len({*questions})


def test_distributions_of_one_score_are_next_to_each_other(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    put_run(api, "old", with_bleu(BEFORE, [50.0] * 50))
    put_run(api, "new", with_bleu(AFTER, [60.0] * 50))
    page = written(run, tmp_path / "report.html", "old", "new")
    pairs = [f"{score} in {name}" for score in (NAME, BLEU) for name in ("old", "new")]
    assert re.findall('aria-label="Distribution of (.*)"', page) == pairs
    assert "Not drawn" not in page


def test_distributions_that_are_not_drawn_are_named_for_all_runs(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    names = [f"run-{number}" for number in range(13)]
    for name in names:
        put_run(api, name, with_bleu(BEFORE, [50.0] * 50))
    page = written(run, tmp_path / "report.html", *names)
    assert re.findall('aria-label="Distribution of (.*)"', page) == [f"{NAME} in {name}" for name in names]
    assert f"Not drawn: {BLEU}." in Page(page).text


def test_a_chart_of_scores_says_how_many_it_leaves_out(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    results: Any = document(stats(BEFORE))
    scores = results["tasks"]["qa"]["metrics"]["answered"]["scores"]
    scores |= {f"score-{number}": scores["string-check"] for number in range(25)}
    put_run(api, "new", results)
    text = Page(written(run, tmp_path / "report.html", "new")).text
    assert "Not drawn: 2 more, which the tables have." in text
    put_run(api, "new", answers(BEFORE))
    assert "Not drawn" not in Page(written(run, tmp_path / "report.html", "new")).text


def test_a_limited_run_says_so_where_its_outcome_is(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER), limitSamples=50)
    assert in_json(run, tmp_path, "old")["summary"] == "old: succeeded."
    assert in_json(run, tmp_path, "new")["summary"] == "new: succeeded (limited to 50 samples of each task)."
    page = Page(written(run, tmp_path / "report.html", "new")).text
    assert "Limited to 50 samples of each task: not a result of the whole benchmark." in page
    text = written(run, tmp_path / "report.md", "old", "new")
    limited = [line for line in text.splitlines() if "✅ succeeded" in line]
    assert [line.endswith("(limited to 50 samples of each task) |") for line in limited] == [False, True]


def test_the_title_names_what_is_compared(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    for name in ("old", "new", "other"):
        put_run(api, name, answers(BEFORE))
    choices = (["old"], ["old", "new"], ["old", "new", "other"])
    titles = [in_json(run, tmp_path, *names)["title"] for names in choices]
    assert titles == ["old", "new against old", "new and 1 more against old"]


def test_the_environment_has_the_sampling_parameters_of_the_target(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    put_run(api, "new", answers(AFTER))
    targets(api, "new", prompt={"inference_params": {"temperature": 0, "stop": [" ", "\n"]}})
    (found,) = in_json(run, tmp_path, "new")["runs"]
    expected = {"name": "Sampling parameters of the target", "value": r'temperature=0, stop=[" ", "\n"]'}
    assert expected in found["environment"]

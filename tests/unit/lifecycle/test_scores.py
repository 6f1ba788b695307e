"""Scores out of results documents: one golden file for each shape that servers are known to answer in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from nemo_eval_operator.lifecycle.job.score_line import summary_of
from nemo_eval_operator.lifecycle.job.scores import scores_of
from nemo_eval_operator.resources import Score
from tests.unit.lifecycle.objects import results

GOLDEN = sorted((Path(__file__).parent / "results").glob("*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_recorded_shape_becomes_a_flat_list(path: Path) -> None:
    golden = json.loads(path.read_text())
    scores = scores_of(results(**golden["document"]))
    assert [score.to_manifest() for score in scores] == golden["scores"]
    assert summary_of(scores) == golden["summary"]


def of_task(entry: Any) -> list[Score]:
    return scores_of(results(tasks={"t": entry}))


def of_score(score: Any) -> list[Score]:
    return of_task({"metrics": {"m": {"scores": {"s": score}}}})


@pytest.mark.parametrize("value", [None, "0.5", True, False, [], {}, math.nan, math.inf, -math.inf], ids=repr)
def test_what_is_no_finite_number_is_no_score(value: object) -> None:
    assert of_score({"value": value}) == []


@pytest.mark.parametrize("value", [0, -1, 0.5, 100, 1e-05])
def test_every_finite_number_is_one(value: float) -> None:
    assert [score.value for score in of_score({"value": value})] == [value]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        {},
        {"metrics": None},
        {"metrics": []},
        {"metrics": {"m": None}},
        {"metrics": {"m": []}},
        {"metrics": {"m": {"scores": None}}},
        {"metrics": {"m": {"scores": {"s": None}}}},
        {"metrics": {"m": {"scores": {"s": 0.5}}}},
        {"metrics": {"m": {"scores": {"s": {}}}}},
        {"groups": []},
    ],
)
def test_an_unknown_shape_has_no_scores_and_does_no_harm(entry: object) -> None:
    assert of_task(entry) == []


@pytest.mark.parametrize(
    "stats", [None, [], "many", {}, {"count": None, "stddev": math.nan, "nan_count": "2"}]
)
def test_stats_that_cannot_be_read_are_left_out(stats: object) -> None:
    (score,) = of_score({"value": 1, "stats": stats})
    assert score.to_manifest() == {"task": "t", "metric": "m", "score": "s", "value": 1.0}


def test_counts_are_whole() -> None:
    (score,) = of_score({"value": 1, "stats": {"count": 20.0, "nan_count": 0}})
    assert (score.count, score.nan_count) == (20, 0)


def test_a_group_of_a_task_is_a_group() -> None:
    entry = {"groups": {"g": {"metrics": {"m": {"scores": {"s": {"value": 1}}}}}}}
    assert [(score.task, score.group) for score in of_task(entry)] == [(None, "t/g")]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.123456, "m=0.1235"), (100, "m=100"), (0, "m=0"), (1e-05, "m=1e-05"), (41.5, "m=41.5")],
)
def test_a_summary_shows_four_digits(value: float, shown: str) -> None:
    assert summary_of(of_score({"value": value})) == shown


def test_a_summary_is_three_scores_long() -> None:
    metrics = {f"m{number}": {"scores": {"s": {"value": number}}} for number in range(5)}
    assert summary_of(of_task({"metrics": metrics})) == "m0=0 m1=1 m2=2 +2 more"


@pytest.mark.parametrize("count", [-1, 1e300, 2**53, 10**400, math.nan, math.inf])
def test_what_kubernetes_takes_for_no_integer_is_no_count(count: float) -> None:
    (score,) = of_score({"value": 1, "stats": {"count": count, "nan_count": count}})
    assert (score.count, score.nan_count) == (None, None)


def test_names_are_fit_for_a_status_and_a_terminal() -> None:
    (score,) = of_task({"metrics": {"m" * 10_000: {"scores": {"red\x1b[31m\nline": {"value": 1}}}}})
    assert score.metric == "m" * 255 + "…"
    assert score.score == "red [31m line"


def test_a_summary_leaves_standard_errors_out() -> None:
    scores = {f"gsm8k-metric_ranking-{rank}": {"value": 0.5} for rank in (1, 3)}
    errors = {f"gsm8k-metric_ranking-{rank}": {"value": 0.01} for rank in (2, 4)}
    metrics = {"em": {"scores": scores}, "em_stderr": {"scores": errors}}
    assert summary_of(of_task({"metrics": metrics})) == "em#1=0.5 em#3=0.5"


def test_a_summary_says_on_how_many_rows_a_value_stands() -> None:
    assert summary_of(of_score({"value": 1, "stats": {"count": 1, "nan_count": 3}})) == "m=1 (1 of 4)"


@pytest.mark.parametrize("length", [1, 15, 30, 39, 60, 256])
@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_a_summary_is_under_40_characters(length: int, count: int) -> None:
    entry = {"value": -1234.5678, "stats": {"count": 10**6, "nan_count": 10**6}}
    metrics = {f"{number}" + "m" * length: {"scores": {"s": entry}} for number in range(count)}
    line = summary_of(of_task({"metrics": metrics}))
    assert line is not None
    assert len(line) < 40 or length == 0
    assert ("more" in line) is (count > 1)
